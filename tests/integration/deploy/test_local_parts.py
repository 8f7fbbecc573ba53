"""The parts themselves: they start, answer, keep what they promise to keep, and stop."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import TopicPartition
from pymongo import MongoClient
from pymongo.write_concern import WriteConcern

from deploy.local.parts.embedded_log import EmbeddedLog
from deploy.local.parts.kafka import KafkaCluster
from deploy.local.parts.ports import is_listening
from deploy.local.parts.store import CompiledStore, EmbeddedStore
from tests.support.parts import Kind, start_or_skip, wait_for_leader
from tests.support.tcp_proxy import TcpProxy

TIMEOUT_S = 60.0


async def send(servers: str, topic: str, values: list[bytes]) -> None:
    # Not idempotent: such a producer never expires a batch, and its `stop` may hang.
    async with (
        asyncio.timeout(TIMEOUT_S),
        AIOKafkaProducer(bootstrap_servers=servers, acks="all") as producer,
    ):
        for value in values:
            await producer.send_and_wait(topic, value, partition=0)


async def read(servers: str, topic: str, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer(bootstrap_servers=servers, auto_offset_reset="earliest")
    async with asyncio.timeout(TIMEOUT_S), consumer:
        consumer.assign([TopicPartition(topic, 0)])
        return [(await consumer.getone()).value for _ in range(count)]


async def test_the_log_gives_back_in_order_what_it_acknowledged(
    log: str, topic_prefix: str
) -> None:
    topic = f"{topic_prefix}numbers"
    values = [str(number).encode() for number in range(100)]
    await send(log, topic, values)
    assert await read(log, topic, len(values)) == values


def test_the_store_is_a_replica_set_that_takes_majority_writes(store: str, database: str) -> None:
    with MongoClient[dict[str, object]](store) as client:
        concern = WriteConcern(w="majority", j=True)
        fans = client.get_database(database, write_concern=concern).get_collection("fans")
        fans.insert_one({"_id": "a", "version": 1})
        changed = fans.update_one({"_id": "a", "version": 1}, {"$set": {"version": 2}})
        again = fans.update_one({"_id": "a", "version": 1}, {"$set": {"version": 2}})
        assert (changed.modified_count, again.modified_count) == (1, 0)
        assert client.admin.command("hello")["setName"]


def test_an_embedded_log_stops_and_leaves_nothing_listening(tmp_path: Path) -> None:
    part = EmbeddedLog(tmp_path)
    port = int(part.start().rpartition(":")[2])
    assert is_listening(port)
    part.stop()
    assert not part.process.is_running()
    assert not is_listening(port)


def test_acknowledged_writes_survive_the_death_of_the_store(
    parts_kind: Kind, tmp_path: Path
) -> None:
    part = (CompiledStore if parts_kind == "real" else EmbeddedStore)(
        tmp_path / "data", tmp_path / "logs"
    )
    url = start_or_skip(part)
    try:
        with MongoClient[dict[str, object]](url) as client:
            concern = WriteConcern(w="majority", j=True)
            fans = client.get_database("fans", write_concern=concern).get_collection("fans")
            for number in range(50):
                fans.insert_one({"_id": number})
            part.process.kill()
        assert part.start() == url
        with MongoClient[dict[str, object]](url) as client:
            assert client["fans"]["fans"].count_documents({}) == 50
    finally:
        part.stop()


@pytest.mark.real
async def test_a_killed_kafka_node_comes_back_with_what_it_acknowledged(
    own_kafka: KafkaCluster,
) -> None:
    await send(own_kafka.bootstrap_servers, "numbers", [b"1", b"2"])
    own_kafka.nodes[0].kill()
    assert own_kafka.start() == own_kafka.bootstrap_servers
    assert await read(own_kafka.bootstrap_servers, "numbers", 2) == [b"1", b"2"]


@pytest.mark.real
@pytest.mark.slow
async def test_three_kafka_nodes_lose_nothing_when_the_leader_is_killed(
    three_kafkas: KafkaCluster,
) -> None:
    servers = three_kafkas.bootstrap_servers
    await send(servers, "numbers", [b"1", b"2"])
    leader = await wait_for_leader(three_kafkas, "numbers")
    leader.kill()
    await send(servers, "numbers", [b"3"])
    assert await read(servers, "numbers", 3) == [b"1", b"2", b"3"]
    three_kafkas.start()


@pytest.mark.real
async def test_clients_reach_a_kafka_through_the_address_it_advertises(
    parts_kind: Kind, tmp_path: Path
) -> None:
    assert parts_kind == "real"
    async with TcpProxy(0) as proxy:  # listens first: its port can't be drawn for a node

        def advertise(port: int) -> int:
            proxy.target_port = port
            return proxy.port

        cluster = KafkaCluster(1, tmp_path / "kafka", tmp_path / "logs", advertise=advertise)
        assert cluster.bootstrap_servers == ""
        try:
            servers = await asyncio.to_thread(start_or_skip, cluster)
            await send(servers, "numbers", [b"1"])
            before = proxy.connections
            assert before > 0
            await proxy.cut()
            assert await read(servers, "numbers", 1) == [b"1"]
            assert proxy.connections > before
        finally:
            await asyncio.to_thread(cluster.stop)
