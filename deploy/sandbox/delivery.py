"""How a push is delivered: patience, re-sends, lost answers, parallel copies and forgeries.

It knows no platform: a `Push` says what to send, and its judge what the answer means.
Source: WeChat "Passive user reply": 5 s without an answer, connection cut, three attempts.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import httpx

from deploy.sandbox.actions import Counts

_REJECTED_FROM, _THROTTLED, _FAILED_FROM = 400, 429, 500
_NO_ANSWER = (httpx.HTTPError, TimeoutError, AttributeError)
"""AttributeError: what httpx lets through on uvloop where a connection is reset as it is made."""


class Verdict(StrEnum):
    """What a platform makes of an answer."""

    ACKNOWLEDGED = "acknowledged"
    REJECTED = "rejected"
    MALFORMED = "malformed"
    UNAVAILABLE = "unavailable"
    UNANSWERED = "unanswered"


@dataclass(frozen=True, slots=True)
class Request:
    """One signed HTTP request, ready to go."""

    url: str
    params: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long an answer is awaited, and the pauses in seconds before each re-send."""

    seconds: float
    pauses: tuple[float, ...]
    retry_on_5xx: bool = True
    honour_retry_after: bool = False


@dataclass(frozen=True, slots=True)
class Push:
    """One push: its requests (one for each attempt, the last repeats) and how to read answers."""

    name: str
    requests: Sequence[Request]
    judge: Callable[[bytes], bool]
    patience: Patience
    copies: int = 1
    lost_answers: int = 0
    forged: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one push."""

    counts: Counts
    verdict: Verdict
    status: int = 0


async def deliver(client: httpx.AsyncClient, push: Push) -> Outcome:
    """Send the push and its copies until one is acknowledged, refused or given up."""
    outcomes = await asyncio.gather(
        *(_attempt_all(client, push, copy=copy) for copy in range(push.copies))
    )
    counts = Counts(pushes=0 if push.forged else 1)
    for outcome in outcomes:
        counts.add(outcome.counts)
    good = [one for one in outcomes if one.verdict is Verdict.ACKNOWLEDGED]
    if not good and not push.forged:
        counts.lost = 1
    best = (good or outcomes)[0]
    return Outcome(counts, best.verdict, best.status)


async def _attempt_all(client: httpx.AsyncClient, push: Push, *, copy: int) -> Outcome:
    counts = Counts()
    verdict, status, retry_after_s = Verdict.UNANSWERED, 0, 0.0
    pauses = () if push.forged else push.patience.pauses
    for attempt in range(len(pauses) + 1):
        if attempt:
            await asyncio.sleep(max(pauses[attempt - 1], retry_after_s))
        request = push.requests[min(attempt, len(push.requests) - 1)]
        verdict, response = await _attempt(client, push, request)
        status = response.status_code if response is not None else 0
        retry_after_s = _retry_after(response) if push.patience.honour_retry_after else 0.0
        counts.retried += bool(attempt)
        _count(counts, push, verdict, copy=copy)
        lost = attempt < push.lost_answers and attempt < len(pauses)
        if not lost and not _resend(verdict, push.patience):
            break
    return Outcome(counts, verdict, status)


def _count(counts: Counts, push: Push, verdict: Verdict, *, copy: int) -> None:
    counts.sent += 1
    counts.duplicated += bool(copy)
    counts.forged += push.forged
    refused = verdict in (Verdict.REJECTED, Verdict.MALFORMED)
    counts.acknowledged += verdict is Verdict.ACKNOWLEDGED
    counts.rejected += refused
    counts.unanswered += verdict in (Verdict.UNAVAILABLE, Verdict.UNANSWERED)
    counts.forged_accepted += push.forged and verdict is Verdict.ACKNOWLEDGED
    counts.genuine_rejected += not push.forged and refused


def _resend(verdict: Verdict, patience: Patience) -> bool:
    if verdict is Verdict.UNAVAILABLE:
        return patience.retry_on_5xx
    return verdict is Verdict.UNANSWERED


def _retry_after(response: httpx.Response | None) -> float:
    asked = response.headers.get("retry-after", "") if response is not None else ""
    return float(asked) if asked.isdecimal() else 0.0


async def _attempt(
    client: httpx.AsyncClient, push: Push, request: Request
) -> tuple[Verdict, httpx.Response | None]:
    response: httpx.Response | None = None
    with contextlib.suppress(*_NO_ANSWER):
        async with asyncio.timeout(push.patience.seconds):
            response = await client.request(
                request.method,
                request.url,
                params=request.params,
                headers=request.headers,
                content=request.body,
            )
    if response is None:
        return Verdict.UNANSWERED, None
    return _read(response, push), response


def _read(response: httpx.Response, push: Push) -> Verdict:
    if response.status_code >= _FAILED_FROM or response.status_code == _THROTTLED:
        return Verdict.UNAVAILABLE
    if response.status_code >= _REJECTED_FROM or not response.is_success:
        return Verdict.REJECTED
    return Verdict.ACKNOWLEDGED if push.judge(response.content) else Verdict.MALFORMED
