"""The staff API: campaigns, what became of their pushes, and fans' preferences."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints
from starlette.requests import Request
from starlette.responses import Response

from services.notifier.answers import show_campaign, show_count, show_push, show_wave
from services.notifier.domain.campaign_request import (
    CampaignRequest,
    ChannelRules,
    digest_of,
    make_campaign,
)
from services.notifier.domain.campaigns import Campaign
from services.notifier.domain.fan import Fan, prefer
from services.notifier.domain.keywords import HOW_WORDS_COUNT, OPT_IN_WORDS, OPT_OUT_WORDS
from services.notifier.ports import (
    CampaignQueries,
    Clock,
    FanQueries,
    PushQueries,
    Reader,
    WaveQueries,
    Writer,
)
from shared.errors import TransientError
from shared.kafka.handler import Change
from shared.web.auth import StaffRoute
from shared.web.errors import HttpError, parse_json, unavailable

PAGE: Final = 100
PUSHES_SHOWN: Final = 50
FAN_KEY_PARTS: Final = 3

S = TypeVar("S")


class PreferenceRequest(BaseModel):
    """The body of `PUT /v1/fans/{key}/preferences`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    pushes: bool
    """Whether the fan wants pushes."""


class _FanKey(BaseModel):
    key: Annotated[str, StringConstraints(pattern=r"^(wechat|weibo):[^:\s]{1,128}:\S{1,256}$")]


