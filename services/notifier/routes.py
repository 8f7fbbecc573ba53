"""The staff API: campaigns, what became of their pushes, and fans' preferences."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints
from starlette.requests import Request
from starlette.responses import Response

from services.notifier.domain.campaign_request import (
    CampaignRequest,
    ChannelRules,
    make_campaign,
)
from services.notifier.domain.campaigns import Campaign
from services.notifier.domain.fan import Fan, JobCounts, prefer
from services.notifier.domain.pushes import Push
from services.notifier.domain.wave_record import WaveRecord
from services.notifier.ports import (
    CampaignQueries,
    Clock,
    Count,
    PushQueries,
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
    """Answers staff. `facts` is the events loop's own writer, since it owns preferences."""

    campaigns: Writer[Campaign]
    facts: Writer[Fan]
    campaign_queries: CampaignQueries
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
        now = self.clock.read().wall
        wanted = make_campaign(asked, self.channels, self.accounts, now)
        if isinstance(wanted, list):
            raise HttpError(422, "invalid_campaign", "; ".join(wanted))

        def decide(_id: str, known: Campaign) -> Change[Campaign] | None:
            return None if known.id else Change(wanted)

        stored = (await self.campaigns.change([wanted.id], decide, announced=False))[wanted.id]
        if stored.digest != wanted.digest:
            raise HttpError(409, "another_campaign", "Another campaign has this id.")
        return _answer(_show_campaign(stored), 201 if stored.created_at == now else 200)

    async def list(self, request: Request) -> Response:
        """Campaigns by id, a page."""
        found = await self.campaign_queries.page(request.query_params.get("after", ""), PAGE)
        following = found[-1].id if len(found) == PAGE else None
        return _answer({"campaigns": [_show_campaign(one) for one in found], "after": following})

    async def show(self, request: Request) -> Response:
        """One campaign, with its pushes by state and reason, and its mass sends."""
        campaign = await self._campaign(request)
        counts = await self.push_queries.counts(campaign.id)
        waves = await self.wave_queries.of_campaign(campaign.id)
        account = await self.facts.change([campaign.account], _leave, announced=False)
        jobs = {one.message_id: one for one in account[campaign.account].facts.jobs}
        totals: dict[str, int] = {}
        for one in counts:
            totals[one.state.value] = totals.get(one.state.value, 0) + one.pushes
        return _answer(
            {
                **_show_campaign(campaign),
                "pushes": totals,
                "reasons": [_show_count(one) for one in counts],
                "mass_sends": [_show_wave(one, jobs.get(one.message_id)) for one in waves],
            }
        )

    async def cancel(self, request: Request) -> Response:
        """Stop a campaign: what is not on its way yet is dropped when its time comes."""
        campaign = await self._campaign(request)

        def decide(_id: str, known: Campaign) -> Change[Campaign] | None:
            return None if known.cancelled else Change(replace(known, cancelled=True))

        changed = await self.campaigns.change([campaign.id], decide, announced=False)
        return _answer(_show_campaign(changed[campaign.id]))

    async def fan_pushes(self, request: Request) -> Response:
        """A fan's last pushes, and whether the fan wants any."""
        key = _fan_key(request)
        fan = (await self.facts.change([key], _leave, announced=False))[key]
        pushes = await self.push_queries.of_fan(key, PUSHES_SHOWN)
        return _answer(
            {
                "fan": key,
                "preferences": {"pushes": not fan.facts.opted_out},
                "pushes": [_show_push(one) for one in pushes],
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
        found = (await self.campaigns.change([name], _leave, announced=False))[name]
        if not found.id:
            raise HttpError(404, "unknown_campaign", "There is no such campaign.")
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


def _leave(_id: str, _state: object) -> None:
    """Only read."""


def _answer(body: Mapping[str, Any], status: int = 200) -> Response:
    return Response(
        json.dumps(body, ensure_ascii=False).encode(), status, media_type="application/json"
    )


def _time(millis: int) -> str | None:
    if not millis:
        return None
    return datetime.fromtimestamp(millis / 1000, UTC).isoformat(timespec="milliseconds")


def _show_campaign(one: Campaign) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "account": one.account,
        "channel": one.channel,
        "audience": {"tag": one.audience_tag} if one.audience_tag else None,
        "trigger": {"tag": one.trigger_tag} if one.trigger_tag else None,
        "content": {"kind": one.content.kind.value, "value": one.content.value},
        "promotion": one.promotion,
        "not_before": _time(one.not_before),
        "expires": _time(one.expires),
        "repeat": one.repeat.value,
        "created_at": _time(one.created_at),
        "cancelled": one.cancelled,
        "planned": one.plan.done,
    }


def _show_count(one: Count) -> dict[str, Any]:
    return {
        "state": one.state.value,
        "reason": one.reason,
        "pushes": one.pushes,
        "next_at": _time(one.next_at),
    }


def _show_wave(one: WaveRecord, job: JobCounts | None) -> dict[str, Any]:
    counts = None
    if job is not None:
        counts = {
            "status": job.status,
            "total": job.total,
            "filtered": job.filtered,
            "sent": job.sent,
            "errors": job.errors,
        }
    return {
        "id": one.id,
        "outcome": one.outcome,
        "reason": one.reason,
        "fans": one.fans,
        "at": _time(one.at),
        "message_id": one.message_id,
        "article": one.article,
        "platform_counts": counts,
    }


def _show_push(one: Push) -> dict[str, Any]:
    return {
        "id": one.id,
        "campaign": one.campaign,
        "occurrence": one.occurrence,
        "channel": one.channel,
        "state": one.state.value,
        "reason": one.reason,
        "not_before": _time(one.not_before),
        "created_at": _time(one.created_at),
        "changed_at": _time(one.changed_at),
    }
