"""Raw-ASGI helpers for the hot path: read one bounded body, send one answer."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.types import Message, Receive, Scope, Send

from shared.errors import FanEngagementError
from shared.web.errors import HttpError
from shared.web.limits import BODY_LIMIT_BYTES

Header = tuple[bytes, bytes]
CLIENT_GONE_STATUS = 499
NOSNIFF: Header = (b"x-content-type-options", b"nosniff")
"""No browser may guess that an answer is something else than we say."""


class BodyError(HttpError):
    """The body can't be read; `status` and `code` tell why."""


class BodyTooLargeError(BodyError):
    """413: longer than the limit, by its own announcement or in fact."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, "body_too_large", f"A body may have {limit} bytes.")


class BadContentLengthError(BodyError):
    """400: the header is not a number."""

    def __init__(self) -> None:
        super().__init__(400, "bad_content_length", "Content-Length is not a number.")


class ClientGoneError(FanEngagementError):
    """The client closed the connection; there is nobody to answer."""


async def read_body(scope: Scope, receive: Receive, *, limit: int = BODY_LIMIT_BYTES) -> bytes:
    """The whole body of a request.

    It needs no deadline: a request reaches its route when its body is whole (`protocol`).

    Args:
        scope: the request, for its Content-Length: too much is refused before a byte is read.
        receive: the request's channel.
        limit: bytes that the body may have.

    Raises:
        BodyError: it is too large or wrongly announced; answer with its status.
        ClientGoneError: the client went away.
    """
    _check_announced(scope, limit)
    try:
        return await _gather(receive, limit)
    except BodyTooLargeError:
        raise BodyTooLargeError(limit) from None


async def send_response(
    send: Send,
    status: int,
    body: bytes = b"",
    headers: Iterable[Header] = ((b"content-type", b"text/plain; charset=utf-8"),),
) -> None:
    """Send a whole answer; its length and `nosniff` are added to the headers."""
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [*headers, NOSNIFF, (b"content-length", b"%d" % len(body))],
        }
    )
    await send({"type": "http.response.body", "body": body})


async def send_error(send: Send, error: HttpError) -> None:
    """Send an error as a problem document."""
    await send_response(send, error.status, error.body, error.raw_headers)


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first header of a (lower-case) name."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return None


def replay(body: bytes, receive: Receive) -> Receive:
    """A channel that yields a body which was read already, and then what really comes."""
    pending = [body]

    async def again() -> Message:
        if pending:
            return {"type": "http.request", "body": pending.pop(), "more_body": False}
        return await receive()

    return again


def _check_announced(scope: Scope, limit: int) -> None:
    announced = header(scope, b"content-length")
    if announced is None:
        return
    if not announced.isdigit():
        raise BadContentLengthError
    if int(announced[:20]) > limit:  # cut, since reading a long number costs its square
        raise BodyTooLargeError(limit)


async def _gather(receive: Receive, limit: int) -> bytes:
    message = await receive()
    body: bytes = _chunk(message, limit)
    if not message.get("more_body", False):
        return body
    chunks, size = [body], len(body)
    while message.get("more_body", False):
        message = await receive()
        body = _chunk(message, limit - size)
        chunks.append(body)
        size += len(body)
    return b"".join(chunks)


def _chunk(message: Message, room: int) -> bytes:
    if message["type"] != "http.request":
        raise ClientGoneError
    body: bytes = message.get("body", b"")
    if len(body) > room:
        raise BodyTooLargeError(room)
    return body
