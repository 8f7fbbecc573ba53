"""The notifier's senders over a store in memory and a strict stand-in platform, to crash at will.

The platform here is a few lines of its own reading of the rules, and keeps the books. A crash is an
exception that no code catches; what follows is a new process over the same store.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

from services.notifier.domain import records
from services.notifier.domain.campaigns import Campaign, Content, ContentKind, Repeat
from services.notifier.domain.decide_push import PushRules
from services.notifier.domain.ledger import DebitKind
from services.notifier.domain.periods import QuietHours
from services.notifier.domain.pushes import Push, PushState
from services.notifier.domain.reactions import CallOutcome, Receipt
from services.notifier.handlers.fan_events import FanEventsHandler
from services.notifier.handlers.incidents import IncidentsHandler
from services.notifier.handlers.tag_changes import TagChangesHandler
from services.notifier.loops.account_loop import AccountLoop
from services.notifier.loops.account_time import AccountTime
from services.notifier.loops.desk import Books, Desk
from services.notifier.loops.mass import MassSender
from services.notifier.loops.planner import Planner
from services.notifier.loops.single import SingleSender
from shared.documents.reader import DocumentReader
from shared.events import Event, TagAssigned
from shared.events.envelope import from_headers
from shared.kafka.handler import Change, Fact
from shared.kafka.ports import OutgoingRecord
from shared.kafka.writer import DocumentWriter
from shared.platforms.outcomes import Accepted, Reaction, Reason, Refused, Unknown
from shared.store.ports import GuardedWrite
from shared.testing.memory_log import MemoryPublisher
from shared.testing.memory_store import MemoryGuardedStore, MemoryLeases
from shared.testing.silent_observer import SilentObserver
from shared.waiting import Bell
from tests.support.notifier_fakes import (
    FakeChannel,
    FakeClock,
    MemoryCampaignQueries,
    MemoryFanQueries,
    MemoryPushQueries,
    RecordingObserver,
)

NOON = 1_800_000_000_000 // 86_400_000 * 86_400_000 + 4 * 3_600_000
"""Twelve o'clock in Shanghai of some day."""
ACCOUNT = "wechat:brand"
HOUR = 3_600_000


class Crash(BaseException):
    """The process is gone."""


