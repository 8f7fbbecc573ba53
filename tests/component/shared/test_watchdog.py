"""A process that stands still is ended; one that sleeps, waits or works is not."""

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from shared.observe.metrics import Meter
from shared.observe.watchdog import EXIT_STUCK, Judge, Sight, Watchdog

PATIENCE_S = 30.0


def looks(judge: Judge, *sights: Sight) -> list[str | None]:
    return [judge.verdict(sight) for sight in sights]


def silent(waited_s: float = 1.0) -> Sight:
    return Sight(waited_s, loop_ticked=False, stuck_s={})


def ticking(**stuck_s: float) -> Sight:
    return Sight(1.0, loop_ticked=True, stuck_s=stuck_s)


def test_a_loop_that_is_silent_beyond_the_limit_ends_the_process() -> None:
    judge = Judge(limit_s=3, look_every_s=1)
    *before, last = looks(judge, *[silent()] * 4)
    assert before == [None, None, None]
    assert last == "event loop silent for 4 s"


def test_one_tick_gives_the_whole_time_again() -> None:
    judge = Judge(limit_s=3, look_every_s=1)
    assert looks(judge, *[silent()] * 3, ticking(), *[silent()] * 3) == [None] * 7


@given(st.lists(st.floats(2.1, 1e6), min_size=1, max_size=50))
def test_a_process_that_was_frozen_is_not_blamed_for_it(waits: list[float]) -> None:
    judge = Judge(limit_s=3, look_every_s=1)
    assert looks(judge, *[silent(waited) for waited in waits]) == [None] * len(waits)


@given(st.lists(st.booleans(), max_size=50))
def test_a_loop_that_ticks_every_third_look_is_never_ended(ticks: list[bool]) -> None:
    judge = Judge(limit_s=3, look_every_s=1)
    seen = [Sight(1.0, ticked or i % 3 == 0, {}) for i, ticked in enumerate(ticks)]
    assert not any(looks(judge, *seen))


def test_work_without_progress_is_named() -> None:
    judge = Judge(limit_s=3, look_every_s=1)
    assert judge.verdict(ticking(runner=2.9)) is None
    assert judge.verdict(ticking(runner=3.1, other=0)) == "runner without progress for 3 s"


async def test_a_blocked_event_loop_is_found_by_the_thread() -> None:
    codes: list[int] = []
    ended = threading.Event()

    def end(code: int) -> None:
        codes.append(code)
        ended.set()

    watchdog = Watchdog(1.5, Meter(), end=end)
    with capture_logs() as lines:
        watchdog.start()
        assert ended.wait(PATIENCE_S)  # blocks the loop, which is the fault that is looked for
        watchdog.stop()
    assert codes == [EXIT_STUCK]
    assert [line["event"] for line in lines] == ["watchdog.process.ended"]


async def test_work_that_is_stuck_is_found_while_the_loop_turns() -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    watchdog = Watchdog(
        5.0,
        Meter(),
        progress={"idle": lambda: None, "runner": lambda: 60.0},
        end=lambda _code: loop.call_soon_threadsafe(ended.set),
    )
    with capture_logs() as lines:
        watchdog.start()
        async with asyncio.timeout(PATIENCE_S):
            await ended.wait()
        watchdog.stop()
    assert lines[0]["reason"] == "runner without progress for 60 s"


async def test_a_loop_that_turns_is_left_alone_and_its_lag_is_measured() -> None:
    meter = Meter()
    watchdog = Watchdog(5.0, meter, end=lambda _code: pytest.fail("ended"))
    watchdog.start()
    async with asyncio.timeout(PATIENCE_S):
        while (meter.registry.get_sample_value("fan_event_loop_lag_seconds_count") or 0) < 4:
            await asyncio.sleep(0.01)
    watchdog.stop()


async def test_a_progress_that_raises_ends_nothing_and_is_told_once() -> None:
    looked: list[int] = []

    def raises() -> float:
        raise RuntimeError

    watchdog = Watchdog(
        2.5,
        Meter(),
        {"runner": raises, "other": lambda: looked.append(1)},
        end=lambda _code: pytest.fail("ended"),
    )
    with capture_logs() as lines:
        watchdog.start()
        async with asyncio.timeout(PATIENCE_S):
            while len(looked) < 3:
                await asyncio.sleep(0.01)
        watchdog.stop()
    assert [line["event"] for line in lines] == ["watchdog.progress.failed"]


PROGRAM = """
import asyncio, threading
from shared.observe.metrics import Meter
from shared.observe.watchdog import Watchdog

async def main():
    Watchdog(1.5, Meter()).start()
    await asyncio.sleep(0)
    threading.Event().wait()

asyncio.run(main())
"""


def test_the_process_really_ends_and_says_where_it_stood() -> None:
    root = Path(__file__).parents[3]
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert ended.returncode == EXIT_STUCK
    assert "watchdog.process.ended" in ended.stdout
    assert "in main" in ended.stderr
