"""One HTTP call to a platform, and what its transport alone says about its outcome.

Only a connection that was never made is a definite refusal; everything else that goes wrong on the
way may have happened after the platform acted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final

import httpx

from shared.platforms import lenient
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

    @property
    def is_success(self) -> bool:
        """Whether its HTTP status says that the call had its effect.

        A firewall or proxy on the way answers JSON too, and with a status of its own.
        """
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    def code(self, *names: str) -> int | None:
        """Return the error code under the first of `names` that is there; None where none is.

        0 is said, never assumed: an answer without a code isn't the platform's usual success.
        """
        return next((read_code(self.body[name]) for name in names if name in self.body), None)

    def unreadable(self) -> Unknown:
        """Return what an answer means that isn't what the call returns."""
        return Unknown(Reason.UNREADABLE, self.status, self.platform_time)


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
        body = lenient.loads(response.content)
    except ValueError:
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
    except (ValueError, OverflowError, IndexError, TypeError):  # what it raises on odd dates
        return None
    return found if found.tzinfo is not None else None


def read_code(found: object) -> int:
    """Return an error code that is a number or digits; `UNREADABLE_CODE` for anything else."""
    if isinstance(found, int) and not isinstance(found, bool):
        return found
    if isinstance(found, str) and _CODE.fullmatch(found):
        return int(found)
    return UNREADABLE_CODE


def read_id(found: object) -> str:
    """Return an id that is a number or text; empty for anything else."""
    return str(found) if isinstance(found, int | str) and not isinstance(found, bool) else ""


_CODE: Final = re.compile(r"-?[0-9]{1,9}")
UNREADABLE_CODE: Final = -99_999
"""Stands for an error code that isn't a number; no table lists it, so the outcome is unknown."""