@dataclass(frozen=True, slots=True)
class StaffApi:
    """Answers staff from what is in the store now, never from a copy in this process.

    `facts` writes what the events loop owns, since preferences are among it.
    """

    campaigns: Writer[Campaign]
    facts: Writer[Fan]
    campaigns_now: Reader[Campaign]
    fans_now: Reader[Fan]
    campaign_queries: CampaignQueries
    fan_queries: FanQueries
    push_queries: PushQueries
    wave_queries: WaveQueries
    channels: Mapping[str, ChannelRules]
    accounts: Mapping[str, str]
    clock: Clock

    def routes(self) -> list[StaffRoute]:
        """The routes, with who may use them."""
        readers = ("campaigns", "oncall", "operations", "viewer")
        fan = "/v1/fans/{key}"
        return [
            _route("/v1/campaigns", self.create, ("campaigns",), "POST"),
            _route("/v1/campaigns", self.list, readers, "GET"),
            _route("/v1/campaigns/{id}", self.show, readers, "GET"),
            _route("/v1/campaigns/{id}/cancel", self.cancel, ("campaigns",), "POST"),
            _route("/v1/opt-out-words", self.opt_out_words, readers, "GET"),
            _route(f"{fan}/pushes", self.fan_pushes, readers, "GET"),
            _route(
                f"{fan}/preferences",
                self.set_preferences,
                ("campaigns", "oncall", "operations"),
                "PUT",
            ),
        ]

    async def create(self, request: Request) -> Response:
        """Plan a campaign: 201, or 200 if it is there already, or 409 for another of that id."""
        asked = parse_json(CampaignRequest, await request.body())
        read = await self.campaigns_now.read([asked.id])
        # What is there already is answered as before, however late it is asked for again.
        if read[asked.id].version:
            return await self._answer_campaign(read[asked.id].state, asked, 200)
        wanted = make_campaign(asked, self.channels, self.accounts, self.clock.read().wall)
        if isinstance(wanted, list):
            raise HttpError(422, "invalid_campaign", "; ".join(wanted))
        created = False

        def decide(_id: str, known: Campaign) -> Change[Campaign] | None:
            nonlocal created
            created = not known.id
            return Change(wanted) if created else None

        stored = await self.campaigns.change([asked.id], decide, announced=False, read=read)
        return await self._answer_campaign(stored[asked.id], asked, 201 if created else 200)

    async def _answer_campaign(
        self, stored: Campaign, asked: CampaignRequest, status: int
    ) -> Response:
        if stored.digest != digest_of(asked, self.accounts):
            raise HttpError(
                409,
                "another_campaign",
                "Another campaign has this id, and a campaign's definition never changes: choose"
                f" another id, or see what there is with GET /v1/campaigns/{asked.id}.",
            )
        warnings = []
        if not await self.fan_queries.with_tag(stored.account, stored.tag, "", 1):
            warnings.append(
                f"tag: no fan of {stored.account} has the tag «{stored.tag}» so far; compare it"
                " with the names in the segmenter's rules"
            )
        return _answer({**show_campaign(stored), "warnings": warnings}, status)

    async def opt_out_words(self, request: Request) -> Response:
        """The messages by which a fan opts out of pushes, and in again."""
        del request
        words = {"opt_out": sorted(OPT_OUT_WORDS), "opt_in": sorted(OPT_IN_WORDS)}
        return _answer({**words, "how": HOW_WORDS_COUNT})

    async def list(self, request: Request) -> Response:
        """Campaigns by id, a page."""
        found = await self.campaign_queries.page(request.query_params.get("after", ""), PAGE)
        following = found[-1].id if len(found) == PAGE else None
        return _answer({"campaigns": [show_campaign(one) for one in found], "after": following})

    async def show(self, request: Request) -> Response:
        """One campaign, with its pushes by state and reason, and its mass sends."""
        campaign = await self._campaign(request)
        counts = await self.push_queries.counts(campaign.id)
        waves = await self.wave_queries.of_campaign(campaign.id)
        account = await self.fans_now.read_one(campaign.account)
        jobs = {one.message_id: one for one in account.facts.jobs}
        totals: dict[str, int] = {}
        for one in counts:
            totals[one.state.value] = totals.get(one.state.value, 0) + one.pushes
        return _answer(
            {
                **show_campaign(campaign),
                "pushes": totals,
                "reasons": [show_count(one) for one in counts],
                "mass_sends": [show_wave(one, jobs.get(one.message_id)) for one in waves],
            }
        )

    async def cancel(self, request: Request) -> Response:
        """Stop a campaign: what is not on its way yet is dropped when its time comes."""
        campaign = await self._campaign(request)

        def decide(_id: str, known: Campaign) -> Change[Campaign] | None:
            return None if known.cancelled else Change(replace(known, cancelled=True))

        changed = await self.campaigns.change([campaign.id], decide, announced=False)
        return _answer(show_campaign(changed[campaign.id]))

    async def fan_pushes(self, request: Request) -> Response:
        """A fan's last pushes, and whether the fan wants any."""
        key = _fan_key(request)
        fan = await self.fans_now.read_one(key)
        pushes = await self.push_queries.of_fan(key, PUSHES_SHOWN)
        return _answer(
            {
                "fan": key,
                "preferences": {"pushes": not fan.facts.opted_out},
                "pushes": [show_push(one) for one in pushes],
            }
        )

    async def set_preferences(self, request: Request) -> Response:
        """Note whether a fan wants pushes; counts as said now."""
        key = _fan_key(request)
        asked = parse_json(PreferenceRequest, await request.body())
        now = self.clock.read().wall

        def decide(_key: str, known: Fan) -> Change[Fan] | None:
            facts = prefer(known.facts, not asked.pushes, now)
            return Change(replace(known, facts=facts)) if facts != known.facts else None

        await self.facts.change([key], decide, announced=False)
        return _answer({"fan": key, "preferences": {"pushes": asked.pushes}})

    async def _campaign(self, request: Request) -> Campaign:
        name = request.path_params["id"]
        found = await self.campaigns_now.read_one(name)
        if not found.id:
            raise HttpError(
                404,
                "unknown_campaign",
                "There is no campaign with this id; GET /v1/campaigns lists them.",
            )
        return found


def _route(
    path: str,
    endpoint: Callable[[Request], Awaitable[Response]],
    roles: tuple[Any, ...],
    method: str,
) -> StaffRoute:
    async def answer(request: Request) -> Response:
        with _store_errors():
            return await endpoint(request)

    name = getattr(endpoint, "__name__", path)
    return StaffRoute(path, answer, roles=roles, methods=[method], name=name)


@contextmanager
def _store_errors() -> Any:
    try:
        yield
    except TransientError:
        raise unavailable("store_unavailable") from None


def _fan_key(request: Request) -> str:
    raw = json.dumps({"key": request.path_params["key"]}).encode()
    return parse_json(_FanKey, raw).key


def _answer(body: Mapping[str, Any], status: int = 200) -> Response:
    return Response(
        json.dumps(body, ensure_ascii=False).encode(), status, media_type="application/json"
    )
