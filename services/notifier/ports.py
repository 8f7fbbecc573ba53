"""What the notifier's handlers and loops need from the outside."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import Protocol, TypeAlias, TypeVar

from services.notifier.domain.campaigns import Campaign, Content
from services.notifier.domain.platform_clock import Reading
from services.notifier.domain.pushes import Push, PushState
from services.notifier.domain.reactions import CallOutcome
from services.notifier.domain.wave_record import WaveRecord
from shared.documents.reader import Versioned
from shared.kafka.handler import Change

S = TypeVar("S")

Rest: TypeAlias = Callable[[float], Awaitable[None]]
"""Waits so many seconds; a test's fake moves its clock instead."""


class Writer(Protocol[S]):
    """Guarded changes of one loop's documents (`shared.kafka.writer.DocumentWriter`)."""

    async def change(
        self,
        ids: Iterable[str],
        decide: Callable[[str, S], Change[S] | None],
        *,
        announced: bool = True,
        read: dict[str, Versioned[S]] | None = None,
    ) -> dict[str, S]:
        """Change documents; see `DocumentWriter.change`."""


class Reader(Protocol[S]):
    """Reads documents as they are now (`shared.documents.reader.DocumentReader`)."""

    async def read(self, ids: Iterable[str]) -> dict[str, Versioned[S]]:
        """Read documents; see `DocumentReader.read`."""

    async def read_one(self, document_id: str) -> S:
        """Read one document's state; see `DocumentReader.read_one`."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many pushes of a campaign are in a state for a reason."""

    state: PushState
    reason: str
    pushes: int
    next_at: int
    """The earliest time that one of them may go; 0 where nobody knows."""


class PushQueries(Protocol):
    """Finds rows. All methods raise `TransientError` while the store can't be reached."""

    async def due(self, account: str, channel: str, now: int, limit: int) -> list[Versioned[Push]]:
        """Undecided rows whose time to be looked at has come, by their deadlines."""

    async def first_look(self, account: str, until: int) -> int | None:
        """When the first of an account's undecided rows is to be looked at; None if not by then."""

    async def unqueued(self, account: str, channel: str, now: int, limit: int) -> list[str]:
        """Ids of undecided rows whose time has come and that an older version gave no deadline."""

    async def calling(self, account: str, channel: str, called_before: int) -> list[Push]:
        """Rows committed to a call before a time, outcome not noted."""

    async def of_attempt(self, attempt: str) -> list[Push]:
        """Rows in `calling` that a mass send names."""

    async def waiting_for_fans(self, fans: Sequence[str]) -> list[Versioned[Push]]:
        """Held rows that an act of one of these fans may free."""

    async def held_for(self, account: str, reason: str) -> list[Versioned[Push]]:
        """Some rows held for a reason and not yet to be looked at."""

    async def counts(self, campaign: str) -> list[Count]:
        """A campaign's rows by state and reason."""

    async def of_fan(self, fan: str, limit: int) -> list[Push]:
        """A fan's rows, the newest first."""


class CampaignQueries(Protocol):
    """Finds campaigns."""

    async def triggered_by(self, tags: Sequence[str]) -> list[Campaign]:
        """Campaigns that gaining one of these tags may trigger."""

    async def with_audience(self, now: int) -> list[Campaign]:
        """Campaigns to an audience that are neither cancelled nor expired."""

    async def page(self, after: str, limit: int) -> list[Campaign]:
        """Campaigns in the order of their ids."""


class FanQueries(Protocol):
    """Finds fans."""

    async def with_tag(self, account: str, tag: str, after: str, limit: int) -> list[str]:
        """Keys of an account's fans who have a tag, in order, after a key."""


class WaveQueries(Protocol):
    """Finds mass sends."""

    async def of_campaign(self, campaign: str) -> list[WaveRecord]:
        """A campaign's mass sends, the oldest first."""


class PushChannel(Protocol):
    """One push channel of one account. The channel classifies each outcome; nobody else does."""

    @property
    def name(self) -> str:
        """As campaigns name it."""

    async def send(
        self, openids: Sequence[str], content: Content, key: str, latest: float = inf
    ) -> CallOutcome:
        """Make one call, once.

        Args:
            openids: whom; exactly one, but for a mass send.
            content: what, as `refuse_content` let it pass.
            key: the idempotency key of a mass send, at most 64 bytes; unused otherwise.
            latest: by our monotonic clock, in seconds: a call that has not begun by then, since
                something had to be asked before it, is not made, and answered as refused.
        """

    async def ask_time(self) -> datetime | None:
        """Make a light call without effect, for its `Date`; None where there was no answer."""


class Clock(Protocol):
    """Our clocks."""

    def read(self) -> Reading:
        """Both, now."""


class SendingObserver(Protocol):
    """Receives what the senders did; implementations count and log, and never raise.

    Channels, states and reasons are bounded words.
    """

    def decided(self, channel: str, verdict: str, reason: str, pushes: int) -> None:
        """Pushes were held or dropped for a reason, or sent on their way."""

    def called(self, channel: str, outcome: str, fans: int, seconds: float) -> None:
        """A call ended as accepted, refused or unknown."""

    def settled(self, channel: str, state: str, reason: str, pushes: int) -> None:
        """Pushes reached a state after their call."""

    def channel_stopped(self, account: str, channel: str, reason: str, until: int) -> None:
        """The platform closed a channel of an account for a while; a person may have to act."""

    def planned(self, channel: str, pushes: int) -> None:
        """Rows of an audience were planned."""

    def step(self, name: str) -> None:
        """A named step was reached; crash tests kill the process here."""

    def failed(self, step: str, error: BaseException) -> None:
        """Something failed and is tried again."""
