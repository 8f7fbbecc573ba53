"""Fakes of the notifier's ports, over the store in memory."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from math import inf
from typing import Any

from services.notifier.domain.campaigns import Campaign, Content
from services.notifier.domain.platform_clock import Reading
from services.notifier.domain.pushes import OPEN_STATES, Push, PushState
from services.notifier.domain.reactions import CallOutcome
from services.notifier.domain.records import CampaignDocuments, PushDocuments, WaveDocuments
from services.notifier.domain.wave_record import WaveRecord
from services.notifier.ports import Count
from shared.documents.reader import Versioned, versioned
from shared.testing.memory_store import MemoryGuardedStore


class FakeClock:
    """Stands still until it is moved."""

    def __init__(self, now: int) -> None:
        self.wall = now
        self.mono = 5_000_000

    def read(self) -> Reading:
        return Reading(self.wall, self.mono)

    def advance(self, millis: int) -> None:
        self.wall += millis
        self.mono += millis


class RecordingObserver:
    """Counts what the senders tell; may crash at a step."""

    def __init__(self) -> None:
        self.decisions: Counter[tuple[str, str]] = Counter()
        self.calls: Counter[str] = Counter()
        self.stops: list[tuple[str, str, str]] = []
        self.failures: list[tuple[str, BaseException]] = []
        self.steps: list[str] = []

    def decided(self, channel: str, verdict: str, reason: str, pushes: int) -> None:
        self.decisions[verdict, reason] += pushes

    def called(self, channel: str, outcome: str, fans: int, seconds: float) -> None:
        self.calls[outcome] += 1

    def settled(self, channel: str, state: str, reason: str, pushes: int) -> None:
        pass

    def channel_stopped(self, account: str, channel: str, reason: str, until: int) -> None:
        self.stops.append((account, channel, reason))

    def planned(self, channel: str, pushes: int) -> None:
        pass

    def step(self, name: str) -> None:
        self.steps.append(name)

    def failed(self, step: str, error: BaseException) -> None:
        self.failures.append((step, error))


class MemoryPushQueries:
    """See `ports.PushQueries`."""

    def __init__(self, store: MemoryGuardedStore) -> None:
        self._store = store

    def rows(self) -> list[Push]:
        load = PushDocuments().load
        return [load(raw) for raw in self._store.documents.values()]

    def _versions(self, wanted: Callable[[Push], bool]) -> list[Versioned[Push]]:
        documents = PushDocuments()
        found = [versioned(documents, raw) for raw in self._store.documents.values()]
        return copy.deepcopy([one for one in found if wanted(one.state)])

    async def due(self, account: str, channel: str, now: int, limit: int) -> list[Versioned[Push]]:
        found = self._versions(
            lambda row: (
                (row.account, row.channel) == (account, channel)
                and row.lane != ""
                and row.look_at <= now
            )
        )
        return sorted(found, key=lambda one: (one.state.deadline, one.state.id))[:limit]

    async def first_look(self, account: str, until: int) -> int | None:
        open_rows = [row for row in self.rows() if row.account == account and row.lane != ""]
        looks = [row.look_at for row in open_rows if row.look_at <= until]
        return min(looks, default=None)

    async def unqueued(self, account: str, channel: str, now: int, limit: int) -> list[str]:
        return [
            row.id
            for row in self.rows()
            if (row.account, row.channel) == (account, channel)
            and row.state in OPEN_STATES
            and row.look_at <= now
            and self._store.documents[row.id].get("lane") is None
        ][:limit]

    async def calling(self, account: str, channel: str, called_before: int) -> list[Push]:
        return [
            row
            for row in self.rows()
            if (row.account, row.channel) == (account, channel)
            and row.state is PushState.CALLING
            and row.called_at < called_before
        ]

    async def of_attempt(self, attempt: str) -> list[Push]:
        return [
            row for row in self.rows() if row.attempt == attempt and row.state is PushState.CALLING
        ]

    async def waiting_for_fans(self, fans: Sequence[str]) -> list[Versioned[Push]]:
        return self._versions(
            lambda row: (
                row.fan in fans
                and row.state is PushState.HELD
                and row.waits_for_fan
                and row.look_at > 0
            )
        )

    async def held_for(self, account: str, reason: str) -> list[Versioned[Push]]:
        return self._versions(
            lambda row: (
                (row.account, row.reason) == (account, reason)
                and row.state is PushState.HELD
                and row.look_at > 0
            )
        )

    async def counts(self, campaign: str) -> list[Count]:
        groups: dict[tuple[PushState, str], list[Push]] = {}
        for row in self.rows():
            if row.campaign == campaign:
                groups.setdefault((row.state, row.reason), []).append(row)
        found = [
            Count(state, reason, len(rows), min(row.not_before for row in rows))
            for (state, reason), rows in groups.items()
        ]
        return sorted(found, key=lambda one: (one.state, one.reason))

    async def of_fan(self, fan: str, limit: int) -> list[Push]:
        found = [row for row in self.rows() if row.fan == fan]
        return sorted(found, key=lambda row: -row.created_at)[:limit]


class MemoryCampaignQueries:
    """See `ports.CampaignQueries`."""

    def __init__(self, store: MemoryGuardedStore) -> None:
        self._store = store

    def _all(self) -> list[Campaign]:
        load = CampaignDocuments().load
        found = [load(raw) for raw in self._store.documents.values()]
        return sorted(found, key=lambda one: one.id)

    async def triggered_by(self, tags: Sequence[str]) -> list[Campaign]:
        return [one for one in self._all() if one.trigger_tag in tags and not one.cancelled]

    async def with_audience(self, now: int) -> list[Campaign]:
        return [
            one
            for one in self._all()
            if one.trigger_tag is None and not one.cancelled and one.expires > now
        ]

    async def page(self, after: str, limit: int) -> list[Campaign]:
        return [one for one in self._all() if one.id > after][:limit]


class MemoryFanQueries:
    """See `ports.FanQueries`."""

    def __init__(self, store: MemoryGuardedStore) -> None:
        self._store = store

    async def with_tag(self, account: str, tag: str, after: str, limit: int) -> list[str]:
        found = sorted(
            key
            for key, raw in self._store.documents.items()
            if key.startswith(f"{account}:") and key > after and tag in (raw.get("tags") or ())
        )
        return found[:limit]


class MemoryWaveQueries:
    """See `ports.WaveQueries`."""

    def __init__(self, store: MemoryGuardedStore) -> None:
        self._store = store

    async def of_campaign(self, campaign: str) -> list[WaveRecord]:
        load = WaveDocuments().load
        found = [load(raw) for raw in self._store.documents.values()]
        return sorted((one for one in found if one.campaign == campaign), key=lambda one: one.at)


class FakeChannel:
    """A channel that asks a function for each outcome."""

    def __init__(self, name: str, answer: Any) -> None:
        self.name = name
        self._answer = answer
        self.calls: list[tuple[tuple[str, ...], str]] = []
        self.asked = 0
        self.date: int | None = None

    async def send(
        self, openids: Sequence[str], content: Content, key: str, latest: float = inf
    ) -> CallOutcome:
        self.calls.append((tuple(openids), key))
        outcome: CallOutcome = self._answer(tuple(openids), key)
        return outcome

    async def ask_time(self) -> datetime | None:
        self.asked += 1
        return None if self.date is None else datetime.fromtimestamp(self.date / 1000, UTC)
