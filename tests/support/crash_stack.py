"""A stack whose services are killed at named steps, at random, or frozen, and start again at once.

The dead can't hold a lease: after a death its leases are let run out at once, as if their seconds
had passed, so that a matrix of many deaths ends within minutes.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from deploy.local.application import Application
from deploy.local.stack import SERVICES, Stack
from tests.support.parts import unique_name

SESSION_TIMEOUT_S = 3.0
POLL_S = 0.05
DRAIN_TIMEOUT_S = 180.0
"""Some of the services' own periods last 30 s or a minute."""
STEP_TIMEOUT_S = 600.0
"""A crash point that is not reached within this time is missed: the test says which."""
SETTLED_LOOKS = 3
ENVIRONMENT: Mapping[str, str] = {
    "FAN_SESSION_TIMEOUT_MS": str(round(SESSION_TIMEOUT_S * 1000)),
    "FAN_REBALANCE_TIMEOUT_MS": "6000",
    "FAN_NOTIFIER_QUIET_HOURS": "",
    "FAN_NOTIFIER_FAN_CAP_A_DAY": "50",
    "FAN_NOTIFIER_CALLS_A_SECOND": "200",
    "FAN_INGEST_COMMENT_POLL_EVERY_S": "0.5",
    "FAN_LOG_LEVEL": "warning",
}
ESCALATION: Mapping[str, Any] = {
    "steps": [
        {"channels": ["oncall-group"]},
        {"after_seconds": 5, "channels": ["oncall-group", "oncall-phone"]},
    ],
    "repeat_seconds": 10,
}
"""An incident that nobody takes makes new pages and events for as long as a test wants some."""
SANDBOX: Mapping[str, Any] = {"delivery": {"attempts": 500}}
"""A patient platform: a webhook is sent again until the service is back."""


@contextmanager
def crash_stack(folder: Path, log: str, store: str) -> Iterator[Stack]:
    """The four services and the sandbox, on parts that run already, with names of its own."""
    name = unique_name("crash")
    stack = Stack(
        folder,
        kind="real",
        bootstrap_servers=log,
        mongodb_url=store,
        topic_prefix=f"{name}.",
        database_prefix=f"{name}-",
        environment=ENVIRONMENT,
        sandbox_config=dict(SANDBOX),
        escalation=dict(ESCALATION),
    )
    with stack:
        yield stack
    with MongoClient[dict[str, Any]](store) as client:
        for service in SERVICES:
            client.drop_database(stack.database(service))


class Supervisor:
    """Starts one service again whenever it has died, each time with its next crash point.

    Args:
        stack: where the service runs.
        name: the application's name.
        crash_at: crash points (see `shared.testing.crash_points`), one for each life.
    """

    def __init__(self, stack: Stack, name: str, crash_at: Sequence[str] = ()) -> None:
        self.name = name
        self.deaths = 0
        self.missed: list[str] = []
        """Crash points that were not reached in time."""
        self._stack = stack
        self._waiting = deque(crash_at)
        self._now = ""
        self._since = 0.0

    @property
    def is_done(self) -> bool:
        """Whether every crash point had its life, and the last life has none."""
        return not self._waiting and not self._now

    def is_running(self) -> bool:
        """Whether the process is there."""
        return self._stack.applications[self.name].process.is_running()

    def kill(self) -> None:
        """Kill it (`kill -9`); `run` starts it again."""
        self._stack.kill_service(self.name)

    async def run(self) -> None:
        """Until cancelled."""
        if self._waiting:
            self.kill()
        while True:
            if not self.is_running():
                self._next_life()
            elif self._now and time.monotonic() - self._since > STEP_TIMEOUT_S:
                self.missed.append(self._now)
                self._now = ""
                self.kill()
            await asyncio.sleep(POLL_S)

    def _next_life(self) -> None:
        self.deaths += 1
        service = self.name.partition("-")[0]
        expire_leases(self._stack, service)
        self._now = self._waiting.popleft() if self._waiting else ""
        self._since = time.monotonic()
        crash_at = {f"FAN_{service.upper()}_CRASH_AT": self._now} if self._now else {}
        self._stack.respawn_service(self.name, environment=crash_at)


def reached(stack: Stack, service: str) -> list[str]:
    """The crash points at which a service died, in order, from its log."""
    marker = "crash point: "
    text = (stack.logs / f"{service}.log").read_text("utf-8", "replace")
    return [line.partition(marker)[2].strip() for line in text.splitlines() if marker in line]


def expire_leases(stack: Stack, service: str) -> None:
    """Let the leases of a service run out now; its only process must be dead."""
    with MongoClient[dict[str, Any]](stack.mongodb_url) as client:
        client[stack.database(service)]["leases"].update_many({}, {"$set": {"until": 0.0}})


@asynccontextmanager
async def supervised(supervisors: Sequence[Supervisor]) -> AsyncIterator[None]:
    """Run the supervisors meanwhile; when one of them fails, the block is cancelled and raises."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one.run()) for one in supervisors]
        yield
        for task in tasks:
            task.cancel()


async def kill_at_random(supervisors: Sequence[Supervisor], seconds: float, seed: int) -> int:
    """Kill one after the other for so long, chosen by `seed`; answers how often."""
    dice = random.Random(seed)
    end = time.monotonic() + seconds
    kills = 0
    while time.monotonic() < end:
        await asyncio.sleep(dice.uniform(0.3, 2.0))
        victim = dice.choice(supervisors)
        if victim.is_running():
            victim.kill()
            kills += 1
    return kills


async def drain(stack: Stack, find_waiting: Callable[[], Awaitable[Mapping[str, int]]]) -> None:
    """Wait until every group's books balance and stay as they are, and nothing else waits.

    Raises:
        AssertionError: that did not happen in time; names the unbalanced books.
    """
    looks, before = 0, None
    deadline = time.monotonic() + DRAIN_TIMEOUT_S
    while looks < SETTLED_LOOKS:
        accounts, unbalanced, waiting = None, [], await asyncio.to_thread(find_absent, stack)
        try:
            accounts = await asyncio.to_thread(stack.audit)
            waiting |= await find_waiting()
        except (KafkaException, PyMongoError, TimeoutError) as error:  # too slow: look again
            waiting[repr(error)] = 1
        else:
            unbalanced = [account for account in accounts if not account.is_balanced]
        settled = accounts == before and not unbalanced and not waiting
        looks, before = (looks + 1 if settled else 0), accounts
        assert time.monotonic() < deadline, (unbalanced, waiting)
        await asyncio.sleep(0.3)


def find_absent(stack: Stack) -> dict[str, int]:
    """Services without a process that is ready, and processes that are not ready (yet)."""
    running = [one for one in list(stack.applications.values()) if one.process.is_running()]
    ready = {one.name for one in running if _is_ready(one)}
    missing = set(stack.services) - {name.partition("-")[0] for name in ready}
    return dict.fromkeys(sorted(missing | {one.name for one in running} - ready), 1)


def _is_ready(application: Application) -> bool:
    try:
        return application.is_ready()
    except OSError:
        return False


def cpu_load() -> float:
    """The machine's load, for the report of a run."""
    return os.getloadavg()[0]
