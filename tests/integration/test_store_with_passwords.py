"""The store asks for a password (SCRAM), as in compose: each service has a user of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from deploy.local.parts.ports import HOST, is_listening
from deploy.local.parts.process import Process
from deploy.local.parts.store import CompiledStore, EmbeddedStore
from shared.errors import TransientError
from shared.store import client as store_client
from shared.store.client import StoreDriver
from shared.store.mongo import MongoGuardedStore
from shared.store.ports import GuardedWrite
from tests.support.parts import Parts, start_or_skip

SERVICES = ("ingest", "segmenter", "notifier", "sentiment")
START_S = 60.0
CANARY = "a-password-that-nobody-may-read"


def password_of(service: str) -> str:
    return f"password-of-{service}"


@pytest.fixture(scope="module")
def locked(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Host and port of a store whose users were made as `deploy/mongodb/create-users.js` does."""
    folder = tmp_path_factory.mktemp("locked")
    kind = EmbeddedStore if parts.kind == "embedded" else CompiledStore
    open_store = kind(folder / "data", folder)
    url = start_or_skip(open_store)
    with MongoClient[dict[str, object]](url) as client:
        for service in SERVICES:
            client[service].command(
                "createUser",
                service,
                pwd=password_of(service),
                roles=[{"role": "readWrite", "db": service}],
            )
    open_store.stop()
    server = Process("locked-store", [*open_store.process.argv, "--auth"], folder)
    port = int(url.split("/")[2].rpartition(":")[2])
    server.start()
    try:
        server.wait_until(lambda: is_listening(port), START_S)
        yield f"{HOST}:{port}"
    finally:
        server.stop()


def address(where: str, service: str, password: str) -> str:
    """As in compose; its replica set is a server of its own here."""
    return f"mongodb://{service}:{password}@{where}/?authSource={service}&directConnection=true"


@pytest.mark.parametrize("driver", ["motor", "pymongo"])
async def test_a_service_with_its_password_reads_and_writes(
    locked: str, driver: StoreDriver
) -> None:
    database = store_client.connect(
        address(locked, "segmenter", password_of("segmenter")), "segmenter", driver=driver
    )
    try:
        store = MongoGuardedStore(database, f"fans_{driver}", loops=["events"])
        await store.prepare()
        assert await store.write([GuardedWrite("a", 0, {"clicks": 1})]) == set()
        assert (await store.read(["a"]))["a"]["clicks"] == 1
        assert await store_client.reachable(database)
    finally:
        await store_client.close(database)


@pytest.mark.parametrize("driver", ["motor", "pymongo"])
@pytest.mark.parametrize(
    "credentials", [("segmenter", CANARY), ("nobody", CANARY), ("ingest", CANARY)]
)
async def test_whoever_is_not_let_in_is_told_why(
    locked: str, driver: StoreDriver, credentials: tuple[str, str]
) -> None:
    database = store_client.connect(address(locked, *credentials), "segmenter", driver=driver)
    try:
        assert not await store_client.reachable(database)
        with pytest.raises(TransientError, match="refuses this user or password") as caught:
            await MongoGuardedStore(database, "fans", loops=["events"]).prepare()
        assert "FAN_MONGODB_URL" in str(caught.value)
        assert CANARY not in str(caught.value)
    finally:
        await store_client.close(database)


def test_without_a_password_nothing_is_read(locked: str) -> None:
    with (
        MongoClient[dict[str, object]](f"mongodb://{locked}/?directConnection=true") as client,
        pytest.raises(OperationFailure),
    ):
        client["segmenter"]["fans"].find_one()


def test_a_services_user_may_not_touch_another_services_database(locked: str) -> None:
    url = address(locked, "ingest", password_of("ingest"))
    with MongoClient[dict[str, object]](url) as client:
        client["ingest"]["own"].insert_one({"a": 1})
        with pytest.raises(OperationFailure):
            client["segmenter"]["fans"].insert_one({"a": 1})
