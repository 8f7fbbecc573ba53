"""W3C trace context: made, read and passed on, without a tracing library.

One `traceparent` goes with a request into the records it causes and the records those cause, so
that logs of all services can be joined by `trace_id`. Source: W3C Trace Context, Level 1.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import Self

SAMPLED = 0x01
_TRACEPARENT = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)
MAX_TRACEPARENT_CHARACTERS = 256  # later versions may append fields; ours has 55


def valid_traceparent(raw: bytes) -> str:
    """The text of a header of a record; empty where the standard says to ignore it."""
    if len(raw) > MAX_TRACEPARENT_CHARACTERS:
        return ""
    text = raw.decode("ascii", "replace")
    match = _TRACEPARENT.fullmatch(text)
    if match is None or (match[5] and match[1] == "00"):
        return ""
    return text


@dataclass(frozen=True, slots=True)
class Trace:
    """One step of a trace: the whole's id and this step's own."""

    trace_id: str
    """32 hexadecimal digits, not all zero."""
    span_id: str
    """16 hexadecimal digits, not all zero."""
    flags: int = SAMPLED

    @classmethod
    def new(cls) -> Self:
        """The first step of a trace."""
        return cls(f"{random.getrandbits(128) or 1:032x}", _new_span_id())

    @classmethod
    def parse(cls, header: str) -> Self | None:
        """The step that a header names; None when it is not one that the standard allows."""
        if len(header) > MAX_TRACEPARENT_CHARACTERS:
            return None
        match = _TRACEPARENT.fullmatch(header)
        if match is None:
            return None
        version, trace_id, span_id, flags, rest = match.groups()
        if version == "00" and rest:
            return None
        return cls(trace_id, span_id, int(flags, 16) & SAMPLED)

    @classmethod
    def of(cls, header: str | None) -> Self:
        """The next step after a header's, or the first step of a new trace."""
        parent = cls.parse(header) if header else None
        return cls.new() if parent is None else parent.child()

    def child(self) -> Self:
        """A step that this one causes."""
        return type(self)(self.trace_id, _new_span_id(), self.flags)

    @property
    def traceparent(self) -> str:
        """The header's value."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"


def _new_span_id() -> str:
    return f"{random.getrandbits(64) or 1:016x}"
