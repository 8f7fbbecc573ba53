"""What all alert channels share: their configuration, one HTTP call, and what its status means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict

from services.sentiment.domain.paging.pages import Outcome
from services.sentiment.ports import AlertChannel
from shared.platforms.calls import LOST

SUCCESS = range(200, 300)
SERVER_ERRORS = range(500, 600)
TRY_AGAIN = frozenset({408, 425})
TOO_MANY = 429
MAX_ANSWER_BYTES = 65_536


class ChannelConfig(BaseModel):
    """Base of a channel's configuration; each channel adds its own fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


@dataclass(frozen=True, slots=True)
class ChannelKind:
    """A line of the registry."""

    config: type[ChannelConfig]
    make: Callable[[Any, httpx.AsyncClient], AlertChannel]
    """From its configuration and the client of this process."""


async def post(
    client: httpx.AsyncClient, url: str, body: Any, *, params: Mapping[str, str] | None = None
) -> httpx.Response | Outcome:
    """Make one call; what went wrong on the way is an outcome, never an exception."""
    try:
        return await client.post(url, json=body, params=params)
    except httpx.TimeoutException:
        return Outcome("unavailable", "timeout")
    except LOST as error:
        return Outcome("unavailable", type(error).__name__)
    except (httpx.InvalidURL, httpx.CookieConflict, ValueError) as error:
        return Outcome("refused", type(error).__name__)


def by_status(response: httpx.Response) -> Outcome | None:
    """What a status other than success means; None for success."""
    status = response.status_code
    if status in SUCCESS:
        return None
    code = f"http_{status}"
    if status == TOO_MANY:
        return Outcome("throttled", code, retry_after_s(response))
    if status in SERVER_ERRORS or status in TRY_AGAIN:
        return Outcome("unavailable", code, retry_after_s(response))
    return Outcome("refused", code)


def retry_after_s(response: httpx.Response) -> float | None:
    """`Retry-After` in seconds; its form as a date is not used by any of our channels."""
    value = response.headers.get("retry-after", "")
    return float(value) if value.isascii() and value.isdigit() else None


def cut_bytes(text: str, limit: int) -> str:
    """The beginning of a text that fits into so many bytes of UTF-8."""
    raw = text.encode("utf-8", "replace")
    if len(raw) <= limit:
        return raw.decode()
    mark = "…"
    return raw[: max(limit - len(mark.encode()), 0)].decode("utf-8", "ignore") + mark
