"""When to try again: one policy for consumers, which decide, and for callers, which wait.

Consumers must not sleep in a handler, so they ask `RetryPolicy.decide` and get an answer to obey.
Callers that may wait (HTTP clients, start-up) use `retrying`, which is stamina with our policy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import stamina

Retryable = type[Exception] | tuple[type[Exception], ...] | Callable[[Exception], bool | float]


class GiveUp(StrEnum):
    """Why it is not tried again."""

    ATTEMPTS_SPENT = "attempts_spent"
    TIME_SPENT = "time_spent"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff with jitter, so that many who failed together don't return together."""

    first_delay_s: float = 0.1
    max_delay_s: float = 10.0
    factor: float = 2.0
    jitter: float = 0.5
    """Share of the delay that is random, 0 to 1."""
    attempts: int | None = None
    """Tries in all; None for no bound."""
    total_s: float | None = None
    """No wait may end later than this after the first try; None for no bound."""

    def __post_init__(self) -> None:
        if not 0 < self.first_delay_s <= self.max_delay_s:
            raise ValueError("first_delay_s must be above 0 and not above max_delay_s")
        if self.factor < 1 or not 0 <= self.jitter <= 1:
            raise ValueError("factor must be 1 or more, jitter between 0 and 1")
        if self.attempts is not None and self.attempts < 1:
            raise ValueError("attempts must be 1 or more")

    def delay_s(self, attempt: int, chance: float) -> float:
        """Seconds to wait after failed try number `attempt` (1, 2, …).

        Args:
            attempt: how many tries have failed in a row.
            chance: a number in [0, 1) that the caller drew.
        """
        exponent = min(max(attempt, 1) - 1, 64)  # beyond, a float overflows for large factors
        full = min(self.first_delay_s * self.factor**exponent, self.max_delay_s)
        return full * (1 - self.jitter * chance)

    def decide(self, *, attempt: int, elapsed_s: float, chance: float) -> float | GiveUp:
        """Seconds to wait before the next try, or why there is none.

        Args:
            attempt: how many tries have failed.
            elapsed_s: seconds since the first try began.
            chance: a number in [0, 1) that the caller drew.
        """
        if self.attempts is not None and attempt >= self.attempts:
            return GiveUp.ATTEMPTS_SPENT
        delay = self.delay_s(attempt, chance)
        if self.total_s is not None and elapsed_s + delay > self.total_s:
            return GiveUp.TIME_SPENT
        return delay


FOREVER = RetryPolicy()
"""For what must succeed in the end: the store, the log. Stopped from outside, by a revoke."""


def retrying(policy: RetryPolicy, on: Retryable) -> stamina.BoundAsyncRetryingCaller:
    """Wait between the tries of a coroutine function.

    Use as `await retrying(policy, on=TransientError)(call, argument)`.

    Args:
        policy: how long and how often.
        on: the errors worth another try, or a function that tells; all others are raised at once.
    """
    return stamina.AsyncRetryingCaller(
        attempts=policy.attempts,
        timeout=policy.total_s,
        wait_initial=policy.first_delay_s,
        wait_max=policy.max_delay_s,
        wait_jitter=policy.jitter * policy.first_delay_s,
        wait_exp_base=policy.factor,
    ).on(on)
