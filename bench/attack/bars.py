"""What must hold while an attack runs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final

GENUINE_P99_MS: Final = 1_000.0
REFUSED_PERCENT: Final = 1.0
LIVEZ_P99_MS: Final = 200.0
PAGE_MS: Final = 5_000.0


@dataclass(frozen=True, slots=True)
class Measured:
    """One attack's figures."""

    genuine_p99_ms: float
    genuine_refused_percent: float
    livez_p99_ms: float
    page_ms: float | None
    """From the last comment that an incident needs to the pager's books; None: no page came."""
    genuine_per_s: int
    attacker: Mapping[str, int]
    """What the attacker did: connections, requests, what it was refused."""
    parts: str = "embedded"

    def broken(self) -> list[str]:
        """The bars that do not hold, in words."""
        return [
            f"{name}: {'none' if value is None else f'{value:g} {unit}'}; the bar: {bar:g} {unit}"
            for name, value, bar, unit in self._bars()
            if value is None or value > bar
        ]

    def has_room(self, share: float) -> bool:
        """Whether no more than this share of each bar is used up."""
        return all(value is not None and value <= bar * share for _, value, bar, _ in self._bars())

    def _bars(self) -> Iterator[tuple[str, float | None, float, str]]:
        yield "genuine webhooks' p99", self.genuine_p99_ms, GENUINE_P99_MS, "ms"
        yield "genuine webhooks refused", self.genuine_refused_percent, REFUSED_PERCENT, "%"
        yield "/livez' p99", self.livez_p99_ms, LIVEZ_P99_MS, "ms"
        yield "comment to page", self.page_ms, PAGE_MS, "ms"

    def entry(self) -> dict[str, object]:
        """As it stands in the summary; what is infinite there is null."""
        return {
            name: None if isinstance(value, float) and math.isinf(value) else value
            for name, value in asdict(self).items()
        }


def percentile(seconds: Sequence[float], share: float) -> float:
    """A percentile in milliseconds; infinite where nothing was measured."""
    ordered = sorted(seconds)
    if not ordered:
        return float("inf")
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1e3, 1)
