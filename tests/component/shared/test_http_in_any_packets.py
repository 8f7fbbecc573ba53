"""Whatever bytes come, in whatever packets: an answer or a refusal, never an exception."""

import asyncio
from collections.abc import Sequence
from typing import Any

import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from shared.web.body import read_body, send_response
from shared.web.crowd import Crowd
from shared.web.limits import Limits
from shared.web.protocol import bounded_protocol
from shared.web.refusals import REFUSALS

LIMITS = Limits(head_limit_bytes=2048, drained_bytes=10_000)
REQUESTS = [
    b"GET /a HTTP/1.1\r\nhost: x\r\n\r\n",
    b"POST /b?c=d HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello",
    b"POST /b HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"HEAD / HTTP/1.0\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
    b"GET / HTTP/1.1\r\nx: " + b"y" * 3000 + b"\r\n\r\n",
]


class RecordingTransport(asyncio.Transport):
    """A client that takes everything and has no socket."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.written = b""
        self.closing = False

    def write(self, data: Any) -> None:
        if not self.closing:
            self.written += bytes(data)

    def close(self) -> None:
        self.closing = True

    abort = close

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    body = await read_body(scope, receive)
    said = f"{scope['method']} {scope['path']} ".encode() + body
    await send_response(send, 200, said)


def exchange(packets: Sequence[bytes]) -> tuple[bytes, list[str]]:
    """What the server writes, and what it refused."""
    refused: list[str] = []

    async def talk() -> bytes:
        state = ServerState()
        config = uvicorn.Config(echo, ws="none", log_config=None, access_log=False)
        protocol = bounded_protocol(LIMITS, refused.append, Crowd.of(LIMITS))(
            config=config, server_state=state, app_state={}
        )
        transport = RecordingTransport()
        protocol.connection_made(transport)
        for packet in packets:
            protocol.data_received(packet)
        while state.tasks and not protocol.cycle.more_body:
            await asyncio.wait(tuple(state.tasks), timeout=1)
        protocol.cut_if_late(asyncio.get_running_loop().time() + 100)
        protocol.connection_lost(None)
        if state.tasks:
            await asyncio.wait(tuple(state.tasks), timeout=1)
        return transport.written

    return asyncio.run(talk()), refused


def test_whole_requests_are_answered_or_refused() -> None:
    answers = [exchange([request]) for request in REQUESTS]
    assert [written.split(b" ", 2)[1] for written, _ in answers] == [b"200"] * 5 + [b"431"]
    assert answers[1][0].endswith(b"\r\n\r\nPOST /b hello")
    assert answers[2][0].endswith(b"\r\n\r\nPOST /b abc")
    assert [refused for _, refused in answers] == [[], [], [], [], [], ["head_too_large"]]


@given(
    request=st.sampled_from(REQUESTS),
    cuts=st.lists(st.integers(1, 200), max_size=6),
)
@settings(deadline=None, max_examples=60)
def test_however_a_request_is_cut_into_packets_the_answer_is_the_same(
    request: bytes, cuts: list[int]
) -> None:
    packets, rest = [], request
    for cut in cuts:
        packets.append(rest[:cut])
        rest = rest[cut:]
    packets.append(rest)
    assert exchange([p for p in packets if p]) == exchange([request])


@given(st.lists(st.binary(min_size=1, max_size=60), max_size=6))
@settings(deadline=None, max_examples=100)
def test_no_bytes_whatsoever_raise(packets: list[bytes]) -> None:
    written, refused = exchange(packets)
    assert set(refused) <= set(REFUSALS)
    assert written == b"" or written.startswith(b"HTTP/1.1 ")


@given(st.sampled_from(REQUESTS), st.binary(min_size=1, max_size=20), st.integers(0, 80))
@settings(deadline=None, max_examples=100)
def test_no_damaged_request_raises(request: bytes, damage: bytes, place: int) -> None:
    written, refused = exchange([request[:place] + damage + request[place + len(damage) :]])
    assert set(refused) <= set(REFUSALS)
    assert written == b"" or written.startswith(b"HTTP/1.1 ")
