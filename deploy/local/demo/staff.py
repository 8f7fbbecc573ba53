"""What the brand's staff do in the demo: by the staff APIs, and through the link in a page."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any, Self, TypeVar

import httpx

from deploy.local.stack import Stack

POLL_S = 0.2
REQUEST_TIMEOUT_S = 10.0
NOT_FOUND = 404

T = TypeVar("T")


class NotInTimeError(Exception):
    """Something that was waited for did not happen; the message says what."""


class Staff:
    """Campaign managers and on-call staff, each with the token of the role.

    Args:
        stack: the running services.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._http = httpx.AsyncClient(timeout=REQUEST_TIMEOUT_S, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def tags_of(self, fan: str) -> set[str]:
        """The tags of a fan; none if the segmenter does not know the fan."""
        found = await self._get("segmenter", "viewer", f"/v1/fans/{fan}")
        return {tag["tag"] for tag in found["tags"]} if found else set()

    async def fans_by_tag(self) -> dict[str, int]:
        """How many fans hold each tag."""
        found = await self._get("segmenter", "viewer", "/v1/tags")
        return {tag["tag"]: tag["fans"] for tag in found["tags"]} if found else {}

    async def plan(self, campaign: dict[str, Any]) -> str:
        """Post a campaign, and answer its id."""
        answer = await self._http.post(
            self._stack.url("notifier") + "/v1/campaigns",
            json=campaign,
            headers=self._token("campaigns"),
        )
        if not answer.is_success:
            raise RuntimeError(
                f"the notifier refused a campaign: {answer.status_code} {answer.text}"
            )
        return str(answer.json()["id"])

    async def campaign(self, name: str) -> dict[str, Any]:
        """A campaign with its pushes by state (`pushes`) and by reason (`reasons`)."""
        return await self._get("notifier", "campaigns", f"/v1/campaigns/{name}") or {}

    async def incidents(self) -> list[dict[str, Any]]:
        """All incidents, the newest first."""
        found = await self._get("sentiment", "oncall", "/v1/incidents")
        return list(found["incidents"]) if found else []

    async def open_link(self, link: str) -> str:
        """Look at the page behind a link, as a preview would too; answer its text."""
        answer = await self._http.get(link)
        answer.raise_for_status()
        return answer.text

    async def press_acknowledge(self, link: str, who: str) -> None:
        """Press the button on the page behind a link."""
        answer = await self._http.post(link, data={"action": "acknowledge", "who": who})
        if answer.is_error:
            raise RuntimeError(f"the link's page refused: {answer.status_code}")

    def find_link(self, text: str) -> str | None:
        """The link of an incident in the text of a page."""
        found = re.search(re.escape(self._stack.url("sentiment")) + r"/i/[\w.~-]+", text)
        return found.group() if found else None

    async def _get(self, service: str, role: str, path: str) -> dict[str, Any] | None:
        answer = await self._http.get(self._stack.url(service) + path, headers=self._token(role))
        if answer.status_code == NOT_FOUND:
            return None
        answer.raise_for_status()
        body: dict[str, Any] = answer.json()
        return body

    def _token(self, role: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self._stack.brand.staff_tokens[role]}"}


async def until(
    look: Callable[[], Awaitable[T | None]], what: str, timeout_s: float, poll_s: float = POLL_S
) -> T:
    """Look again and again until there is something.

    Args:
        look: answers None, or anything false, for "not yet".
        what: named in the error.
        timeout_s: when to give up.
        poll_s: seconds between two looks.

    Raises:
        NotInTimeError: there never was.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        found = await look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise NotInTimeError(f"{what}: not within {timeout_s:g} s")
        await asyncio.sleep(poll_s)
