"""Keeps secrets and fans' words out of logs, whatever a call site or a library passes.

Three nets: a value under a key that names a secret or a payload is replaced; a secret inside a
text (a URL's token or password, a bearer header) is masked; of an exception only its type and the
places in our code remain, unless its own words are known to be harmless.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Mapping, MutableMapping
from datetime import date, timedelta
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

from pydantic import SecretBytes, SecretStr

from shared.errors import FanEngagementError

MASK = "***"
MAX_TEXT_CHARACTERS = 2_000
MAX_DEPTH = 4
MAX_FRAMES = 12
MAX_CAUSES = 4

SECRET_WORDS = (
    "authorization", "cookie", "credential", "encodingaeskey", "passphrase", "passwd", "password",
    "private_key", "secret", "session_key", "token",
)  # fmt: skip
"""A key that contains one of these names a secret."""
PAYLOAD_KEYS = frozenset({"body", "comment", "content", "message", "msg", "payload", "text"})
"""A key that is one of these names a fan's or a brand's words, or the bytes they came in."""

_SECRET_KEY = re.compile("|".join(SECRET_WORDS), re.IGNORECASE)
_IN_QUERY = re.compile(
    r"(?i)\b((?:access_|refresh_|component_|jsapi_)?(?:token|ticket)|(?:app|corp)?secret|password"
    r"|signature|msg_signature|sig|key|routing_key|echostr|openid)=[^&\s\"']+"
)
_IN_USERINFO = re.compile(r"(?i)\b([a-z][a-z0-9+.-]{0,20}://)[^/@\s\"']+@")
_IN_PATH = re.compile(r"(/hook/)[^/?\s\"']+")  # where Feishu's robots have their secret
_IN_HEADER = re.compile(r"(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{6,}")


def redact(event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace, in place, what must not be logged. `event` keeps its keys."""
    for key, value in event.items():
        if key in PAYLOAD_KEYS or _SECRET_KEY.search(key):
            event[key] = MASK
        else:
            event[key] = _clean(value, MAX_DEPTH)
    return event


def mask_text(text: str) -> str:
    """Mask secrets inside a text, and cut it where it is too long to be a log's value."""
    if len(text) > MAX_TEXT_CHARACTERS:
        text = text[:MAX_TEXT_CHARACTERS] + "…"
    if not text.isascii():  # half a surrogate pair can't be written
        text = text.encode("utf-8", "backslashreplace").decode()
    if "=" in text:
        text = _IN_QUERY.sub(rf"\1={MASK}", text)
    if "://" in text:
        text = _IN_USERINFO.sub(rf"\1{MASK}@", text)
        text = _IN_PATH.sub(rf"\1{MASK}", text)
    if " " in text:
        text = _IN_HEADER.sub(rf"\1 {MASK}", text)
    return text


def describe(error: BaseException) -> dict[str, Any]:
    """An exception for a log: types, harmless words, and where it happened; innermost first.

    A message may quote what was being processed (pydantic, drivers and parsers do), so it is left
    out unless it is ours or the operating system's.
    """
    causes: list[dict[str, Any]] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen and len(causes) < MAX_CAUSES:
        seen.add(id(current))
        described: dict[str, Any] = {"type": f"{type(current).__module__}.{type(current).__name__}"}
        words = _harmless_words(current)
        if words:
            described["says"] = words
        described["at"] = [
            f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}"
            for frame in traceback.extract_tb(current.__traceback__)[-MAX_FRAMES:]
        ]
        causes.append(described)
        current = current.__cause__ or (
            None if current.__suppress_context__ else current.__context__
        )
    return {"error": causes[0]["type"], "causes": causes}


def _harmless_words(error: BaseException) -> str:
    if isinstance(error, FanEngagementError):
        return mask_text(str(error))
    if isinstance(error, OSError):
        return mask_text(error.strerror or "")
    return ""


def _clean(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, Mapping):
        if depth == 0:
            return "<…>"
        return redact({mask_text(str(key)): _clean(item, depth - 1) for key, item in value.items()})
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_clean(item, depth - 1) for item in value] if depth else "<…>"
    return _clean_leaf(value)


def _clean_leaf(value: Any) -> str:
    match value:
        case str():
            text = value
        case SecretStr() | SecretBytes():
            return MASK
        case bytes() | bytearray() | memoryview():
            return f"<{len(value)} bytes>"
        case BaseException():
            text = f"{type(value).__name__} {_harmless_words(value)}".rstrip()
        case PurePath() | date() | timedelta() | UUID() | Enum():
            text = str(value)
        case _:
            return f"<{type(value).__name__}>"  # its repr may quote anything, an event's text too
    return mask_text(text)
