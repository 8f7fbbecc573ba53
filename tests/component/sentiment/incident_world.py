"""The incident half of the service in memory: fakes, a clock by hand, and processes that can die.

A `World` is what outlives a process: the log, the store, the pagers, the clock. A `Process` is one
instance of the service on it; `Killed` ends it at a step, and the next one goes on with the world.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.sentiment.domain.documents import load_comment, load_page
from services.sentiment.domain.incidents.comments import NegativeComment, left_id
from services.sentiment.domain.incidents.incident import AccountIncidents, Incident
from services.sentiment.domain.incidents.judgement import Thresholds
from services.sentiment.domain.incidents.usual import MINUTE_MS, Prior
from services.sentiment.domain.paging.dispatch import Limits
from services.sentiment.domain.paging.escalation import Policy, Step
from services.sentiment.domain.paging.page_text import PageMessage
from services.sentiment.domain.paging.pages import Outcome, Page
from services.sentiment.domain.verdict import SeverityReason, Verdict
from services.sentiment.handlers import (
    CommentHandler,
    IncidentDocuments,
    PageDocuments,
    UsualDocuments,
)
from services.sentiment.loops import AccountLeases, Evaluator, Historian, Pager
from shared.errors import TransientError
from shared.events import CommentPosted, IncidentEvent
from shared.events.envelope import from_headers
from shared.kafka.runner import Runner
from shared.kafka.writer import DocumentWriter
from shared.testing.memory_log import MemoryConsumer, MemoryPublisher, drive, record_of
from shared.testing.memory_store import MemoryGuardedStore, MemoryLeases, MemoryPartitionBooks
from shared.testing.silent_observer import SilentObserver

NOON = 1_795_233_600_000
ACCOUNT = "wechat:gh_brand"
TOPIC = "fan-events.v1"
COLLECTIONS = ("comments", "incidents", "pages", "usual")
SECRET = b"a secret of thirty-two characters"
POLICY = Policy((Step(0.0, ("robot",)), Step(60.0, ("robot", "pager"), ("@all",))), repeat_s=120.0)


class Killed(BaseException):
    """The process was killed at a step."""


class FakeModel:
    """Calls texts with "中毒" severe, with "差" negative, with "崩" impossible to score."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    async def score(self, texts: Sequence[str]) -> list[Verdict | None]:
        self.batches.append(len(texts))
        return [None if "崩" in text else self._verdict(text) for text in texts]

    def _verdict(self, text: str) -> Verdict:
        severe, bad = "中毒" in text, "差" in text
        negative = 0.97 if bad else 0.2
        return Verdict(
            tone="neg" if bad else "pos",
            negative=negative,
            probabilities=(negative, 0.0, 1 - negative),
            severity=3 if severe else 0,
            reasons=(SeverityReason("food", 3, "中毒"),) if severe else (),
            kind="complaint" if severe or bad else "praise",
            aspect="service" if bad else None,
            spans=(),
        )


class MemoryCommentBook:
    """Implements `CommentBook` over the documents of a `MemoryGuardedStore`."""

    def __init__(self, store: MemoryGuardedStore) -> None:
        self._store = store

    async def negatives(self, account: str, since: int, until: int) -> list[NegativeComment]:
        return [
            NegativeComment(
                key, one.at, one.author, one.subject, one.severity, one.fingerprint, one.trace
            )
            for key, one in self._comments(account)
            if one.negative and since <= one.at < until
        ]

    async def others(self, account: str, since: int, until: int) -> dict[int, int]:
        counts: dict[int, int] = {}
        for _, one in self._comments(account):
            if not one.negative and since <= one.at < until:
                minute = one.at // MINUTE_MS * MINUTE_MS
                counts[minute] = counts.get(minute, 0) + 1
        return counts

    async def texts(self, ids: Sequence[str]) -> dict[str, str]:
        documents = self._store.documents
        return {one: documents[one]["text"] for one in ids if documents[one].get("text")}

    async def first_at(self, account: str) -> int | None:
        return min((one.at for _, one in self._comments(account)), default=None)

    async def forget_left(self, authors: Collection[str]) -> None:
        left = {one: self._store.documents.get(left_id(one)) for one in authors}
        for key, one in self._comments(ACCOUNT):
            found = left.get(one.author)
            if found and one.at <= found["at"]:
                self._store.documents[key]["text"] = ""

    async def forget_texts(self, before: int) -> None:
        for key, one in self._comments(ACCOUNT):
            if one.at < before:
                self._store.documents[key]["text"] = ""

    def _comments(self, account: str) -> list[tuple[str, Any]]:
        loaded = [(key, load_comment(raw)) for key, raw in self._store.documents.items()]
        return [(key, one) for key, one in loaded if one.account == account]


