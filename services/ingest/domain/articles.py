"""Which articles' comments are read, and how often.

An article is one item of a message: (msg_data_id, index). Fans comment soon after it went out, so
it's read often at first and seldom later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from services.ingest.domain.incoming import Incoming
from shared.events import CommentPosted, MassSendAccepted, stable_id

NEVER_MS: Final = 32_000_000_000_000
"""A moment that doesn't come: the article is too old to be read again."""
RETIRED_AFTER_S: Final = 30 * 86_400.0
_DAY_S: Final = 86_400.0
_SLOWDOWN_DAY: Final = 6
_SLOWDOWN_LATER: Final = 60
_MS: Final = 1000


@dataclass(frozen=True, slots=True)
class Article:
    """An article that went out; every field is empty for one that we don't know."""

    account: str = ""
    """The gh_ id."""
    article: str = ""
    """The msg_data_id."""
    index: int = 0
    published_at: int = 0
    """Milliseconds since the epoch; when we learned of it, where nobody told."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far an article's comments were read."""

    known: tuple[str, ...] = ()
    """Ids of comments that were published, the newest first, as many as are kept."""
    next_poll_at: int = 0
    """Milliseconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Found:
    """A comment as the platform lists it."""

    comment_id: str
    openid: str
    created_at: int
    """Unix seconds."""
    content: str


def article_id(account: str, article: str, index: int) -> str:
    """Return the id of an article's document."""
    return f"wechat:{account}:{article}:{index}"


def article_of(event: MassSendAccepted) -> Article | None:
    """Return the article of an accepted mass send; None where there's nothing to comment on."""
    if event.platform != "wechat" or not event.article:
        return None
    return Article(event.account, event.article, 0, event.occurred_at)


def plan_next_poll(article: Article, *, every_s: float, refused: bool, now: float) -> int:
    """Return when to read an article's comments next, in milliseconds since the epoch.

    Args:
        article: the article.
        every_s: the pace while it is young, in seconds.
        refused: the platform refused to list its comments (none yet, or not allowed).
        now: Unix seconds.
    """
    age_s = now - article.published_at / _MS
    if age_s > RETIRED_AFTER_S:
        return NEVER_MS
    pace = 1 if age_s < _DAY_S else _SLOWDOWN_DAY if age_s < 7 * _DAY_S else _SLOWDOWN_LATER
    wait_s = every_s * (max(pace, _SLOWDOWN_DAY) if refused else pace)
    return int((now + wait_s) * _MS)


def understand_comment(article: Article, found: Found) -> Incoming:
    """Return the event of a comment.

    It has a source of its own: comments are found later than pushes come, and consumers judge by
    source what is too late to be told from a repetition.

    Raises:
        pydantic.ValidationError: the platform's data makes no event.
    """
    event = CommentPosted(
        occurred_at=found.created_at * _MS,
        platform="wechat",
        account=article.account,
        authenticated_by="poller",
        article=article.article,
        article_index=article.index,
        comment_id=found.comment_id,
        fan=found.openid,
        text=found.content,
    )
    event_id = stable_id(
        "wechat", article.account, "comment", article.article, article.index, found.comment_id
    )
    return Incoming(event, event_id, f"/wechat/{article.account}/comments")
