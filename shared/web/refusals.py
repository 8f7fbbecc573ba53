"""What the edge answers by itself, before there is a request for a route."""

from __future__ import annotations

from typing import Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from shared.web.body import NOSNIFF
from shared.web.crowd import TOO_MANY, TOO_MANY_CONNECTIONS, TOO_MANY_OF_PEER
from shared.web.errors import HttpError

REFUSALS: Final = (
    TOO_MANY_CONNECTIONS, TOO_MANY, TOO_MANY_OF_PEER, "head_too_slow", "head_too_large",
    "body_too_slow", "body_too_large", "answer_unread", "bad_http", "bad_host",
    "pipelined_too_far", "busy", "starting", "stopping",
)  # fmt: skip
"""The bounded reasons of `fan_http_refused_total`."""

HEAD_TOO_LARGE: Final = HttpError(431, "head_too_large", "The headers are too large.")
HEAD_TOO_SLOW: Final = HttpError(408, "head_too_slow", "The headers came too slowly.")
BODY_TOO_SLOW: Final = HttpError(408, "body_too_slow", "The body came too slowly.")
BAD_HTTP: Final = HttpError(400, "bad_http", "This is not a valid HTTP/1.1 request.")
BAD_HOST: Final = HttpError(400, "bad_host", "A request has one Host header.")
PIPELINED_TOO_FAR: Final = HttpError(400, "pipelined_too_far", "Read answers before you ask more.")


def written(problem: HttpError) -> bytes:
    """The last answer of a connection, as it stands on the wire."""
    body = problem.body
    head = [STATUS_LINE[problem.status]]
    for name, value in (
        *problem.raw_headers,
        NOSNIFF,
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
    ):
        head += [name, b": ", value, b"\r\n"]
    return b"".join([*head, b"\r\n", body])
