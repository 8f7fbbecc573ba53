"""What happens to a request: health, refusals, the hot path, then staff and public routes.

Staff and public routes are two lists that never mix: a path under /v1 is looked up, after the
token, among staff routes only, and no other path ever reaches a staff route.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prometheus_client import Counter, Histogram
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.observe import metrics
from shared.observe.logs import bound, get_logger
from shared.observe.traces import Trace
from shared.settings import ServiceSettings
from shared.web.auth import PRINCIPAL, TokenGate, is_staff_path, split_routes
from shared.web.body import (
    CLIENT_GONE_STATUS,
    NOSNIFF,
    ClientGoneError,
    header,
    read_body,
    replay,
    send_error,
)
from shared.web.errors import HttpError, from_starlette, internal_error, unavailable
from shared.web.health import LIVEZ, PROBES, Health, Phase
from shared.web.limits import Limits
from shared.web.refusals import REFUSALS

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNMATCHED = "unmatched"
_SEGMENT = re.compile(r"/[A-Za-z0-9_-]+")
TRACE = "trace"
"""Where `scope["state"]` keeps the request's `Trace`, for routes but not for the hot path."""


@dataclass(slots=True)
class Turnstile:
    """Requests of one kind that are at work: no kind takes another one's places."""

    most: int
    inside: int = 0


