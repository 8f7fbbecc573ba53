"""When to try again, and when to stop."""

import pytest
import stamina
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import DeadLetterReason, PermanentError, TransientError
from shared.retry import FOREVER, GiveUp, RetryPolicy, retrying

CHANCES = st.floats(0, 1, exclude_max=True)


@st.composite
def policies(draw: st.DrawFn) -> RetryPolicy:
    first = draw(st.floats(0.001, 10))
    return RetryPolicy(
        first_delay_s=first,
        max_delay_s=first * draw(st.floats(1, 1_000)),
        factor=draw(st.floats(1, 100)),
        jitter=draw(st.floats(0, 1)),
    )


@given(policies(), st.integers(1, 10**9), CHANCES)
def test_a_delay_is_never_negative_and_never_above_the_longest(
    policy: RetryPolicy, attempt: int, chance: float
) -> None:
    assert 0 <= policy.delay_s(attempt, chance) <= policy.max_delay_s


@given(policies(), st.integers(1, 200), CHANCES)
def test_delays_never_shrink_for_the_same_chance(
    policy: RetryPolicy, attempt: int, chance: float
) -> None:
    assert policy.delay_s(attempt, chance) <= policy.delay_s(attempt + 1, chance)


def test_delays_double_until_the_longest() -> None:
    policy = RetryPolicy(first_delay_s=1, max_delay_s=5, jitter=0)
    assert [policy.delay_s(attempt, 0.9) for attempt in (1, 2, 3, 4, 5)] == [1, 2, 4, 5, 5]


def test_jitter_takes_away_at_most_its_share() -> None:
    policy = RetryPolicy(first_delay_s=1, max_delay_s=1, jitter=0.25)
    assert policy.delay_s(1, 0.0) == 1
    assert policy.delay_s(1, 1.0) == 0.75


def test_it_says_why_it_gives_up() -> None:
    policy = RetryPolicy(first_delay_s=1, max_delay_s=1, jitter=0, attempts=3, total_s=5)
    assert policy.decide(attempt=2, elapsed_s=4, chance=0) == 1
    assert policy.decide(attempt=3, elapsed_s=0, chance=0) is GiveUp.ATTEMPTS_SPENT
    assert policy.decide(attempt=1, elapsed_s=4.5, chance=0) is GiveUp.TIME_SPENT


@given(st.integers(1, 10**9), st.floats(0, 10**9), CHANCES)
def test_what_must_succeed_is_always_tried_again(
    attempt: int, elapsed_s: float, chance: float
) -> None:
    assert isinstance(FOREVER.decide(attempt=attempt, elapsed_s=elapsed_s, chance=chance), float)


@pytest.mark.parametrize(
    "wrong",
    [
        {"first_delay_s": 0},
        {"first_delay_s": 2, "max_delay_s": 1},
        {"factor": 0.5},
        {"jitter": 1.5},
        {"attempts": 0},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        RetryPolicy(**wrong)  # type: ignore[arg-type]  # integers and floats alike


async def test_a_caller_tries_again_on_the_named_error_only() -> None:
    calls: list[int] = []

    async def flaky(value: int) -> int:
        calls.append(value)
        if len(calls) < 3:
            raise TransientError("not yet")
        return value

    policy = RetryPolicy(first_delay_s=0.001, max_delay_s=0.001, attempts=5)
    with stamina.set_testing(testing=True, attempts=5):
        assert await retrying(policy, on=TransientError)(flaky, 7) == 7
    assert calls == [7, 7, 7]


async def test_a_caller_raises_at_once_what_stays() -> None:
    calls: list[int] = []

    async def broken() -> None:
        calls.append(1)
        raise PermanentError(DeadLetterReason.REJECTED, "never")

    with pytest.raises(PermanentError):
        await retrying(RetryPolicy(attempts=5), on=TransientError)(broken)
    assert len(calls) == 1
