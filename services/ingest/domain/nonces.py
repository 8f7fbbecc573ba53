"""Binds a signature that does not cover the body to the first body that came with it.

WeChat's plain mode and Weibo sign (timestamp, nonce) only: whoever has seen one request could send
another body under its signature while the timestamp counts. So the first body's digest is kept:
the same one again is a re-send, another one is refused. A binding outlives its timestamp; it is
never dropped to make room: with the table full, new signatures are put off instead.

What is bound is the signature itself, over all accounts and both platforms, not the timestamp and
the nonce that it was made of: the parts are joined and sorted before they are signed, so the same
signature is right for other cuts of the same digits, for timestamp and nonce exchanged, and for
another account with the same secret.

The table is this process's: several ingest processes behind one address each bind for themselves,
and a restart forgets. Then a signature that was seen may be bound to another body until its
timestamp is 300 s old. And a nonce that looks like a later timestamp can be exchanged with it when
that time has come. Whoever needs more uses WeChat's safe mode.
"""

from __future__ import annotations

from enum import Enum, auto
from hashlib import blake2b
from typing import Final

from shared.platforms.verdict import TOLERANCE_S

MOST_BINDINGS: Final = 400_000
"""About 100 MiB; 400 genuine requests a second for as long as a binding may live."""

_DIGEST_BYTES: Final = 16
_LIFE_S: Final = 2 * TOLERANCE_S  # a timestamp may be 300 s ahead, and counts for 300 s after
_GENERATION_S: Final = 200.0


class Binding(Enum):
    """What a signature was bound to before."""

    NEW = auto()
    SAME_BODY = auto()
    OTHER_BODY = auto()
    FULL = auto()


class NonceTable:
    """Bindings of one process, forgotten a generation at a time: each lives 600 to 1,000 s."""

    __slots__ = ("_current", "_earlier", "_generation_ends", "_most", "_size")

    def __init__(self, most: int = MOST_BINDINGS) -> None:
        self._most = most
        self._size = 0
        self._current: dict[bytes, bytes] = {}
        self._earlier: list[tuple[float, dict[bytes, bytes]]] = []
        self._generation_ends = 0.0

    def bind(self, signature: str, body: bytes, *, now: float) -> Binding:
        """Bind a signature to its body.

        Args:
            signature: in hexadecimal; it was found to be right.
            body: the whole body that came with it.
            now: Unix seconds.
        """
        if now >= self._generation_ends:
            self._turn(now)
        key = bytes.fromhex(signature)
        value = blake2b(body, digest_size=_DIGEST_BYTES).digest()
        bound = self._current.get(key)
        if bound is None:
            bound = next((found[key] for _, found in self._earlier if key in found), None)
        if bound is not None:
            return Binding.SAME_BODY if bound == value else Binding.OTHER_BODY
        if self._size >= self._most:
            return Binding.FULL
        self._current[key] = value
        self._size += 1
        return Binding.NEW

    def _turn(self, now: float) -> None:
        """Begin a generation and forget those whose every timestamp is stale by now."""
        ended = [(self._generation_ends, self._current), *self._earlier]
        self._earlier = [(end, found) for end, found in ended if now < end + _LIFE_S]
        self._current = {}
        self._size = sum(len(found) for _, found in self._earlier)
        self._generation_ends = now + _GENERATION_S
