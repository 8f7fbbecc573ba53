"""The HTTP/1.1 edge: uvicorn's protocol, with bounds on slow and greedy clients.

uvicorn bounds idle connections only: one that sends a byte a second holds its socket for ever, and
headers may grow without end. Here every connection has one deadline for what it still owes us; the
service looks at all of them a few times a second, which costs a request no timer of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from shared.observe.logs import get_logger
from shared.web.errors import HttpError, unavailable
from shared.web.limits import Limits

REFUSALS = (
    "too_many_connections", "head_too_slow", "head_too_large", "body_too_slow", "body_too_large",
    "answer_unread", "bad_http", "busy", "starting", "stopping",
)  # fmt: skip
"""The bounded reasons of `fan_http_refused_total`."""

Refused = Callable[[str], None]


class BoundedProtocol(HttpToolsProtocol):
    """One connection. Made by `bounded_protocol`, which fills in the class attributes."""

    limits: Limits
    refused: Refused

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = _QUIET  # a stranger's bad request is counted, not logged
        self.access_log = False
        self._owes_by: float | None = None
        self._unread_since: float | None = None
        self._now = self._began = 0.0
        """When the last packet came, and the first one of the request that is read."""
        self._in_head, self._in_body = True, False
        self._head_bytes = 0
        self._packet_bytes = 0
        self._body_bytes = 0
        self._problem: tuple[str, HttpError] | None = None

    # What the transport tells

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Give the new connection its deadline, unless there are too many."""
        super().connection_made(transport)
        self._owes_by = self.loop.time() + self.limits.head_timeout_s
        if len(self.connections) > self.limits.max_connections:
            self._refuse("too_many_connections", unavailable("too_many_connections"))

    def data_received(self, data: bytes) -> None:
        """Parse, and bound a head that does not end, and what is read of a body nobody wants."""
        if self.transport.is_closing():
            return
        self._now = self.loop.time()
        if self._owes_by is None:
            self._owes_by = self._now + self.limits.head_timeout_s
        size = self._packet_bytes = len(data)
        HttpToolsProtocol.data_received(self, data)
        if self._in_head:
            # A head that is still incomplete; complete ones are measured in on_headers_complete.
            self._head_bytes += size
            if self._head_bytes > self.limits.head_limit_bytes:
                self._refuse("head_too_large", _HEAD_TOO_LARGE)
        elif self._in_body:
            self._body_bytes += size
            if self._body_bytes > self.limits.drained_bytes and not self.transport.is_closing():
                self.refused("body_too_large")
                self.transport.close()

    def pause_writing(self) -> None:
        """The client reads too slowly."""
        super().pause_writing()
        self._unread_since = self.loop.time()

    def resume_writing(self) -> None:
        """The client reads again."""
        super().resume_writing()
        self._unread_since = None

    # What the parser tells

    # On the way of every request: the parent is called by its name, which is faster than `super()`.

    def on_message_begin(self) -> None:
        """A request begins."""
        HttpToolsProtocol.on_message_begin(self)
        self._began = self._now
        if self._owes_by is None:  # it follows another one in the same packet
            self._owes_by = self._began + self.limits.head_timeout_s
        self._in_head = True
        self._head_bytes = self._body_bytes = 0

    def on_headers_complete(self) -> None:
        """Bound the head, then let uvicorn start the request."""
        self._in_head = False
        if self._is_head_too_large():
            self._problem = ("head_too_large", _HEAD_TOO_LARGE)
            raise ValueError  # stops the parser, which then calls send_400_response
        self._in_body = True
        self._owes_by = self._began + self.limits.request_timeout_s
        HttpToolsProtocol.on_headers_complete(self)

    def on_message_complete(self) -> None:
        """The client owes us nothing more."""
        HttpToolsProtocol.on_message_complete(self)
        self._in_body = False
        # Answered before its body ended: uvicorn's own timer was cleared by the body's bytes.
        answered = self.cycle.response_complete
        self._owes_by = self._now + self.limits.keep_alive_s if answered else None

    def send_400_response(self, msg: str) -> None:
        """Refuse what the parser could not read."""
        reason, problem = self._problem or ("bad_http", _BAD_HTTP)
        self._refuse(reason, problem)

    # What the service asks

    def cut_if_late(self, now: float) -> None:
        """End the connection if its client owes us something for too long."""
        if self._unread_since is None and self.transport.is_closing():
            self._unread_since = now  # an orderly end waits for its reader, too long otherwise
        if self._unread_since is not None:
            if now - self._unread_since > self.limits.write_timeout_s:
                self.refused("answer_unread")
                self.transport.abort()
            return
        if self._owes_by is None or now < self._owes_by:
            return
        cycle = self._request_at_work()
        if cycle is not None and not cycle.more_body:
            return  # we owe the client; what it sends beyond waits
        if cycle is not None:
            self.refused("body_too_slow")
            self.transport.abort()
        elif self._in_head:
            self._refuse("head_too_slow", _HEAD_TOO_SLOW)
        else:
            self.transport.close()

    def _is_head_too_large(self) -> bool:
        if len(self.headers) > self.limits.max_headers:
            return True
        if self._head_bytes + self._packet_bytes <= self.limits.head_limit_bytes:
            return False  # the packets that brought it are no larger
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        return size > self.limits.head_limit_bytes

    def _refuse(self, reason: str, problem: HttpError) -> None:
        self.refused(reason)
        if self._request_at_work() is None:  # else its answer would be mixed with ours
            body = problem.body
            head = [STATUS_LINE[problem.status]]
            for name, value in (
                *problem.raw_headers,
                (b"content-length", b"%d" % len(body)),
                (b"connection", b"close"),
            ):
                head += [name, b": ", value, b"\r\n"]
            self.transport.write(b"".join([*head, b"\r\n", body]))
        self.transport.close()

    def _request_at_work(self) -> RequestResponseCycle | None:
        cycle: RequestResponseCycle | None = self.cycle  # None until the first request
        return None if cycle is None or cycle.response_complete else cycle


def bounded_protocol(limits: Limits, refused: Refused) -> type[BoundedProtocol]:
    """The protocol class of one service.

    Args:
        limits: what a client may do.
        refused: called with one of REFUSALS for each connection that is cut.
    """
    attributes = {"limits": limits, "refused": staticmethod(refused)}
    return type("ServiceProtocol", (BoundedProtocol,), attributes)


_HEAD_TOO_LARGE = HttpError(431, "head_too_large", "The headers are too large.")
_HEAD_TOO_SLOW = HttpError(408, "head_too_slow", "The headers came too slowly.")
_BAD_HTTP = HttpError(400, "bad_http", "This is not a valid HTTP/1.1 request.")


class _Quiet:
    """Stands in for uvicorn's logger of one connection: only what the shell missed is an error."""

    level = 100

    def __init__(self) -> None:
        self._log = get_logger(__name__)

    def log(self, *_args: object) -> None:
        """Say nothing."""

    warning = info = log

    def error(self, message: str, *_args: object, exc_info: BaseException | None = None) -> None:
        self._log.error("http.protocol.failed", what=message.strip(), exc_info=exc_info)


_QUIET: Any = _Quiet()
