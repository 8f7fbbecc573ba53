"""The other side takes a connection and resets it at once, as a process being killed does."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest
import uvloop

from deploy.sandbox.actions import Counts
from deploy.sandbox.delivery import Patience, Push, Request, Verdict, deliver
from services.sentiment.channels.base import post
from services.sentiment.domain.paging.pages import Outcome
from shared.platforms.calls import call
from shared.platforms.outcomes import Refused, Unknown

CALLS = 60
AT_ONCE = 8
RESET = struct.pack("ii", 1, 0)  # SO_LINGER of no seconds: closing resets


@pytest.fixture
def resetting() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ending = threading.Event()

        def reset_all() -> None:
            while not ending.is_set():
                connection, _ = listener.accept()
                with connection:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

        thread = threading.Thread(target=reset_all)
        thread.start()
        port = listener.getsockname()[1]
        yield f"http://127.0.0.1:{port}/"
        ending.set()
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        thread.join()


def test_is_an_outcome_for_platform_calls_pages_and_the_sandbox(resetting: str) -> None:
    async def one_after_the_other(client: httpx.AsyncClient) -> None:
        push = Push("p", [Request(resetting)], lambda _: True, Patience(5, ()))
        for _ in range(CALLS):
            called = await call(client, client.build_request("POST", resetting))
            assert isinstance(called, Refused | Unknown)
            paged = await post(client, resetting, {})
            assert isinstance(paged, Outcome)
            assert paged.result == "unavailable"
            pushed = await deliver(client, push)
            assert pushed.verdict is Verdict.UNANSWERED
            assert isinstance(pushed.counts, Counts)

    async def all_beside_each_other() -> None:
        async with httpx.AsyncClient(trust_env=False) as client:
            await asyncio.gather(*(one_after_the_other(client) for _ in range(AT_ONCE)))

    uvloop.run(all_beside_each_other())
