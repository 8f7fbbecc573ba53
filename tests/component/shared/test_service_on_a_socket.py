"""The real server on a real socket: slow and greedy clients, the life cycle, the signals."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs

from shared.testing.settings import settings_for_tests, token_for
from shared.web.body import send_response
from shared.web.limits import Limits
from shared.web.service import EXIT_CLEAN, EXIT_FAILED, Hook, Service
from tests.support.served import (
    LOOPS,
    PATIENCE_S,
    SHORT,
    Client,
    Scenario,
    SocketSettings,
    refused,
    serving,
    until,
    within_patience,
)

Run = Callable[[Scenario], None]
on_both_loops = pytest.mark.parametrize("run", sorted(LOOPS), indirect=True)
"""Where there is no uvloop (Windows), asyncio's own loop serves."""


@pytest.fixture
def run(request: pytest.FixtureRequest) -> Run:
    return lambda scenario: within_patience(scenario, getattr(request, "param", "uvloop"))


def test_the_default_limits_cut_a_half_open_connection_within_ten_seconds() -> None:
    limits = Limits()
    assert limits.head_timeout_s + limits.sweep_every_s <= 10
    assert limits.request_timeout_s + limits.sweep_every_s <= 10
    assert limits.keep_alive_s <= 10
    assert limits.head_timeout_s < limits.request_timeout_s


@on_both_loops
def test_a_request_is_answered_and_its_connection_used_again(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as service:
            client = await Client.of(service)
            for size in (3, 0, 60_000):
                client.say(b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % size)
                client.say(b"x" * size)
                assert await client.answer() == (200, b"%d" % size)

    run(scenario)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\r\n",
        b"POST /echo HTT",
        b"POST /echo HTTP/1.1\r\nhost: x\r\nx-slow: ",
        b"GET /echo HTTP/1.1\r\nhost: x\r\n\r\nGET /ec",
    ],
)
def test_a_head_that_does_not_end_is_cut(run: Run, said: bytes) -> None:
    async def scenario() -> None:
        async with serving() as service:
            client = await Client.of(service)
            started = time.monotonic()
            client.say(said)
            heard = await client.everything()
            assert time.monotonic() - started < 5
            assert b" 408 " in heard
            assert refused(service, "head_too_slow") == 1

    run(scenario)


