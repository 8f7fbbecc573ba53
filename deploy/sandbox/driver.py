"""Drives a running sandbox over its own interface: actions, articles, comments, faults, books.

For the demo and for tests; it speaks to the sandbox only, never to a service.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, Self

import httpx

from deploy.sandbox.actions import Action, Counts
from deploy.sandbox.control_api import NewComment
from deploy.sandbox.faults import FaultOrder

CHUNK = 100  # actions in one request: how fine the progress is
REQUEST_TIMEOUT_S = 900.0
"""A batch ends when its last push is given up, and a patient platform gives up late."""

Progress = Callable[[int, int], None]
"""Told how many of how many actions are done."""

_POLL_S = 0.1


class SandboxDriver:
    """A client of one sandbox, by its base URL; use it as an async context manager."""

    def __init__(self, base_url: str, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._client = httpx.AsyncClient(
            base_url=base_url,
            transport=transport,
            timeout=REQUEST_TIMEOUT_S,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        """Return the driver."""
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def send(self, action: Action) -> Counts:
        """Let one action happen; return when its push is settled."""
        found = await self._post("/_story/send", action.model_dump(mode="json"))
        return Counts.from_json(found["counts"])

    async def send_all(
        self,
        actions: Iterable[Action],
        *,
        concurrency: int = 8,
        on_progress: Progress | None = None,
        chunk: int = CHUNK,
    ) -> Counts:
        """Let many actions happen, each fan's in order; return when all pushes are settled.

        They go in requests of `chunk` actions, one after the other; progress comes after each.
        """
        waiting = list(actions)
        counts = Counts()
        for start in range(0, len(waiting), chunk):
            part = waiting[start : start + chunk]
            found = await self._post(
                "/_story/batch",
                {
                    "actions": [one.model_dump(mode="json") for one in part],
                    "concurrency": concurrency,
                },
            )
            counts.add(Counts.from_json(found["counts"]))
            if on_progress:
                on_progress(start + len(part), len(waiting))
        return counts

    async def publish_article(self, account: str) -> int:
        """Publish an article by hand; return its `msg_data_id`."""
        found = await self._post("/_story/articles", {"account": account})
        msg_data_id: int = found["msg_data_id"]
        return msg_data_id

    async def comment(
        self, account: str, comments: Sequence[NewComment], *, msg_data_id: int = 0, index: int = 0
    ) -> list[int]:
        """Write comments under an article (on Weibo: to the account); return their ids."""
        found = await self._post(
            "/_story/comments",
            {
                "account": account,
                "msg_data_id": msg_data_id,
                "index": index,
                "comments": [one.model_dump(mode="json") for one in comments],
            },
        )
        ids: list[int] = found["ids"]
        return ids

    async def fail(self, *orders: FaultOrder) -> None:
        """Order faults of the platforms' APIs."""
        await self._post("/_control", {"faults": [one.model_dump(mode="json") for one in orders]})

    async def shift_clock(self, offset_s: float) -> None:
        """Set the platforms' clock to real time plus `offset_s` seconds."""
        await self._post("/_control", {"clock_offset_s": offset_s})

    async def revoke_tokens(self) -> None:
        """Make every WeChat access token invalid at once."""
        await self._post("/_control", {"revoke_tokens": True})

    async def reset(self, *, only_faults: bool = False) -> None:
        """Forget everything, or the faults and the clock's offset alone."""
        await self._post("/_control/reset", {"only_faults": only_faults})

    async def books(self, *, entries: bool = True) -> dict[str, Any]:
        """Return what the platforms accepted and refused."""
        answer = await self._client.get("/_books", params={"entries": str(entries).lower()})
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    async def wait_for_books(
        self, enough: Callable[[dict[str, Any]], bool], *, timeout_s: float
    ) -> dict[str, Any]:
        """Return the books as soon as they are `enough`.

        Raises:
            TimeoutError: they were not within `timeout_s` seconds.
        """
        async with asyncio.timeout(timeout_s):
            while not enough(found := await self.books()):  # noqa: ASYNC110 - another process
                await asyncio.sleep(_POLL_S)
        return found

    async def _post(self, path: str, body: Any) -> dict[str, Any]:
        answer = await self._client.post(path, json=body)
        if not answer.is_success:
            raise RuntimeError(f"the sandbox refused {path}: {answer.status_code} {answer.text}")
        found: dict[str, Any] = answer.json()
        return found
