"""A channel that asks for a rest gets one, and never so long that words stay unsaid for ever."""

from __future__ import annotations

import httpx
import pytest

from services.sentiment.channels.base import Answer, post
from services.sentiment.domain.paging.pages import MAX_RETRY_AFTER_S


@pytest.mark.parametrize(
    ("said", "rest_s"),
    [
        ("30", 30.0),
        ("0", 0.0),
        ("4000000000", MAX_RETRY_AFTER_S),
        ("9" * 400, MAX_RETRY_AFTER_S),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("-1", None),
    ],
)
async def test_a_rest_is_bounded_whatever_a_channel_says(said: str, rest_s: float | None) -> None:
    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(429, headers={"retry-after": said}, json={})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        found = await post(client, "https://pager.example", {})
    assert isinstance(found, Answer)
    assert found.retry_after_s == rest_s
