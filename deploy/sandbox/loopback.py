"""Keeps the sandbox's own interface (`/_…`) for programs of this machine.

It listens on loopback, but a page in a browser reaches that too: by a form, or by a name of its own
that resolves to 127.0.0.1. So a request must name a loopback host, must not come from another
origin, and what changes something must be JSON, which no foreign page can send unasked.
"""

from __future__ import annotations

import re
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

OWN_PREFIX: Final = "/_"
_NAME: Final = r"(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]{1,5})?"
_HOST: Final = re.compile(_NAME, re.IGNORECASE)
_ORIGIN: Final = re.compile(rf"https?://{_NAME}", re.IGNORECASE)
_READS: Final = frozenset({"GET", "HEAD"})
_FORBIDDEN, _UNSUPPORTED = 403, 415


class LoopbackOnly:
    """An ASGI middleware; the platforms' own paths are not its concern."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, as ASGI wants it."""
        refusal = None
        if scope["type"] == "http" and scope["path"].startswith(OWN_PREFIX):
            refusal = _refuse(scope["method"], Headers(scope=scope))
        await (refusal or self._app)(scope, receive, send)


def _refuse(method: str, headers: Headers) -> JSONResponse | None:
    hosts = headers.getlist("host")
    if len(hosts) != 1 or not _HOST.fullmatch(hosts[0]):
        return _answer("reach it by a loopback name, as http://127.0.0.1:PORT", _FORBIDDEN)
    if not all(_ORIGIN.fullmatch(origin) for origin in headers.getlist("origin")):
        return _answer("pages of another origin may not call it", _FORBIDDEN)
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if method not in _READS and kind != "application/json":
        return _answer("send JSON, with content-type: application/json", _UNSUPPORTED)
    return None


def _answer(said: str, status: int) -> JSONResponse:
    return JSONResponse({"error": said}, status)
