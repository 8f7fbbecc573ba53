"""What ingest's handlers need: doors that turn requests into events, and articles to poll.

The log and the store come through `shared.kafka.ports` and `shared.store.ports`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from services.ingest.domain.articles import Found
from services.ingest.domain.incoming import Incoming
from services.ingest.domain.refusals import Refusal


@dataclass(frozen=True, slots=True)
class Request:
    """One webhook request, its body whole."""

    query: Mapping[str, str]
    headers: Mapping[bytes, bytes]
    """Lower-case names."""
    body: bytes


class Door(Protocol):
    """One address at which one platform or shop pushes."""

    @property
    def platform(self) -> str:
        """`wechat`, `weibo` or `shop`: a label."""

    @property
    def content_types(self) -> frozenset[bytes]:
        """Which content types a push may have; a push without one is taken too."""

    @property
    def reply(self) -> tuple[bytes, bytes]:
        """Content type and body that tell the sender that its push was taken."""

    @property
    def untold(self) -> frozenset[Refusal]:
        """Refusals of which the sender is told no more than that its push can't be read."""

    def greet(self, request: Request, now: float) -> bytes | Refusal:
        """Answer the verification of the address (GET); `now` is in Unix seconds."""

    def read(self, request: Request, now: float) -> Incoming | Refusal:
        """Check a push and tell which event it is; nothing is published."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of an article's comments, the newest first."""

    total: int
    """How many the platform says there are; it may count only the page, or too many."""
    comments: tuple[Found, ...]
    unreadable: int = 0
    """How many more the page has, that can't be read."""
    asked: int = 49
    """How many were asked for: a page that has fewer is the list's last one."""


class Comments(Protocol):
    """The comments of one account's articles."""

    async def read_page(self, article: str, index: int, begin: int) -> Page | str:
        """Return a page that leaves out `begin` comments; or a bounded word, why there is none."""


class ArticleIndex(Protocol):
    """Finds the articles that are to be read."""

    async def find_due(self, accounts: Sequence[str], now_ms: int, limit: int) -> Sequence[str]:
        """Return ids of documents whose next reading is due, the longest due first.

        Raises:
            TransientError: the store can't be reached.
        """


TAKEN: Final = "taken"
"""The outcome of a push that the log has acknowledged; other outcomes are refusals' words."""
GREETED: Final = "greeted"
"""The outcome of a verified address."""


class Observer(Protocol):
    """Is told what happened; counts it."""

    def webhook(self, platform: str, outcome: str) -> None:
        """A webhook request ended; `outcome` is taken, greeted or a refusal's word."""

    def event(self, event_type: str) -> None:
        """The log acknowledged an event that a webhook told."""

    def poll(self, outcome: str) -> None:
        """An article's comments were read; `outcome` is bounded."""

    def comments(self, count: int) -> None:
        """The log acknowledged comments that were found."""
