"""All connections of one server: whose request is not whole yet, and who goes when they are many.

Waiting is not working: a request is work once its body is whole. Until then it is counted here, in
all and for each peer, and the oldest goes first, since an honest client needs milliseconds where a
hoarder needs to stay. What is counted costs a whole request in one packet nothing.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, Protocol

from shared.web.limits import Limits

TOO_MANY: Final = "too_many_unfinished"
TOO_MANY_OF_PEER: Final = "too_many_unfinished_of_peer"
TOO_MANY_CONNECTIONS: Final = "too_many_connections"
SHARE_THAT_GOES: Final = 64
"""Of so many connections one makes room at once: looking at all of them is not free."""
IPV6_HOST_BITS: Final = 64
"""One client has a whole /64 to itself."""

Network = IPv4Network | IPv6Network


class Waiting(Protocol):
    """A connection, as far as it concerns the others."""

    @property
    def peer(self) -> str | None:
        """Whom it is counted for; None where its peer may have as many as it likes."""

    @property
    def waits_since(self) -> float | None:
        """Since when it waits for its client, by the loop's clock; None while it works."""

    def give_way(self, reason: str) -> None:
        """End, for the sake of others; `reason` is one of the words above."""


@dataclass
class Crowd:
    """Who waits, the oldest first.

    Attributes:
        most: unfinished requests in all.
        most_of_peer: unfinished requests of one peer.
        most_connections: of every kind.
    """

    most: int
    most_of_peer: int
    most_connections: int

    @classmethod
    def of(cls, limits: Limits) -> Crowd:
        """A crowd within these limits."""
        return cls(limits.max_unfinished, limits.max_unfinished_per_peer, limits.max_connections)

    def __post_init__(self) -> None:
        self._all: dict[Waiting, None] = {}
        self._of_peer: dict[str, dict[Waiting, None]] = {}
        self._leaving: set[Waiting] = set()

    def __len__(self) -> int:
        return len(self._all)

    def enter(self, one: Waiting) -> None:
        """Count a request that began and is not whole; the oldest gives way to it."""
        self._all[one] = None
        peer = one.peer
        if peer is not None:
            same = self._of_peer.setdefault(peer, {})
            same[one] = None
            if len(same) > self.most_of_peer:
                next(iter(same)).give_way(TOO_MANY_OF_PEER)
        if len(self._all) > self.most:
            next(iter(self._all)).give_way(TOO_MANY)

    def leave(self, one: Waiting) -> None:
        """Count it no more: it is whole, or its connection is at its end."""
        self._all.pop(one, None)
        peer = one.peer
        same = self._of_peer.get(peer) if peer is not None else None
        if peer is not None and same is not None:
            same.pop(one, None)
            if not same:
                del self._of_peer[peer]

    def forget(self, one: Waiting) -> None:
        """Its connection is gone."""
        self.leave(one)
        self._leaving.discard(one)

    def make_room(self, connections: Collection[Waiting], newcomer: Waiting) -> bool:
        """End the connections that have waited longest if there are too many.

        Returns:
            Whether the newcomer has a place; not if all others are at work.
        """
        if len(connections) - len(self._leaving) <= self.most_connections:
            return True
        waiting = [
            (since, number, one)
            for number, one in enumerate(connections)
            if one is not newcomer and (since := one.waits_since) is not None
        ]
        count = max(1, self.most_connections // SHARE_THAT_GOES)
        for _, _, one in heapq.nsmallest(count, waiting):
            self._leaving.add(one)
            one.give_way(TOO_MANY_CONNECTIONS)
        return bool(waiting)


def peer_namer(trusted: Sequence[Network]) -> Callable[[str], str | None]:
    """Return what names the peer of an address: None for trusted proxies, who bound their own.

    Args:
        trusted: the networks of the proxies.
    """

    def name(address: str) -> str | None:
        try:
            found = ip_address(address.partition("%")[0])
        except ValueError:
            return address  # a Unix socket has none
        found = getattr(found, "ipv4_mapped", None) or found
        if any(_is_in(found, network) for network in trusted):
            return None
        if isinstance(found, IPv6Address):
            return str(int(found) >> IPV6_HOST_BITS)
        return str(found)

    return name


def _is_in(address: IPv4Address | IPv6Address, network: Network) -> bool:
    return address.version == network.version and address in network