class Shell:
    """The ASGI application of one service.

    Args:
        settings: for the staff tokens.
        routes: starlette routes; those under /v1 are `StaffRoute`s.
        raw_routes: the hot path, as raw ASGI applications by first path segment, such as
            `{"/wechat": app}` for /wechat and all below. They read their body themselves.
        health: answers the probes.
        limits: of requests at work, for webhooks, staff, other public routes and probes each.
        meter: makes the shell's metrics.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        *,
        routes: Sequence[BaseRoute],
        raw_routes: Mapping[str, ASGIApp],
        health: Health,
        limits: Limits,
        meter: metrics.Meter,
    ) -> None:
        self._staff, self._public = split_routes(routes)
        for prefix in raw_routes:
            if is_staff_path(prefix) or prefix in PROBES or not _SEGMENT.fullmatch(prefix):
                raise ValueError(f"{prefix}: a raw route is one public segment, such as /wechat")
        self._raw = dict(raw_routes)
        self._gate = TokenGate(settings.staff_tokens)
        self._health = health
        self._log = get_logger(__name__)
        self._webhooks, self._staffs, self._others = (
            Turnstile(limits.max_in_flight) for _ in range(3)
        )
        self._probes = Turnstile(limits.max_probes)
        meter.gauge(metrics.HTTP_IN_FLIGHT).set_function(lambda: self.in_flight)
        self._requests = meter.counter(metrics.HTTP_REQUESTS)
        seconds = meter.histogram(metrics.HTTP_SECONDS)
        self._durations: dict[str, Histogram] = {}
        self._refusals = meter.counter(metrics.HTTP_REFUSED)
        for reason in REFUSALS:
            self._refusals.labels(reason)
        for route in (*self._raw, *(r.path for r in (*self._staff, *self._public)), UNMATCHED):
            self._durations[route] = seconds.labels(route)
        self._counters: dict[tuple[str, str, int], Counter] = {}

    @property
    def in_flight(self) -> int:
        """Requests at work now."""
        return self._webhooks.inside + self._staffs.inside + self._others.inside

    def count_refusal(self, reason: str) -> None:
        """Count what never became a request; `reason` is one of REFUSALS."""
        self._refusals.labels(reason).inc()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await _decline(scope, receive, send)
            return
        path: str = scope["path"]
        if path in PROBES:
            await self._probe(scope, send)
            return
        end = path.find("/", 1)
        prefix = path if end < 0 else path[:end]
        raw = self._raw.get(prefix)
        if raw is not None:
            turnstile = self._webhooks
        else:
            turnstile = self._staffs if is_staff_path(path) else self._others
        if self._health.phase is not Phase.RUNNING:
            await self._turn_away(self._health.phase.value, send)
        elif turnstile.inside >= turnstile.most:
            await self._turn_away("busy", send)
        else:
            turnstile.inside += 1
            try:
                await self._answer(raw, prefix, scope, receive, send)
            finally:
                turnstile.inside -= 1

    async def _probe(self, scope: Scope, send: Send) -> None:
        """Answer a probe; /livez always, since who gets no answer there kills the process."""
        probes = self._probes
        if probes.inside >= probes.most and scope["path"] != LIVEZ:
            await self._turn_away("busy", send)
            return
        probes.inside += 1
        try:
            await self._health.answer(scope, send)
        finally:
            probes.inside -= 1

    async def _turn_away(self, reason: str, send: Send) -> None:
        self.count_refusal(reason)
        await send_error(send, unavailable(reason))

    async def _answer(
        self, raw: ASGIApp | None, route: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        started = time.perf_counter()
        try:
            if raw is not None:
                await raw(scope, receive, watched)
            else:
                route = UNMATCHED
                found = self._find(scope)
                route = found.path
                await self._enter(found, scope, receive, watched)
        except HttpError as error:
            if not status:
                await send_error(watched, error)
        except HTTPException as error:
            if not status:
                await send_error(watched, from_starlette(error))
        except (ClientGoneError, ClientDisconnect):
            status = CLIENT_GONE_STATUS
        except asyncio.CancelledError:
            if not status:  # the service stops and did not get to it
                await send_error(watched, unavailable("stopping"))
            raise
        except Exception as error:
            self._log.error("http.request.failed", route=route, exc_info=error)
            if status:
                raise  # half an answer is out; the server cuts the connection
            await send_error(watched, internal_error())
        finally:
            self._count(scope, route, status, time.perf_counter() - started)

    def _find(self, scope: Scope) -> Route:
        """The route of a request; under /v1 only after its token was accepted."""
        staff = is_staff_path(scope["path"])
        if staff:
            state = scope.setdefault("state", {})
            state[PRINCIPAL] = self._gate.authenticate(scope)
        half_match: Route | None = None
        for route in self._staff if staff else self._public:
            match, found = route.matches(scope)
            if match is Match.FULL:
                scope.update(found)
                return route
            if match is Match.PARTIAL:
                half_match = half_match or route
        if half_match is None:
            raise HttpError(404, "not_found", "There is nothing at this path.")
        allowed = ", ".join(sorted(half_match.methods or ()))
        raise HttpError(405, "method_not_allowed", f"Use {allowed}.", {"Allow": allowed})

    async def _enter(self, route: Route, scope: Scope, receive: Receive, send: Send) -> None:
        traceparent = header(scope, b"traceparent")
        trace = Trace.of(traceparent.decode("latin-1") if traceparent else None)
        state = scope.setdefault("state", {})
        state[TRACE] = trace
        with bound(trace_id=trace.trace_id):
            body = await read_body(scope, receive)
            await route.handle(scope, replay(body, receive), _never_sniffed(send))

    def _count(self, scope: Scope, route: str, status: int, seconds: float) -> None:
        method = scope["method"]
        key = (route, method if method in METHODS else "other", status)
        counter = self._counters.get(key)
        if counter is None:
            counter = self._counters[key] = self._requests.labels(key[0], key[1], str(status))
        counter.inc()
        self._durations[route].observe(seconds)
        caller = scope["state"].get(PRINCIPAL) if "state" in scope else None
        if caller is not None:
            self._log.info(
                "http.staff.request",
                method=key[1],
                route=route,
                status=status,
                caller=caller.name,
                seconds=round(seconds, 4),
            )


def _never_sniffed(send: Send) -> Send:
    """Add `nosniff` to the answer of a route, as `send_response` does to all others."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [h for h in message.get("headers", ()) if h[0].lower() != NOSNIFF[0]]
            message = {**message, "headers": [*headers, NOSNIFF]}
        await send(message)

    return sending


async def _decline(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer what is no HTTP request: the server's life cycle is ours, web sockets are nobody's."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    await send({"type": "websocket.close", "code": 1000})
