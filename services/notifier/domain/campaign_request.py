"""What staff ask for when they post a campaign, checked field by field."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from services.notifier.domain.campaigns import Campaign, Content, ContentKind, Repeat
from services.notifier.domain.periods import DAY_MS
from shared.events import stable_id
from shared.text import unseen_in

DEFAULT_LIFE_MS: Final = 7 * DAY_MS
LONGEST_LIFE_MS: Final = 400 * DAY_MS


def _check_utf8(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("contains half a character (a lone surrogate)") from None
    return text


def _check_tag(tag: str) -> str:
    """A tag is compared letter by letter: what nobody can see in it would match no fan."""
    if tag != tag.strip():
        raise ValueError("begins or ends with white space; write the tag without it")
    unseen = sorted({f"U+{ord(tag[place]):04X}" for place in unseen_in(tag)})
    if unseen:
        raise ValueError(f"contains what nobody can see ({', '.join(unseen)}); type the tag anew")
    return tag


Name = Annotated[str, StringConstraints(min_length=1, max_length=128), AfterValidator(_check_utf8)]
Tag = Annotated[Name, AfterValidator(_check_tag)]
Words = Annotated[
    str, StringConstraints(min_length=1, max_length=4096), AfterValidator(_check_utf8)
]


@dataclass(frozen=True, slots=True)
class ChannelRules:
    """What a request must know of a push channel."""

    platform: str
    refuse_content: Callable[[Content], str | None]


class _Asked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class TagChoice(_Asked):
    """Whom, by a tag."""

    tag: Tag


class ContentAsked(_Asked):
    """A text, or an article by its media id."""

    text: Words | None = None
    article: Annotated[str, Field(min_length=1, max_length=256)] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.text is None) == (self.article is None):
            raise ValueError("give either text or article (a media id)")
        return self


class CampaignRequest(_Asked):
    """The body of `POST /v1/campaigns`."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    """Chosen by the client: posting the same campaign again changes nothing."""
    name: Name
    account: Annotated[str, Field(pattern=r"^(wechat|weibo):[^:\s]{1,128}$")]
    """By our name of it, or by the platform's own id."""
    channel: str
    audience: TagChoice | None = None
    """Everyone who has the tag when the campaign starts."""
    trigger: TagChoice | None = None
    """Everyone who gains the tag from now on."""
    content: ContentAsked
    promotion: bool = True
    """Waits while an incident of the account is open."""
    not_before: AwareDatetime | None = None
    expires: AwareDatetime | None = None
    repeat: Repeat = Repeat.ONCE

    @model_validator(mode="after")
    def _one_way_to_choose(self) -> Self:
        if (self.audience is None) == (self.trigger is None):
            raise ValueError("give either audience or trigger, with a tag")
        return self


def make_campaign(
    request: CampaignRequest,
    channels: Mapping[str, ChannelRules],
    accounts: Mapping[str, str],
    now: int,
) -> Campaign | list[str]:
    """The campaign that was asked for, or what is wrong with it, a line each.

    Args:
        request: as it came.
        channels: by name.
        accounts: what an account may be called, and how events name it.
        now: milliseconds.
    """
    not_before = _millis(request.not_before) or 0
    expires = _millis(request.expires) or max(now, not_before) + DEFAULT_LIFE_MS
    content = (
        Content(ContentKind.ARTICLE, request.content.article)
        if request.content.article is not None
        else Content(ContentKind.TEXT, request.content.text or "")
    )
    problems = [
        *_check_channel(request, channels, accounts, content),
        *_check_times(not_before, expires, now),
    ]
    if problems:
        return problems
    return Campaign(
        id=request.id,
        name=request.name,
        account=accounts[request.account],
        channel=request.channel,
        content=content,
        promotion=request.promotion,
        not_before=not_before,
        expires=expires,
        repeat=request.repeat,
        created_at=now,
        audience_tag=request.audience.tag if request.audience else None,
        trigger_tag=request.trigger.tag if request.trigger else None,
        digest=digest_of(request, accounts),
    )


def digest_of(request: CampaignRequest, accounts: Mapping[str, str]) -> str:
    """Names the definition, whatever the account is called in the request."""
    account = accounts.get(request.account, request.account)
    named = request.model_copy(update={"account": account})
    return stable_id("campaign", named.model_dump_json())


def _check_channel(
    request: CampaignRequest,
    channels: Mapping[str, ChannelRules],
    accounts: Mapping[str, str],
    content: Content,
) -> list[str]:
    rules = channels.get(request.channel)
    if rules is None:
        return [f"channel: use one of {', '.join(sorted(channels))}"]
    problems = []
    platform = request.account.partition(":")[0]
    if platform != rules.platform:
        problems.append(f"account: the channel {request.channel} is one of {rules.platform}")
    elif request.account not in accounts:
        problems.append(f"account: not in the accounts file; there are {_listed(accounts)}")
    refusal = rules.refuse_content(content)
    if refusal is not None:
        problems.append(f"content: {refusal}")
    return problems


def _check_times(not_before: int, expires: int, now: int) -> list[str]:
    if expires <= max(now, not_before):
        default = f"leave it out for {DEFAULT_LIFE_MS // DAY_MS} days"
        return [f"expires: must be in the future and after not_before; {default}"]
    if expires > now + LONGEST_LIFE_MS:
        return [f"expires: at most {LONGEST_LIFE_MS // DAY_MS} days from now"]
    return []


def _listed(accounts: Iterable[str]) -> str:
    return ", ".join(sorted(accounts)) or "none"


def _millis(moment: Any) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1000)
