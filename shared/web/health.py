"""What machines ask a service: does it live, can it work, what are its figures.

/livez answers while the event loop turns. /readyz answers 503 and names what is missing. Both say
no more of a failure than its kind, since they are open to whoever can reach the port.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum

from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.types import Scope, Send

from shared.observe.logs import get_logger
from shared.observe.metrics import DEPENDENCY_UP, Meter
from shared.web.body import Header, send_response

Check = Callable[[], Awaitable[object]]
"""Tells whether a dependency is well: it is not when the check returns False, or a text that says
the kind of what is wrong, or raises."""

CHECK_TIMEOUT_S = 2.0
REMEMBER_S = 1.0
"""However often it is asked, a dependency is looked at once in this time."""
WELL = "ok"
NOT_WELL = "not well"
LIVEZ = "/livez"
PROBES = frozenset({LIVEZ, "/readyz", "/metrics"})


class Phase(StrEnum):
    """Where the process is in its life."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"


class Health:
    """Answers /livez, /readyz and /metrics.

    Args:
        checks: by the dependency's name.
        meter: makes the gauge of what is up.
        dispensable: dependencies without which the service can still do its main work: they are
            named when they are missing, and it stays ready.
    """

    def __init__(
        self,
        checks: Mapping[str, Check],
        meter: Meter,
        dispensable: frozenset[str] = frozenset(),
    ) -> None:
        self.phase = Phase.RUNNING
        self._checks = dict(checks)
        self._dispensable = dispensable
        self._meter = meter
        self._up = meter.gauge(DEPENDENCY_UP)
        for name in self._checks:
            self._up.labels(name).set(0)
        self._log = get_logger(__name__)
        self._lock = asyncio.Lock()
        self._found: dict[str, str] = {}
        self._found_at = float("-inf")

    async def answer(self, scope: Scope, send: Send) -> None:
        """Answer a request whose path is one of PROBES."""
        match scope["path"]:
            case "/livez":
                await _send_json(send, 200, {"status": "alive", "phase": self.phase.value})
            case "/readyz":
                status, told = await self.readiness()
                await _send_json(send, status, told)
            case _:
                content_type = CONTENT_TYPE_LATEST.encode()
                body = generate_latest(self._meter.registry)
                await send_response(send, 200, body, [(b"content-type", content_type)])

    async def readiness(self) -> tuple[int, dict[str, object]]:
        """The status and the body of /readyz."""
        found = await self._look()
        missing = sorted(name for name, state in found.items() if state != WELL)
        ready = self.phase is Phase.RUNNING and self._dispensable.issuperset(missing)
        told: dict[str, object] = {
            "status": "ready" if ready else "not_ready",
            "phase": self.phase.value,
            "missing": missing,
            "dependencies": found,
        }
        return (200 if ready else 503), told

    async def _look(self) -> dict[str, str]:
        async with self._lock:
            if time.monotonic() - self._found_at < REMEMBER_S:
                return self._found
            states = await asyncio.gather(*(self._state(c) for c in self._checks.values()))
            found = dict(zip(self._checks, states, strict=True))
            for name, state in found.items():
                self._up.labels(name).set(state == WELL)
                if state != self._found.get(name, WELL):
                    self._log.warning("health.dependency.changed", dependency=name, state=state)
            self._found, self._found_at = found, time.monotonic()
            return found

    async def _state(self, check: Check) -> str:
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                well = await check()
        except TimeoutError:
            return f"no answer in {CHECK_TIMEOUT_S:g} s"
        except Exception as error:  # noqa: BLE001 - whatever it is, the dependency is not well
            return type(error).__name__
        if isinstance(well, str):
            return well
        return NOT_WELL if well is False else WELL


async def _send_json(send: Send, status: int, told: Mapping[str, object]) -> None:
    headers: list[Header] = [
        (b"content-type", b"application/json"),
        (b"cache-control", b"no-store"),
    ]
    if status == 503:  # noqa: PLR2004 - the HTTP status
        headers.append((b"retry-after", b"1"))
    await send_response(send, status, json.dumps(told).encode(), headers)
