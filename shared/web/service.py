"""The life of a service process: start its parts, serve HTTP, notice trouble, stop in order.

HTTP answers from the first moment, so that probes can tell a service that waits for the log from
one that is dead; its routes say 503 with `Retry-After` until every part has started. On SIGTERM or
SIGINT it takes no new requests, finishes those at work, cancels the background tasks, and stops
its parts in the reverse of their start, all within `stop_timeout_s`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from shared.errors import FanEngagementError
from shared.observe.logs import configure_logs, get_logger, log_lost_errors
from shared.observe.metrics import HTTP_UNFINISHED, Meter
from shared.observe.watchdog import Progress, Watchdog
from shared.settings import ServiceSettings, unknown_variables
from shared.web.crowd import Crowd
from shared.web.health import Check, Health, Phase
from shared.web.limits import Limits
from shared.web.open_files import connections_that_fit
from shared.web.server import HttpServer
from shared.web.shell import Shell

EXIT_CLEAN = 0
EXIT_FAILED = 1
EXIT_IMPATIENT = 130
LEAST_STOP_S = 0.5
"""What every part gets to stop, even when earlier ones have used up the time."""
LAST_THREADS_S = 5.0
"""After an orderly stop, how long threads of libraries may keep the process from ending."""


@dataclass(frozen=True, slots=True)
class Hook:
    """A part of the service that starts before the next one and stops after it."""

    name: str
    start: Callable[[], Awaitable[object]] | None = None
    """May wait for a dependency as long as it takes; an error ends the process with code 1."""
    stop: Callable[[], Awaitable[object]] | None = None
    """Called only if `start` was reached, also when it failed half-way."""


class Service:
    """One service: its routes, its parts, its background work.

    Args:
        settings: what it was told; `settings.service` names it.
        routes: starlette routes; those under /v1 are `shared.web.auth.StaffRoute`s.
        raw_routes: the hot path: raw ASGI applications by first path segment ("/wechat").
        readiness: a check for each dependency; /readyz names those that fail.
        dispensable: the dependencies without which it is ready all the same.
        hooks: its parts, in the order of their start.
        tasks: background work by name, begun after the hooks. Each must last as long as the
            service: if one ends or raises, the process logs that and stops with code 1.
        progress: what else the watchdog watches, by name.
        meter: makes the metrics; pass the one that the service's own metrics use.
        limits: of the HTTP edge.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        *,
        routes: Sequence[BaseRoute] = (),
        raw_routes: Mapping[str, ASGIApp] | None = None,
        readiness: Mapping[str, Check] | None = None,
        dispensable: frozenset[str] = frozenset(),
        hooks: Sequence[Hook] = (),
        tasks: Mapping[str, Callable[[], Coroutine[Any, Any, object]]] | None = None,
        progress: Mapping[str, Progress] | None = None,
        meter: Meter | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.name = settings.service
        self.settings = settings
        self.meter = meter or Meter()
        self.health = Health(readiness or {}, self.meter, dispensable)
        self.port: int | None = None
        """Where it listens, once it does."""
        self._limits = limits or Limits.of(settings)
        self._crowd = Crowd.of(self._limits)
        self.meter.gauge(HTTP_UNFINISHED).set_function(lambda: len(self._crowd))
        self._hooks = tuple(hooks)
        self._tasks = dict(tasks or {})
        self._progress = dict(progress or {})
        self._stop = asyncio.Event()
        self._failed = False
        self._stop_by = float("inf")
        self._log = get_logger(__name__)
        self.asgi = Shell(
            settings,
            routes=routes,
            raw_routes=raw_routes or {},
            health=self.health,
            limits=self._limits,
            meter=self.meter,
        )
        """The application itself, for tests with `httpx.ASGITransport`."""

    def run(self) -> int:
        """Serve until a signal comes; returns the process's exit code, 0 after an orderly stop.

        The last thing a process does: threads that libraries left end with it soon after.
        """
        configure_logs(self.settings)
        for name in unknown_variables(type(self.settings)):
            self._log.warning("settings.variable.unknown", variable=name)
        self._crowd.most_connections = connections_that_fit(self._limits.max_connections)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            try:
                code = runner.run(self.serve(handle_signals=True))
            except Exception as error:  # noqa: BLE001 - the last line: told like everything else
                self._log.critical("service.crashed", exc_info=error)
                code = EXIT_FAILED
            end = threading.Timer(LAST_THREADS_S, os._exit, (code,))
            end.daemon = True
            end.start()
        return code

    def stop(self) -> None:
        """Begin an orderly stop, as a signal does."""
        self._stop.set()

    async def serve(self, *, handle_signals: bool = False) -> int:
        """Serve in the running event loop until `stop`; returns the exit code."""
        log_lost_errors(asyncio.get_running_loop())
        self.health.phase = Phase.STARTING
        watchdog = Watchdog(self.settings.watchdog_stuck_s, self.meter, self._progress)
        watchdog.start()
        try:
            with self._signals(wanted=handle_signals):
                await self._serve_http()
        finally:
            watchdog.stop()
        self._log.info("service.stopped", clean=not self._failed)
        return EXIT_FAILED if self._failed else EXIT_CLEAN

    @asynccontextmanager
    async def started(self) -> AsyncIterator[None]:
        """The parts and the background work without HTTP, for tests; routes answer inside."""
        begun: list[Hook] = []
        working: list[asyncio.Task[None]] = []
        try:
            for hook in self._hooks:
                begun.append(hook)
                await self._start_hook(hook)
            for name, work in self._tasks.items():
                working.append(asyncio.create_task(self._supervise(name, work), name=name))
            self.health.phase = Phase.RUNNING
            yield
        finally:
            self.health.phase = Phase.STOPPING
            self._stop_by = asyncio.get_running_loop().time() + self.settings.stop_timeout_s
            await self._end_tasks(working)
            for hook in reversed(begun):
                await self._stop_hook(hook)

    async def _serve_http(self) -> None:
        http = HttpServer(self.asgi, self._limits, self.asgi.count_refusal, self._crowd)
        host, port = self.settings.http_host, self.settings.http_port
        try:
            self.port = await http.start(host, port)
        except OSError as error:
            self._fail("service.listen.failed", error, address=f"{host}:{port}")
            return
        self._log.info("service.listening", url=f"http://{host}:{self.port}")
        watching = asyncio.create_task(self._supervise("http", http.ended), name="http-watch")
        try:
            async with self.started():
                self._log.info("service.started")
                await self._stop.wait()
                self.health.phase = Phase.STOPPING
                self._log.info("service.stopping")
                watching.cancel()
                await http.stop()
        except _StoppedEarlyError:
            self._log.info("service.stopped_early")
        except _StartFailedError:
            self._failed = True
        finally:
            watching.cancel()
            await http.stop()

    async def _start_hook(self, hook: Hook) -> None:
        if hook.start is None:
            return
        starting = asyncio.ensure_future(hook.start())
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            came_up = starting.done()
        finally:
            for task in (starting, stopping):
                task.cancel()
            await asyncio.wait({starting, stopping}, timeout=self.settings.stop_timeout_s)
        if not came_up:
            raise _StoppedEarlyError
        error = asyncio.CancelledError() if starting.cancelled() else starting.exception()
        if error is not None:
            self._log.error("service.start.failed", part=hook.name, exc_info=error)
            raise _StartFailedError(hook.name) from error

    async def _supervise(self, name: str, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        try:
            await work()
        except asyncio.CancelledError:
            if self.health.phase is Phase.STOPPING:
                raise
            self._fail("service.task.cancelled", None, task=name)
        except Exception as error:  # noqa: BLE001 - whatever ended it, the process ends with it
            self._fail("service.task.failed", error, task=name)
        else:
            self._fail("service.task.ended", None, task=name)

    def _fail(self, event: str, error: Exception | None, **told: str) -> None:
        self._failed = True
        self._log.error(event, exc_info=error, **told)
        self._stop.set()

    async def _end_tasks(self, working: Sequence[asyncio.Task[None]]) -> None:
        for task in working:
            task.cancel()
        if not working:
            return
        _, late = await asyncio.wait(working, timeout=self._time_left_s())
        for task in late:
            self._fail("service.task.late", None, task=task.get_name())

    async def _stop_hook(self, hook: Hook) -> None:
        if hook.stop is None:
            return
        try:
            async with asyncio.timeout(self._time_left_s()):
                await hook.stop()
        except Exception as error:  # noqa: BLE001 - the other parts must still stop
            self._fail("service.stop.failed", error, part=hook.name)

    def _time_left_s(self) -> float:
        """A late part must not take the time of those that stop after it."""
        return max(self._stop_by - asyncio.get_running_loop().time(), LEAST_STOP_S)

    @contextmanager
    def _signals(self, *, wanted: bool) -> Iterator[None]:
        if not wanted:
            yield
            return
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._on_signal, number)
        try:
            yield
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)

    def _on_signal(self, number: signal.Signals) -> None:
        self._log.info("service.signal", signal=number.name)
        if self._stop.is_set() and number is signal.SIGINT:
            os._exit(EXIT_IMPATIENT)  # a second Ctrl-C: what is durable is safe without us
        self._stop.set()


class _StoppedEarlyError(FanEngagementError):
    """A stop was asked for before everything had started."""


class _StartFailedError(FanEngagementError):
    """A part did not start; it is logged."""


_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:  # Windows has none
        return asyncio.new_event_loop
    return uvloop.new_event_loop