def test_a_client_that_sends_a_byte_now_and_then_is_cut_all_the_same(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as service:
            client = await Client.of(service)
            heard = asyncio.create_task(client.everything())
            started = time.monotonic()
            for byte in b"POST /echo HTTP/1.1\r\nhost: x\r\nx-header: and so on for ever" * 9:
                if heard.done():
                    break
                client.say(bytes([byte]))
                await asyncio.wait({heard}, timeout=0.02)
            # A byte that crosses the end makes the system reset it, and the answer may be lost.
            assert await heard == b"" or b" 408 " in await heard
            assert refused(service, "head_too_slow") == 1
            assert time.monotonic() - started < 5

    run(scenario)


@on_both_loops
def test_a_body_that_does_not_end_is_cut(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as service:
            client = await Client.of(service)
            started = time.monotonic()
            client.say(b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf")
            assert b" 408 " in await client.everything()
            assert time.monotonic() - started < 5
            assert refused(service, "body_too_slow") == 1
            await until(lambda: service.asgi.in_flight == 0)

    run(scenario)


def test_an_idle_connection_ends_after_a_request(run: Run) -> None:
    async def scenario() -> None:
        async with serving(replace(SHORT, keep_alive_s=1)) as service:
            client = await Client.of(service)
            client.say(b"GET /echo HTTP/1.1\r\nhost: x\r\n\r\n")
            assert (await client.answer())[0] == 200
            assert await client.everything() == b""

    run(scenario)


def test_a_connection_refused_by_length_ends_even_if_the_body_never_does(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as service:
            client = await Client.of(service)
            client.say(b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 999999\r\n\r\nhalf")
            assert (await client.answer())[0] == 413
            await client.everything()

    run(scenario)


@on_both_loops
def test_a_client_that_sends_its_large_body_at_once_reads_413(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as service:
            client = await Client.of(service)
            size = 200_000
            client.say(b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % size)
            client.say(b"x" * size)
            assert (await client.answer())[0] == 413
            client.say(b"GET /echo HTTP/1.1\r\nhost: x\r\n\r\n")
            assert (await client.answer())[0] == 200

    run(scenario)


def test_an_endless_body_is_not_read_for_ever(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as service:
            client = await Client.of(service)
            client.say(b"POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
            for _ in range(40):
                client.say(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")
            await client.everything()
            await until(lambda: refused(service, "body_too_large") == 1)

    run(scenario)


@pytest.mark.parametrize(
    "head",
    [
        b"GET /echo HTTP/1.1\r\nhost: x\r\nx-large: " + b"y" * 5000 + b"\r\n\r\n",
        b"GET /echo HTTP/1.1\r\nhost: x\r\nx-large: " + b"y" * 9000,
        b"GET /" + b"p" * 5000 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /echo HTTP/1.1\r\nhost: x\r\n" + b"a: b\r\n" * 100 + b"\r\n",
    ],
)
def test_a_head_that_is_too_large_is_refused(run: Run, head: bytes) -> None:
    async def scenario() -> None:
        async with serving() as service:
            client = await Client.of(service)
            client.say(head)
            assert b" 431 " in await client.everything()
            assert refused(service, "head_too_large") == 1

    run(scenario)


@pytest.mark.parametrize(
    "said",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200,
        b"nonsense\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nhost: x\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"POST /echo HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused_counted_and_not_logged(run: Run, said: bytes) -> None:
    async def scenario() -> None:
        async with serving() as service:
            client = await Client.of(service)
            with capture_logs() as lines:
                client.say(said)
                heard = await client.everything()
            assert heard.startswith(b"HTTP/1.1 4")
            assert refused(service, "bad_http") == 1
            assert lines == []

    run(scenario)


@pytest.mark.parametrize("keep_alive_s", [1, 5])
def test_an_answer_that_nobody_reads_is_given_up(run: Run, keep_alive_s: int) -> None:
    """Also where the keep-alive time is over first: that end would wait for the reader."""

    async def scenario() -> None:
        async with serving(replace(SHORT, keep_alive_s=keep_alive_s)) as service:
            client = await Client.of(service, receive_bytes=4096)
            client.say(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n")
            await until(lambda: refused(service, "answer_unread") == 1)
            await until(lambda: service.asgi.in_flight == 0)
            client.writer.transport.abort()

    run(scenario)


@on_both_loops
def test_a_service_stops_its_parts_in_reverse_after_its_last_request(run: Run) -> None:
    told: list[str] = []
    arrived, gate = asyncio.Event(), asyncio.Event()

    async def slow(_scope: Scope, _receive: Receive, send: Send) -> None:
        arrived.set()
        await gate.wait()
        told.append("request finished")
        await send_response(send, 200, b"done")

    def part(name: str) -> Hook:
        async def start() -> None:
            told.append(f"{name} starts")

        async def stop() -> None:
            told.append(f"{name} stops")

        return Hook(name, start, stop)

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            told.append("work ends")

    async def scenario() -> None:
        service = Service(
            settings_for_tests(SocketSettings),
            raw_routes={"/slow": slow},
            hooks=[part("store"), part("log")],
            tasks={"work": work},
        )
        ended = asyncio.create_task(service.serve())
        await until(lambda: service.port)
        client = await Client.of(service)
        client.say(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n")
        await arrived.wait()
        service.stop()
        await until(lambda: service.health.phase == "stopping")
        gate.set()
        assert await client.answer() == (200, b"done")
        assert await ended == EXIT_CLEAN

    run(scenario)
    assert told == [
        "store starts",
        "log starts",
        "request finished",
        "work ends",
        "log stops",
        "store stops",
    ]


def test_while_a_part_starts_probes_answer_and_routes_say_503(run: Run) -> None:
    gate = asyncio.Event()

    async def scenario() -> None:
        async with serving(hooks=[Hook("log", gate.wait)]) as service:
            client = await Client.of(service)
            client.say(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
            assert (await client.answer())[0] == 200
            client.say(b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n")
            assert (await client.answer())[0] == 503
            client.say(b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\nx")
            assert (await client.answer())[0] == 503
            gate.set()
            await until(lambda: service.health.phase == "running")
            client.say(b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\nx")
            assert (await client.answer())[0] == 200

    run(scenario)


def test_a_part_that_fails_to_start_ends_the_service_and_stops_the_others(run: Run) -> None:
    told: list[str] = []

    async def stop() -> None:
        told.append("store stops")

    async def fails() -> None:
        raise ConnectionRefusedError(111, "refused")

    async def scenario() -> None:
        service = Service(
            settings_for_tests(SocketSettings), hooks=[Hook("store", stop=stop), Hook("log", fails)]
        )
        with capture_logs() as lines:
            assert await service.serve() == EXIT_FAILED
        (line,) = [line for line in lines if line["event"] == "service.start.failed"]
        assert line["part"] == "log"

    run(scenario)
    assert told == ["store stops"]


def test_a_stop_during_the_start_is_orderly(run: Run) -> None:
    async def scenario() -> None:
        service = Service(
            settings_for_tests(SocketSettings), hooks=[Hook("log", asyncio.Event().wait)]
        )
        ended = asyncio.create_task(service.serve())
        await until(lambda: service.port)
        service.stop()
        assert await ended == EXIT_CLEAN

    run(scenario)


async def returns() -> None: ...


async def raises() -> None:
    raise RuntimeError


async def cancels_itself() -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize(
    ("work", "event"),
    [
        (returns, "service.task.ended"),
        (raises, "service.task.failed"),
        (cancels_itself, "service.task.cancelled"),
    ],
)
def test_background_work_that_ends_stops_the_service(
    run: Run, work: Callable[[], Any], event: str
) -> None:
    async def scenario() -> None:
        service = Service(settings_for_tests(SocketSettings), tasks={"poll": work})
        with capture_logs() as lines:
            assert await service.serve() == EXIT_FAILED
        (line,) = [line for line in lines if line["event"] == event]
        assert line["task"] == "poll"

    run(scenario)


def test_a_part_that_does_not_stop_in_time_is_named_and_the_others_stop(run: Run) -> None:
    told: list[str] = []

    async def stops() -> None:
        told.append("store stops")

    async def scenario() -> None:
        service = Service(
            settings_for_tests(SocketSettings, stop_timeout_s=0.05),
            hooks=[Hook("store", stop=stops), Hook("log", stop=asyncio.Event().wait)],
        )
        with capture_logs() as lines:
            service.stop()
            async with service.started():
                pass
        (line,) = [line for line in lines if line["event"] == "service.stop.failed"]
        assert line["part"] == "log"

    run(scenario)
    assert told == ["store stops"]


def test_a_port_that_is_taken_is_a_clear_failure(run: Run) -> None:
    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            service = Service(settings_for_tests(SocketSettings, http_port=port))
            with capture_logs() as lines:
                assert await service.serve() == EXIT_FAILED
        (line,) = [line for line in lines if line["event"] == "service.listen.failed"]
        assert line["address"] == f"127.0.0.1:{port}"

    run(scenario)


PROGRAM = """
import asyncio, sys
from typing import ClassVar
from shared.settings import ServiceSettings, exit_on_bad_settings, load_settings
from shared.web.service import Hook, Service

class Demo(ServiceSettings):
    service: ClassVar[str] = "demo"
    mongodb_database: str = "demo"

async def drain():
    print('{"event": "drained"}', flush=True)

with exit_on_bad_settings():
    settings = load_settings(Demo)
sys.exit(Service(settings, hooks=[Hook("log", stop=drain)]).run())
"""
ENVIRONMENT = {
    "FAN_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "FAN_LOG_EPOCH": "test",
    "FAN_MONGODB_URL": "mongodb://127.0.0.1:1",
    "FAN_STAFF_TOKENS": json.dumps({"viewer": [token_for("viewer")]}),
    "FAN_ACCOUNTS_FILE": "accounts.yaml",
    "FAN_DEMO_HTTP_PORT": "0",
    "PYTHONWARNINGS": "error",
}


@pytest.fixture
def program() -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    begun: list[subprocess.Popen[str]] = []

    def start(**environment: str) -> "subprocess.Popen[str]":
        root = Path(__file__).parents[3]
        inherited = {n: v for n, v in os.environ.items() if not n.startswith("FAN_")}
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            cwd=root,
            env=inherited | ENVIRONMENT | {"PYTHONPATH": str(root)} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        begun.append(process)
        return process

    yield start
    for process in begun:
        if process.poll() is None:
            process.kill()
        process.communicate()


def lines_until(process: "subprocess.Popen[str]", event: str) -> list[dict[str, Any]]:
    assert process.stdout is not None
    lines: list[dict[str, Any]] = []
    for text in process.stdout:
        lines.append(json.loads(text))
        if lines[-1]["event"] == event:
            return lines
    raise AssertionError(f"{event} was never logged: {lines}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_in_order_with_code_0(
    program: Callable[..., "subprocess.Popen[str]"], number: signal.Signals
) -> None:
    process = program()
    lines = lines_until(process, "service.started")
    (listening,) = [line for line in lines if line["event"] == "service.listening"]
    port = int(listening["url"].rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client:
        client.sendall(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 200")
        # An open connection, idle and half-open, must not hold the stop up.
        client.sendall(b"GET /li")
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert err == ""
    events = [json.loads(line)["event"] for line in out.splitlines()]
    assert events == ["service.signal", "service.stopping", "drained", "service.stopped"]


def test_bad_settings_end_the_process_with_code_2_and_no_traceback(
    program: Callable[..., "subprocess.Popen[str]"],
) -> None:
    process = program(FAN_LOG_EPOCH="no spaces please", FAN_STAFF_TOKENS='{"viewer": ["CANARY"]}')
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 2
    assert out == ""
    assert "FAN_LOG_EPOCH: " in err
    assert "Traceback" not in err
    assert "CANARY" not in err
