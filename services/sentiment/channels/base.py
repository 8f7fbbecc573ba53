"""What all alert channels share: their configuration, one HTTP call, and what its status means.

A status alone is no acceptance: a proxy's sign-in page is a 200 too, and then nobody was paged. So
each channel reads the platform's own word in the body, and takes everything else for "not there".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict

from services.sentiment.domain.paging.dispatch import Limits
from services.sentiment.domain.paging.pages import MAX_RETRY_AFTER_S, Outcome
from services.sentiment.ports import AlertChannel
from shared.platforms.calls import LOST

SUCCESS = range(200, 300)
REDIRECTS = range(300, 400)
"""None of our platforms redirects a call: it is a proxy's way to its sign-in page."""
SERVER_ERRORS = range(500, 600)
TRY_AGAIN = frozenset({407, 408, 425})
TOO_MANY = 429
MAX_ANSWER_BYTES = 65_536
"""Of an answer; what is longer is none of our platforms'."""


class ChannelConfig(BaseModel):
    """Base of a channel's configuration; each channel adds its own fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


@dataclass(frozen=True, slots=True)
class ChannelKind:
    """A line of the registry."""

    config: type[ChannelConfig]
    make: Callable[[Any, httpx.AsyncClient], AlertChannel]
    """From its configuration and the client of this process."""
    limits: Callable[[Any], Limits]
    """What it takes, from its configuration."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status, and the body if it is a JSON object."""

    status: int
    body: Mapping[str, Any] | None
    retry_after_s: float | None


async def post(
    client: httpx.AsyncClient, url: str, body: Any, *, params: Mapping[str, str] | None = None
) -> Answer | Outcome:
    """Make one call; what went wrong on the way is an outcome, never an exception."""
    try:
        async with client.stream("POST", url, json=body, params=params) as response:
            raw = bytearray()
            async for chunk in response.aiter_bytes():
                raw += chunk
                if len(raw) > MAX_ANSWER_BYTES:
                    raw.clear()
                    break
            return Answer(response.status_code, _json_object(bytes(raw)), _retry_after_s(response))
    except httpx.TimeoutException:
        return Outcome("unavailable", "timeout")
    except LOST as error:
        return Outcome("unavailable", type(error).__name__)
    except (httpx.InvalidURL, httpx.CookieConflict, ValueError) as error:
        return Outcome("refused", type(error).__name__)


def by_status(answer: Answer) -> Outcome | None:
    """What a status other than success means; None for success, of which the body must speak."""
    status = answer.status
    if status in SUCCESS:
        return None
    code = f"http_{status}"
    if status == TOO_MANY:
        return Outcome("throttled", code, answer.retry_after_s)
    if status in SERVER_ERRORS or status in REDIRECTS or status in TRY_AGAIN:
        return Outcome("unavailable", code, answer.retry_after_s)
    return Outcome("refused", code)


def _json_object(raw: bytes) -> Mapping[str, Any] | None:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _retry_after_s(response: httpx.Response) -> float | None:
    """`Retry-After` in seconds, bounded; as a date it is not used by any of our channels."""
    value = response.headers.get("retry-after", "")
    return min(float(value), MAX_RETRY_AFTER_S) if value.isascii() and value.isdigit() else None


def cut_bytes(text: str, limit: int) -> str:
    """The beginning of a text that fits into so many bytes of UTF-8."""
    raw = text.encode("utf-8", "replace")
    if len(raw) <= limit:
        return raw.decode()
    mark = "…"
    return raw[: max(limit - len(mark.encode()), 0)].decode("utf-8", "ignore") + mark
