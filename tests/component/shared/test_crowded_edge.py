"""Waiting is not working: hoarders of half requests and of connections take nobody's place."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network

import pytest
from starlette.types import Receive, Scope, Send

from shared.web.body import send_response
from shared.web.crowd import Crowd, peer_namer
from shared.web.limits import BODY_LIMIT_BYTES, Limits
from shared.web.service import Service
from tests.support.served import PATIENT, Client, refused, serving, until, within_patience

HALF_HEAD = b"POST /echo HTTP/1.1\r\nhost: x\r\nx-slow: "
HALF_BODY = b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nhalf"
NO_BODY = b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n"
WHOLE = b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc"


def unfinished(service: Service) -> float | None:
    return service.meter.registry.get_sample_value("fan_http_unfinished_requests")


async def hoard(service: Service, said: bytes, count: int, address: str) -> list[Client]:
    clients = []
    for _ in range(count):
        clients.append(await Client.of(service, address=address))
        clients[-1].say(said)
    return clients


@pytest.mark.parametrize("said", [HALF_HEAD, HALF_BODY, NO_BODY, b""])
def test_half_requests_take_no_place_of_those_at_work(said: bytes) -> None:
    async def scenario() -> None:
        async with serving(replace(PATIENT, max_in_flight=2)) as service:
            await hoard(service, said, 5, "127.0.0.1")
            await until(lambda: unfinished(service) == 5)
            assert service.asgi.in_flight == 0
            client = await Client.of(service)
            client.say(WHOLE)
            assert await client.answer() == (200, b"3")

    within_patience(scenario)


def test_a_request_is_at_work_from_the_moment_at_which_it_is_whole() -> None:
    gate = asyncio.Event()

    async def waits(_scope: Scope, _receive: Receive, send: Send) -> None:
        await gate.wait()
        await send_response(send, 200)

    async def scenario() -> None:
        async with serving(PATIENT, raw_routes={"/echo": waits}) as service:
            client = await Client.of(service)
            client.say(HALF_BODY)
            await until(lambda: unfinished(service) == 1)
            assert service.asgi.in_flight == 0
            client.say(b"wholy")
            await until(lambda: service.asgi.in_flight == 1)
            assert unfinished(service) == 0
            gate.set()
            assert (await client.answer())[0] == 200

    within_patience(scenario)


@pytest.mark.parametrize("said", [HALF_HEAD, HALF_BODY])
def test_of_one_peers_half_requests_the_oldest_goes_first(said: bytes) -> None:
    async def scenario() -> None:
        async with serving(replace(PATIENT, max_unfinished_per_peer=3)) as service:
            other = await Client.of(service, address="127.0.0.2")
            other.say(HALF_BODY)
            await until(lambda: unfinished(service) == 1)
            clients = await hoard(service, said, 3, "127.0.0.1")
            await until(lambda: unfinished(service) == 4)
            (newest,) = await hoard(service, HALF_BODY, 1, "127.0.0.1")
            assert b" 503 " in await clients[0].everything()
            assert refused(service, "too_many_unfinished_of_peer") == 1
            for client in (other, newest):  # the older peer is not concerned
                client.say(b"wholy")
                assert await client.answer() == (200, b"9")

    within_patience(scenario)


def test_of_all_half_requests_the_oldest_goes_first() -> None:
    async def scenario() -> None:
        async with serving(replace(PATIENT, max_unfinished=3)) as service:
            clients = [
                (await hoard(service, HALF_HEAD, 1, f"127.0.0.{number}"))[0]
                for number in range(1, 5)
            ]
            heard = await clients[0].everything()
            assert b" 503 " in heard
            assert b"retry-after: 1" in heard
            assert refused(service, "too_many_unfinished") == 1
            assert unfinished(service) == 3

    within_patience(scenario)


def test_a_trusted_proxy_may_have_as_many_as_it_likes() -> None:
    async def scenario() -> None:
        limits = replace(
            PATIENT, max_unfinished_per_peer=1, trusted_proxies=(ip_network("127.0.0.2/32"),)
        )
        async with serving(limits) as service:
            await hoard(service, HALF_BODY, 4, "127.0.0.2")
            await until(lambda: unfinished(service) == 4)
            assert refused(service, "too_many_unfinished_of_peer") == 0

    within_patience(scenario)


@pytest.mark.parametrize("said", [HALF_HEAD, HALF_BODY, WHOLE])
def test_where_all_connections_are_taken_the_one_that_waits_longest_gives_way(
    said: bytes,
) -> None:
    async def scenario() -> None:
        async with serving(replace(PATIENT, max_connections=4)) as service:
            kept = await hoard(service, said, 4, "127.0.0.1")
            await until(lambda: unfinished(service) == (0 if said == WHOLE else 4))
            if said == WHOLE:
                for client in kept:
                    await client.answer()
            client = await Client.of(service)
            client.say(WHOLE)
            assert await client.answer() == (200, b"3")
            await kept[0].everything()  # ends
            assert refused(service, "too_many_connections") == 1

    within_patience(scenario)


def test_where_all_connections_are_at_work_one_more_is_told_so() -> None:
    gate = asyncio.Event()

    async def waits(_scope: Scope, _receive: Receive, send: Send) -> None:
        await gate.wait()
        await send_response(send, 200)

    async def scenario() -> None:
        async with serving(Limits(max_connections=2), raw_routes={"/echo": waits}) as service:
            kept = await hoard(service, WHOLE, 2, "127.0.0.1")
            await until(lambda: service.asgi.in_flight == 2)
            heard = await (await Client.of(service)).everything()
            assert b" 503 " in heard
            assert b"retry-after: 1" in heard
            gate.set()
            for client in kept:
                assert (await client.answer())[0] == 200
            assert refused(service, "too_many_connections") == 1

    within_patience(scenario)


def test_a_service_that_stops_does_not_wait_for_half_requests() -> None:
    async def scenario() -> None:
        async with serving(PATIENT) as service:
            (client,) = await hoard(service, HALF_BODY, 1, "127.0.0.1")
            await until(lambda: unfinished(service) == 1)
            service.stop()
            heard = await client.everything()
            assert b" 503 " in heard
            assert b'"stopping"' in heard

    within_patience(scenario)


def test_a_client_that_asks_before_it_sends_its_body_is_told_to_go_on() -> None:
    async def scenario() -> None:
        async with serving(PATIENT) as service:
            client = await Client.of(service)
            client.say(NO_BODY.replace(b"\r\n\r\n", b"\r\nexpect: 100-continue\r\n\r\n"))
            assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            client.say(b"123456789")
            assert await client.answer() == (200, b"9")

    within_patience(scenario)


def test_a_client_that_asks_with_too_large_a_body_is_refused_before_it_sends_it() -> None:
    async def scenario() -> None:
        async with serving(PATIENT) as service:
            client = await Client.of(service)
            client.say(
                b"POST /echo HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n"
                b"content-length: %d\r\n\r\n" % (BODY_LIMIT_BYTES + 1)
            )
            assert (await client.answer())[0] == 413

    within_patience(scenario)


def test_a_body_without_a_length_is_held_up_to_its_bound_and_then_refused() -> None:
    async def scenario() -> None:
        async with serving(PATIENT) as service:
            client = await Client.of(service)
            client.say(b"POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
            for _ in range(9):
                client.say(b"2000\r\n" + b"x" * 0x2000 + b"\r\n")
            assert (await client.answer())[0] == 413

    within_patience(scenario)


class Fake:
    def __init__(self, name: str, peer: str | None, since: float) -> None:
        self.name, self.peer = name, peer
        self.waits_since: float | None = since
        self.told: list[str] = []

    def give_way(self, reason: str) -> None:
        self.told.append(reason)
        self.waits_since = None


def fakes(count: int) -> Iterator[Fake]:
    return (Fake(str(number), "p", float(number)) for number in range(count))


def test_several_make_room_at_once_and_their_places_count_before_they_are_gone() -> None:
    crowd = Crowd(999, 999, most_connections=128)
    old = list(fakes(128))
    newcomers = [Fake("new", "p", 500.0) for _ in range(3)]
    everyone = list(old)
    for newcomer in newcomers[:2]:
        everyone.append(newcomer)
        assert crowd.make_room(everyone, newcomer)
    assert [one.name for one in old if one.told] == ["0", "1"]
    everyone.append(newcomers[2])
    assert crowd.make_room(everyone, newcomers[2])
    assert [one.name for one in old if one.told] == ["0", "1", "2", "3"]


def test_who_has_left_leaves_nothing_behind() -> None:
    crowd = Crowd(9, 9, 9)
    one = Fake("a", "p", 0.0)
    crowd.enter(one)
    crowd.forget(one)
    crowd.leave(one)
    assert len(crowd) == 0


def test_a_peer_is_an_address_and_in_ipv6_a_whole_network() -> None:
    name = peer_namer([ip_network("10.0.0.0/8"), ip_network("fd00::/8")])
    assert name("192.0.2.1") == name("::ffff:192.0.2.1") == "192.0.2.1"
    assert name("2001:db8:0:1::1") == name("2001:db8:0:1:ffff::9%eth0")
    assert name("2001:db8:0:1::1") != name("2001:db8:0:2::1")
    assert name("10.1.2.3") is name("::ffff:10.1.2.3") is name("fd00::1") is None
    assert name("no address") == "no address"