class MemoryPageRows:
    """Implements `PageRows` over the documents of a `MemoryGuardedStore`."""

    def __init__(self, store: MemoryGuardedStore) -> None:
        self._store = store

    async def of_incident(self, incident: str) -> list[Page]:
        return [page for page in self.all() if page.wanted.incident == incident]

    async def due(self, now: int, at_most: int) -> list[Page]:
        due = [page for page in self.all() if page.state == "due" and page.next_at <= now]
        return sorted(due, key=lambda page: page.next_at)[:at_most]

    def all(self) -> list[Page]:
        return [page for raw in self._store.documents.values() if (page := load_page(raw))]


class MemoryCounters:
    """Implements `Counters`."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    async def raise_by(self, counts: Mapping[str, int]) -> None:
        for account, count in counts.items():
            self.counts[account] = self.counts.get(account, 0) + count

    async def all(self) -> dict[str, int]:
        return dict(self.counts)


@dataclass
class FakeChannel:
    """A pager that keeps what it accepted; `answers` are given one by one, then it accepts."""

    accepted: list[PageMessage] = field(default_factory=list)
    calls: list[PageMessage] = field(default_factory=list)
    answers: list[Outcome] = field(default_factory=list)

    async def send(self, message: PageMessage) -> Outcome:
        self.calls.append(message)
        outcome = self.answers.pop(0) if self.answers else Outcome("sent", "0")
        if outcome.result == "sent":
            self.accepted.append(message)
        return outcome


class World:
    """What outlives a process."""

    def __init__(self) -> None:
        self.now = NOON
        self.stores = {name: MemoryGuardedStore() for name in COLLECTIONS}
        self.books = MemoryPartitionBooks()
        self.leases = MemoryLeases()
        self.counters = MemoryCounters()
        self.publisher = MemoryPublisher()
        self.channels = {"robot": FakeChannel(), "pager": FakeChannel()}
        self.limits: dict[str, Limits] = {}
        self.consumer = MemoryConsumer(TOPIC)
        self.rows = MemoryPageRows(self.stores["pages"])
        self.book = MemoryCommentBook(self.stores["comments"])
        self._names = itertools.count(1)

    def process(self, kill_at: str = "", nth: int = 1, policy: Policy = POLICY) -> Process:
        """A new instance of the service; killed at the nth time it reaches a step."""
        return Process(self, f"p{next(self._names)}", kill_at, nth, policy)

    def say(
        self,
        person: int,
        text: str,
        *,
        at: int | None = None,
        comment: str = "",
        traceparent: str = "",
    ) -> None:
        """A comment arrives in the log."""
        number = comment or f"n{person}"
        event = CommentPosted(
            occurred_at=self.now if at is None else at,
            platform="wechat",
            account="gh_brand",
            authenticated_by="poller",
            article="100",
            comment_id=number,
            fan=f"openid{person}",
            text=text,
        )
        self.consumer.append(record_of(event, f"id-{number}", traceparent=traceparent))

    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += round(seconds * 1000)

    @property
    def incidents(self) -> tuple[Incident, ...]:
        raw = self.stores["incidents"].documents.get(ACCOUNT, {})
        return IncidentDocuments().load(raw).incidents

    def announced(self) -> list[tuple[str, str]]:
        """(type, id) of each distinct incident event in the log, in order."""
        envelopes = [from_headers(one.headers) for one in self.publisher.of("incidents.v1")]
        return list(dict.fromkeys((one.type, one.id) for one in envelopes))


class Process:
    """One instance of the service."""

    def __init__(self, world: World, name: str, kill_at: str, nth: int, policy: Policy) -> None:
        self.world = world
        self.dead = False
        self.events: list[IncidentEvent] = []
        self.latencies: list[float] = []
        self.failures: list[tuple[str, str]] = []
        self.oldest_page_s = 0.0
        self._kill_at = kill_at
        self._left = nth
        self.model = FakeModel()
        observer = SilentObserver()

        def writer(documents: Any) -> DocumentWriter[Any]:
            return DocumentWriter(
                documents,
                world.stores[documents.collection],
                world.publisher,
                source="/sentiment",
                group="sentiment.incidents",
                observer=observer,
                cached_documents=0,
            )

        self.incidents: DocumentWriter[AccountIncidents] = writer(IncidentDocuments())
        usual = writer(UsualDocuments())
        leases = AccountLeases(world.leases, name)
        self.pager = Pager(
            incidents=self.incidents,
            pages=writer(PageDocuments()),
            rows=world.rows,
            book=world.book,
            counters=world.counters,
            leases=leases,
            channels=world.channels,
            policy=policy,
            prior=Prior(),
            link=lambda incident: f"https://staff.example/i/{incident}",
            language="zh",
            observer=self,
            clock=lambda: world.now,
            limits=world.limits,
        )
        self.evaluator = Evaluator(
            writer=self.incidents,
            usual=world.stores["usual"],
            book=world.book,
            counters=world.counters,
            leases=leases,
            thresholds=Thresholds(),
            prior=Prior(),
            pause_from_severity=0,
            observer=self,
            clock=lambda: world.now,
            changed=self.pager.wake,
            monotonic=lambda: world.now / 1000,
        )
        self.historian = Historian(
            writer=usual,
            book=world.book,
            counters=world.counters,
            leases=leases,
            prior=Prior(),
            text_days=30,
            observer=self,
            clock=lambda: world.now,
        )
        self.handler = CommentHandler(
            self.model,
            world.counters,
            world.book,
            secret=SECRET,
            threshold=0.5,
            rang=self.evaluator.ring,
            observer=self,
        )
        self._runner_observer = observer

    async def consume(self) -> None:
        """Take what is in the log, as far as it was not committed."""
        world = self.world
        world.consumer.paused.clear()
        for number in world.consumer.positions:
            world.consumer.positions[number] = world.consumer.committed_offsets.get(number, 0)
        runner: Runner[Any] = Runner(
            self.handler,
            world.stores["comments"],
            world.books,
            world.publisher,
            observer=self._runner_observer,
            service="sentiment",
            topic=TOPIC,
            epoch="memory",
        )
        await drive(runner, world.consumer)

    async def work(self, rounds: int = 1) -> None:
        """Consume, judge and page; a killed process does no more."""
        await self._unless_killed(self.consume())
        for _ in range(rounds):
            await self._unless_killed(self.evaluator.round())
            await self._unless_killed(self.page())

    async def page(self) -> None:
        """One round of the pager and all its calls."""
        await self.pager.round()
        await self.pager.finish()

    async def _unless_killed(self, work: Any) -> None:
        if self.dead:
            work.close()
            return
        try:
            await work
        except Killed:
            self.dead = True
        except TransientError as error:
            self.failed("loop", error)

    def round_done(self) -> None:
        """See `IncidentObserver`."""

    def evaluated(self, account: str, seconds: float) -> None:
        """See `IncidentObserver`."""

    def announced(self, event: IncidentEvent) -> None:
        """See `IncidentObserver`."""
        self.events.append(event)

    def page_called(self, page: Page, outcome: Outcome, seconds: float | None) -> None:
        """See `IncidentObserver`."""
        if seconds is not None:
            self.latencies.append(seconds)

    def waiting(self, unresolved: Mapping[str, int], oldest_page_s: float) -> None:
        """See `IncidentObserver`."""
        self.oldest_page_s = oldest_page_s

    def failed(self, step: str, error: BaseException) -> None:
        """See `IncidentObserver`."""
        self.failures.append((step, type(error).__name__))

    def step(self, name: str) -> None:
        """See `IncidentObserver`."""
        if self.dead:
            raise Killed
        if name == self._kill_at:
            self._left -= 1
            if not self._left:
                self.dead = True
                raise Killed
