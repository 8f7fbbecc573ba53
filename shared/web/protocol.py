"""The HTTP/1.1 edge: uvicorn's protocol, with bounds on slow, greedy and devious clients.

uvicorn starts a request with its head and bounds idle connections only: one that sends a byte a
second is at work for ever. Here a request reaches the application when its body is whole; until
then it is counted in the `crowd`, and has one deadline for what it still owes us. The service looks
at all connections now and then, which costs a request no timer of its own.

Nothing is read as a request that another server could read otherwise: exactly one Host, no coding
but `chunked`, no trailers, nothing behind a request that asks for another protocol.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from shared.web.crowd import TOO_MANY_CONNECTIONS, Crowd, peer_namer
from shared.web.errors import HttpError, unavailable
from shared.web.heads import NO_TRAILERS, VERSIONS, body_of
from shared.web.limits import BODY_LIMIT_BYTES, Limits
from shared.web.quiet import QUIET
from shared.web.refusals import (
    BAD_HTTP,
    BODY_TOO_SLOW,
    HEAD_TOO_LARGE,
    HEAD_TOO_SLOW,
    PIPELINED_TOO_FAR,
    written,
)


class BoundedProtocol(HttpToolsProtocol):
    """One connection. Made by `bounded_protocol`, which fills in the class attributes."""

    limits: Limits
    crowd: Crowd
    refused: Callable[[str], None]
    name_peer: Callable[[str], str | None]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = QUIET  # a stranger's bad request is counted, not logged
        self.access_log = False
        self.peer: str | None = None
        self._owes_by = 0.0
        """By when the client must have done what is next: unless we owe it an answer."""
        self._unread_since: float | None = None
        self._now = self._began = 0.0
        """When the last packet came, and the first one of the request that is read."""
        self._in_head, self._in_body = True, False
        self._is_in_crowd = self._is_deaf = False
        self._held: tuple[RequestResponseCycle, Any] | None = None
        """A request that has its turn and waits for the end of its body."""
        self._working: RequestResponseCycle | None = None
        self._announced_bytes = self._head_bytes = self._packet_bytes = self._body_bytes = 0
        self._problem: HttpError | None = None

    # What the transport tells

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Give the new connection its deadline and its place, unless there are too many."""
        super().connection_made(transport)
        self._now = self._began = self.loop.time()
        self._owes_by = self._now + self.limits.head_timeout_s
        self.peer = self.name_peer(self.client[0]) if self.client else None
        if self.crowd.make_room(cast("set[BoundedProtocol]", self.connections), self):
            self._join_or_leave()
        else:
            self._refuse(unavailable(TOO_MANY_CONNECTIONS))

    def connection_lost(self, exc: Exception | None) -> None:
        """Free its place."""
        self._is_in_crowd = False
        self.crowd.forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, and bound a head that does not end, and what is read of a body nobody wants."""
        if self._is_deaf or self.transport.is_closing():
            return
        self._now = self.loop.time()
        size = self._packet_bytes = len(data)
        HttpToolsProtocol.data_received(self, data)
        if self._in_head:
            # A head that is still incomplete; complete ones are measured in on_headers_complete.
            self._head_bytes += size
            if self._head_bytes > self.limits.head_limit_bytes:
                self._refuse(HEAD_TOO_LARGE)
        elif self._in_body:
            self._read_on(size)
        if (self._in_head or self._in_body) is not self._is_in_crowd:
            self._join_or_leave()

    def pause_writing(self) -> None:
        """The client reads too slowly."""
        super().pause_writing()
        self._unread_since = self.loop.time()

    def resume_writing(self) -> None:
        """The client reads again."""
        super().resume_writing()
        self._unread_since = None

    # What the parser tells. The parent is called by its name, which is faster than `super()`.

    def on_message_begin(self) -> None:
        """A request begins."""
        HttpToolsProtocol.on_message_begin(self)
        self._began = self._now
        self._owes_by = self._began + self.limits.head_timeout_s
        self._in_head = True
        self._head_bytes = self._body_bytes = 0

    def on_headers_complete(self) -> None:
        """Bound and judge the head, then let uvicorn make the request."""
        self._in_head = False
        self._problem = self._problem_of_head()
        if self._problem is not None:
            raise ValueError  # stops the parser, which then calls send_400_response
        self._in_body = True
        self._owes_by = self._began + self.limits.request_timeout_s
        HttpToolsProtocol.on_headers_complete(self)
        if self.scope["http_version"] not in VERSIONS:
            raise ValueError
        self.headers = NO_TRAILERS  # else they would stand among the headers that we judged

    def on_message_complete(self) -> None:
        """The request is whole: now it is work."""
        HttpToolsProtocol.on_message_complete(self)
        self._in_body = False
        if self._held is not None:
            self._start_held()
        elif self.cycle.response_complete:  # answered before its body ended
            self._owes_by = self._now + self.limits.keep_alive_s

    def send_400_response(self, msg: str) -> None:
        """Refuse what the parser could not read; what was asked before it is answered."""
        problem = self._problem or BAD_HTTP
        if not self._is_at_work():
            self._refuse(problem)
            return
        self.refused(problem.code)
        if self.pipeline and self.pipeline[0][0].more_body:
            self.pipeline.popleft()  # the newest: it won't be whole
        self._in_head = self._in_body = False
        self._listen_no_more()

    # What uvicorn asks of itself

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """A request has its turn; it waits for its body unless that is refused by its length."""
        self._held = (cycle, app)
        if not cycle.more_body or self._announced_bytes > BODY_LIMIT_BYTES:
            self._start_held()
        elif cycle.waiting_for_100_continue:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            cycle.waiting_for_100_continue = False

    def _should_upgrade(self) -> bool:
        return False  # we speak one protocol

    def _unsupported_upgrade_warning(self) -> None:
        """What follows is for a protocol that nobody speaks here: it must not become a request."""
        self._listen_no_more()

    def on_response_complete(self) -> None:
        """Go on with the next request, or wait for one; no timer, unlike uvicorn's own."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif not (self._in_head or self._in_body):
            self._owes_by = self.loop.time() + self.limits.keep_alive_s

    def shutdown(self) -> None:
        """The service stops: a request that is not whole is none at work."""
        if self._held is None:
            super().shutdown()
        else:
            self._refuse(unavailable("stopping"))

    # What the service and the crowd ask

    @property
    def waits_since(self) -> float | None:
        """Since when it waits for its client; None while we owe an answer, and at its end."""
        if self._is_at_work() or self.transport.is_closing():
            return None
        return self._began if self._in_head or self._in_body else self._now

    def give_way(self, reason: str) -> None:
        """End for the sake of others."""
        if self._is_in_crowd:
            self._refuse(unavailable(reason))
        else:
            self.refused(reason)
            self.transport.close()  # it asked nothing, so there is nothing to answer

    def cut_if_late(self, now: float) -> None:
        """End the connection if its client owes us something for too long."""
        if self._unread_since is None and self.transport.is_closing():
            self._unread_since = now  # an orderly end waits for its reader, too long otherwise
        if self._unread_since is not None:
            if now - self._unread_since > self.limits.write_timeout_s:
                self.refused("answer_unread")
                self.transport.abort()
        elif now >= self._owes_by and not self._is_at_work():
            if self._in_head or self._held is not None:
                self._refuse(HEAD_TOO_SLOW if self._in_head else BODY_TOO_SLOW)
            else:
                self.transport.close()

    def _problem_of_head(self) -> HttpError | None:
        if self._is_head_too_large():
            return HEAD_TOO_LARGE
        body = body_of(self.headers, self.parser.get_http_version)
        if isinstance(body, HttpError):
            return body
        self._announced_bytes = body or 0
        if body != 0 and self.parser.should_upgrade():
            return BAD_HTTP  # the parser would keep the body from us
        if len(self.pipeline) >= self.limits.max_pipelined:
            return PIPELINED_TOO_FAR
        return None

    def _is_head_too_large(self) -> bool:
        if len(self.headers) > self.limits.max_headers:
            return True
        if self._head_bytes + self._packet_bytes <= self.limits.head_limit_bytes:
            return False  # the packets that brought it are no larger
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        return size > self.limits.head_limit_bytes

    def _read_on(self, size: int) -> None:
        self._body_bytes += size
        if self._held is not None and len(self._held[0].body) > BODY_LIMIT_BYTES:
            self._start_held()  # only to be refused
        if self._body_bytes > self.limits.drained_bytes and not self.transport.is_closing():
            self.refused("body_too_large")
            self.transport.close()

    def _start_held(self) -> None:
        if self._held is not None:
            (self._working, app), self._held = self._held, None
            super()._start_asgi_task(self._working, app)

    def _is_at_work(self) -> bool:
        return self._working is not None and not self._working.response_complete

    def _listen_no_more(self) -> None:
        """Answer what was asked, and end."""
        self._is_deaf = True
        last = self.pipeline[0][0] if self.pipeline else self._working
        if last is None or last.response_complete:
            self.transport.close()
        else:
            last.keep_alive = False

    def _join_or_leave(self) -> None:
        if self._is_in_crowd:
            self._leave_crowd()
        elif not self.transport.is_closing():
            self._is_in_crowd = True
            self.crowd.enter(self)

    def _leave_crowd(self) -> None:
        if self._is_in_crowd:
            self._is_in_crowd = False
            self.crowd.leave(self)

    def _refuse(self, problem: HttpError) -> None:
        self.refused(problem.code)
        self._leave_crowd()
        if not self._is_at_work():  # else its answer would be mixed with ours
            self.transport.write(written(problem))
        self.transport.close()


def bounded_protocol(
    limits: Limits, refused: Callable[[str], None], crowd: Crowd
) -> type[BoundedProtocol]:
    """The protocol class of one service.

    Args:
        limits: what a client may do.
        refused: called with one of REFUSALS for each connection that is cut.
        crowd: of all its connections.
    """
    attributes = {
        "limits": limits,
        "crowd": crowd,
        "refused": staticmethod(refused),
        "name_peer": staticmethod(peer_namer(limits.trusted_proxies)),
    }
    return type("ServiceProtocol", (BoundedProtocol,), attributes)
