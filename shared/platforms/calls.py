"""One HTTP call to a platform, and what its transport alone says about its outcome.

Only a connection that was never made is a definite refusal; everything else that goes wrong on the
way may have happened after the platform acted.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final

import httpx

from shared.platforms.outcomes import Reaction, Reason, Refused, Unknown

DEFAULT_TIMEOUT_S: Final = 10.0
LOST: Final = (httpx.HTTPError, AttributeError)
"""What httpx raises where a connection is lost. AttributeError: on uvloop, where the other side
resets a connection as it is made (httpcore 1.0.9 asks a closed transport for its socket)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON object that the platform answered."""

    status: int
    body: dict[str, Any]
    platform_time: datetime | None


async def call(http: httpx.AsyncClient, request: httpx.Request) -> Answer | Refused | Unknown:
    """Send a request once.

    Returns:
        The answer below 500 that is a JSON object; or why there is none.
    """
    try:
        response = await http.send(request)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
        return Refused(Reason.UNREACHABLE, Reaction.RETRY)
    except httpx.TimeoutException:
        return Unknown(Reason.TIMEOUT)
    except LOST:
        return Unknown(Reason.CONNECTION_LOST)
    platform_time = read_date(response.headers.get("date"))
    if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Unknown(Reason.SERVER_ERROR, response.status_code, platform_time)
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        return Unknown(Reason.UNREADABLE, response.status_code, platform_time)
    return Answer(response.status_code, body, platform_time)


def read_date(header: str | None) -> datetime | None:
    """Return the instant of a `Date` header; None where it is missing or unreadable."""
    if not header:
        return None
    try:
        found = parsedate_to_datetime(header)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def read_code(body: dict[str, Any], name: str) -> int:
    """Return an error code that may be a number or digits; 0 where it is missing."""
    try:
        return int(body.get(name) or 0)
    except (TypeError, ValueError):
        return UNREADABLE_CODE


UNREADABLE_CODE: Final = -99_999
"""Stands for an error code that isn't a number; no table lists it, so the outcome is unknown."""
