"""Is a request's head one that every server reads alike? Only such heads are taken.

The parser refuses folded lines, bare CR and LF, two lengths, a length beside a coding, and more.
What it leaves to us is here. Source: RFC 9112, 3.2 for Host, 6.1 for codings, 6.5 for trailers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from shared.web.errors import HttpError
from shared.web.refusals import BAD_HOST, BAD_HTTP

VERSIONS: Final = frozenset({"1.0", "1.1"})
_HOST: Final = re.compile(rb"[A-Za-z0-9._~%!$&'()*+;=:\[\]-]*")
"""A name or address and a port. A comma, which RFC 3986 allows in names, joins two of them."""


def body_of(
    headers: Sequence[tuple[bytes, bytes]], version: Callable[[], str]
) -> int | HttpError | None:
    """The length of the body that a head announces, None where it comes in chunks.

    Args:
        headers: with names in lower case.
        version: tells which HTTP it is, such as `1.1`; asked only where it matters.

    Returns:
        An error instead where the head may be read in more than one way.
    """
    hosts = announced = 0
    codings: list[bytes] | None = None
    for name, value in headers:
        if name == b"host":
            hosts += 1 if _HOST.fullmatch(value) else 2
        elif name == b"content-length":
            announced = int(value)  # the parser takes digits only, and no more than fit
        elif name == b"transfer-encoding":
            codings = [*(codings or ()), value.strip().lower()]
    if hosts != 1 and (hosts or version() != "1.0"):
        return BAD_HOST
    if codings is None:
        return announced
    # A server of HTTP/1.0 knows no codings, and would take the body for the next request.
    return None if codings == [b"chunked"] and version() == "1.1" else BAD_HTTP


class NoTrailers(list[tuple[bytes, bytes]]):
    """Where the headers go that come behind a body: nowhere, since nobody has judged them."""

    def append(self, _header: tuple[bytes, bytes]) -> None:
        """Drop it."""


NO_TRAILERS: Final = NoTrailers()
