"""What ingest's handlers need: doors that turn requests into events, and articles to poll.

The log and the store come through `shared.kafka.ports` and `shared.store.ports`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

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

    def greet(self, request: Request, now: float) -> bytes | Refusal:
        """Answer the verification of the address (GET); `now` is in Unix seconds."""

    def read(self, request: Request, now: float) -> Incoming | Refusal:
        """Check a push and tell which event it is; nothing is published."""