class Fuse:
    """Ends the process at the n-th dangerous place; None for never."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.burnt = 0

    def burn(self) -> None:
        self.burnt += 1
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                self.left = None
                raise Crash


class FusedStore(MemoryGuardedStore):
    """May crash before or after each write."""

    def __init__(self, fuse: Fuse) -> None:
        super().__init__()
        self._fuse = fuse

    async def write(self, writes: Sequence[GuardedWrite]) -> set[str]:
        self._fuse.burn()
        lost = await super().write(writes)
        self._fuse.burn()
        return lost


@dataclass
class StrictPlatform:
    """Its own reading of WeChat's rules, and the books of what it accepted."""

    clock: FakeClock
    offset: int = 0
    """How far its clock is ahead of ours, in milliseconds."""
    windows: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    """By fan and act: when it opened, then one instant for each message charged."""
    accepted: list[tuple[int, str, str]] = field(default_factory=list)
    """(when, openid, key) of each fan in an accepted call."""
    waves: dict[str, int] = field(default_factory=dict)
    over_quota: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """Consumed by the next calls: lost_before, lost_after, refused_busy; else ok."""
    subscription: bool = False
    limits: Mapping[str, tuple[int, int]] = field(
        default_factory=lambda: {
            "message": (48 * HOUR, 5),
            "click": (60_000, 3),
            "subscribe": (60_000, 3),
        }
    )

    @property
    def now(self) -> int:
        return self.clock.wall + self.offset

    @property
    def date(self) -> datetime:
        return datetime.fromtimestamp(self.now // 1000, UTC)

    def act(self, openid: str, act: str) -> int:
        """A fan acts; answers the time that its webhook names, in whole seconds."""
        self.windows.setdefault(openid, {})[act] = [self.now]
        return self.now // 1000 * 1000

    def message(self, openids: tuple[str, ...], key: str) -> CallOutcome:
        fault = self.faults.pop(0) if self.faults else "ok"
        if fault == "lost_before":
            return Unknown(Reason.TIMEOUT)
        if fault == "refused_busy":
            return Refused(Reason.UNREACHABLE, Reaction.RETRY)
        (openid,) = openids
        code = self._charge(openid)
        if code:
            self.over_quota.append(f"{openid} {code}")
            return Refused(Reason.COUNT_SPENT, Reaction.WAIT_FAN, 45047, self.date)
        self.accepted.append((self.now, openid, key))
        if fault == "lost_after":
            return Unknown(Reason.TIMEOUT)
        return Accepted(Receipt(f"m{len(self.accepted)}"), self.date)

    def mass(self, openids: tuple[str, ...], key: str) -> CallOutcome:
        fault = self.faults.pop(0) if self.faults else "ok"
        if fault == "lost_before":
            return Unknown(Reason.TIMEOUT)
        if key in self.waves:
            return Accepted(Receipt(f"w{key}", ""), self.date)
        if fault == "refused_busy":
            return Refused(Reason.UNREACHABLE, Reaction.RETRY)
        days = {self._day(at) for at in self.waves.values()}
        if self.subscription and self._day(self.now) in days:
            self.over_quota.append(f"slot {key}")
            return Refused(Reason.QUOTA_SPENT, Reaction.WAIT_QUOTA, 45028, self.date)
        month = self._month(self.now)
        for openid in openids:
            had = sum(
                who == openid and key in self.waves and self._month(at) == month
                for at, who, key in self.accepted
            )
            if not self.subscription and had >= 4:
                self.over_quota.append(f"month {openid}")
        self.waves[key] = self.now
        self.accepted += [(self.now, openid, key) for openid in openids]
        if fault == "lost_after":
            return Unknown(Reason.TIMEOUT)
        return Accepted(Receipt(f"w{key}", f"a{key}"), self.date)

    def _charge(self, openid: str) -> int:
        running = [
            charged
            for act, charged in self.windows.get(openid, {}).items()
            if self.now < charged[0] + self.limits[act][0]
        ]
        if not running:
            return 45015
        rooms = [
            len(charged) - 1 < self.limits[act][1]
            for act, charged in self.windows[openid].items()
            if charged in running
        ]
        if not any(rooms):
            return 45047
        for charged in running:
            charged.append(self.now)
        return 0

    @staticmethod
    def _day(at: int) -> int:
        return (at + 8 * HOUR) // (24 * HOUR)

    @staticmethod
    def _month(at: int) -> str:
        return datetime.fromtimestamp(at / 1000 + 8 * 3600, UTC).strftime("%Y-%m")


class World:
    """Everything; `restart` makes a new process over what is durable."""

    def __init__(
        self,
        *,
        now: int = NOON,
        cap: int = 50,
        quiet: QuietHours | None = None,
        subscription: bool = False,
        reply_within: int = 0,
    ) -> None:
        self.clock = FakeClock(now)
        self.fuse = Fuse()
        self.platform = StrictPlatform(self.clock, subscription=subscription)
        self.publisher = MemoryPublisher()
        self.leases = MemoryLeases()
        self.stores = {
            name: FusedStore(self.fuse)
            for name in (
                records.FANS,
                records.ACCOUNTS,
                records.PUSHES,
                records.CAMPAIGNS,
                records.WAVES,
            )
        }
        self.queries = MemoryPushQueries(self.stores[records.PUSHES])
        self.campaign_queries = MemoryCampaignQueries(self.stores[records.CAMPAIGNS])
        self.rules = PushRules(
            charge=DebitKind.MESSAGE,
            quiet_hours=quiet or QuietHours(0, 0),
            fan_cap_a_day=cap,
            mass_sends_a_month=None if subscription else 4,
            reply_within=reply_within,
        )
        self.subscription = subscription
        self.processes = count(1)
        self.offsets = count()
        self.numbers: Counter[str] = Counter()
        self.holder = ""
        self.restart()

    def restart(self) -> None:
        """A new process, with empty memory."""
        self.holder = f"process-{next(self.processes)}"
        self.observer = RecordingObserver()
        rows = self.write(records.PushDocuments())
        self.books = Books(
            rows=rows,
            ledgers=self.write(records.LedgerDocuments()),
            accounts=self.write(records.SendingDocuments()),
            waves=self.write(records.WaveDocuments()),
            campaigns=self.write(records.CampaignDocuments()),
            queries=self.queries,
            fans_now=self.read(records.LedgerDocuments()),
            accounts_now=self.read(records.SendingDocuments()),
            campaigns_now=self.read(records.CampaignDocuments()),
        )
        self.fan_events = FanEventsHandler(rows, self.queries)
        self.tag_changes = TagChangesHandler(rows, self.campaign_queries)
        self.incidents = IncidentsHandler(rows, self.queries)
        self.time = AccountTime(self.clock)
        self.single = FakeChannel("wechat_customer_message", self._fused(self.platform.message))
        self.mass = FakeChannel("wechat_mass_send", self._fused(self.platform.mass))
        self.mass.date = self.platform.now
        attempts = count()

        def new_attempt() -> str:
            return f"{self.holder}-{next(attempts)}"

        self.single_sender = SingleSender(
            self._desk(self.rules),
            self.single,
            rate=1000.0,
            rest=no_rest,
            new_attempt=new_attempt,
            together_s=0,  # each call after a rest and a look of its own
        )
        self.mass_sender = MassSender(
            self._desk(replace(self.rules, charge=DebitKind.MASS)),
            self.mass,
            kind="subscription" if self.subscription else "service",
            new_attempt=new_attempt,
        )
        self.loop = AccountLoop(
            self._desk(self.rules),
            [self.single_sender, self.mass_sender],
            leases=self.leases,
            holder=self.holder,
            bell=Bell(),
        )
        self.planner = Planner(
            self.books.campaigns,
            rows,
            self.campaign_queries,
            MemoryFanQueries(self.stores[records.FANS]),
            leases=self.leases,
            holder=self.holder,
            clock=self.clock,
            bell=Bell(),
            observer=self.observer,
        )

    def read(self, documents: Any) -> DocumentReader[Any]:
        return DocumentReader(documents, self.stores[documents.collection])

    def write(self, documents: Any, *, cached: int = 0) -> DocumentWriter[Any]:
        return DocumentWriter(
            documents,
            self.stores[documents.collection],
            self.publisher,
            source="/notifier",
            group="notifier.sender",
            observer=SilentObserver(),
            cached_documents=cached,
        )

    def _desk(self, rules: PushRules) -> Desk:
        return Desk(ACCOUNT, self.books, self.time, rules, self.observer)

    def _fused(
        self, answer: Callable[[tuple[str, ...], str], CallOutcome]
    ) -> Callable[[tuple[str, ...], str], CallOutcome]:
        def call(openids: tuple[str, ...], key: str) -> CallOutcome:
            self.fuse.burn()
            outcome = answer(openids, key)
            self.fuse.burn()
            return outcome

        return call

    async def deliver(
        self,
        handler: Any,
        event: Event,
        *,
        id: str = "",  # noqa: A002 - as in the envelope
        trace: bytes = b"",
    ) -> None:
        """Apply one record as the runner does, without its bookkeeping."""
        offset = next(self.offsets)
        fact = Fact(event, id or f"event-{offset}", "/test", event.topic, 0, offset, trace)
        document = handler.document_id(event)
        if document is not None:
            await self.write(handler).change(
                [document], lambda _id, state: Change(handler.decide(state, fact).state)
            )
            await handler.after([fact])

    async def tag(self, openid: str, *tags: str, at: int | None = None, trace: bytes = b"") -> None:
        """The fan has these tags now; the last of them is new."""
        self.numbers[openid] += 1
        event = TagAssigned(
            occurred_at=self.clock.wall if at is None else at,
            platform="wechat",
            account="brand",
            fan=openid,
            tag=tags[-1],
            rule_version="v1",
            because="event",
            cause="cause",
            tags=tuple(sorted(tags)),
            number=self.numbers[openid],
        )
        await self.deliver(self.tag_changes, event, trace=trace)

    async def campaign(self, name: str = "c1", **fields: Any) -> Campaign:
        """Store a campaign; by default a greeting triggered by the tag `new`."""
        campaign = Campaign(
            **{
                "id": name,
                "name": name,
                "account": ACCOUNT,
                "channel": "wechat_customer_message",
                "content": Content(ContentKind.TEXT, "你好"),
                "promotion": False,
                "not_before": 0,
                "expires": self.clock.wall + 60 * 24 * HOUR,
                "repeat": Repeat.ONCE,
                "created_at": self.clock.wall,
                "trigger_tag": None if "audience_tag" in fields else "new",
                **fields,
            }
        )
        await self.books.campaigns.change([name], lambda _id, _known: Change(campaign))
        return campaign

    async def run(self, *, rounds: int = 40) -> None:
        """Step until nothing is due at this instant."""
        for _ in range(rounds):
            planned = await self.planner.step()
            if not await self.loop.step() and not planned:
                return
        raise AssertionError("the sender never comes to rest")

    async def announced(self, kind: str) -> list[OutgoingRecord]:
        """The announcements of a type, once those on their way have arrived."""
        for _ in range(50):
            await asyncio.sleep(0)
        return [
            record
            for record in self.publisher.of("push-outcomes.v1")
            if from_headers(record.headers).type == kind
        ]

    def states(self) -> dict[str, PushState]:
        return {row.openid: row.state for row in self.queries.rows()}

    def row(self, openid: str) -> Push:
        (found,) = [row for row in self.queries.rows() if row.openid == openid]
        return found

    def check_books(self) -> None:
        """Guarantee 4, against the platform's books."""
        sent = {r.openid: r for r in self.queries.rows() if r.state is PushState.SENT}
        taken = Counter(openid for _, openid, _ in self.platform.accepted)
        rows = Counter(
            row.openid
            for row in self.queries.rows()
            if row.state in {PushState.SENT, PushState.UNKNOWN}
        )
        assert set(sent) <= set(taken), "sent, but not in the platform's books"
        assert taken <= rows, "in the platform's books, but neither sent nor unknown"
        assert not self.platform.over_quota
        assert max(Counter((o, k) for _, o, k in self.platform.accepted).values(), default=1) == 1


async def no_rest(_seconds: float) -> None:
    """Do not wait."""
