"""What a write must have reached before the store says yes, and what an address may change."""

from __future__ import annotations

from typing import Any

import pytest

from shared.store.client import SERVER_SELECTION_MS, SOCKET_MS, StoreDriver, close, connect

ADDRESS = "mongodb://127.0.0.1:9,127.0.0.1:10/"


@pytest.mark.parametrize("driver", ["motor", "pymongo"])
async def test_writes_wait_for_the_majorities_journals(driver: StoreDriver) -> None:
    database = connect("mongodb://127.0.0.1:1", "fans", driver=driver)
    assert database.write_concern.document == {"w": "majority", "j": True}
    assert database["fans"].write_concern == database.write_concern
    assert database.read_concern.level == "majority"
    await close(database)


def seconds(database: Any) -> tuple[float, float]:
    options = database.client.options
    return options.server_selection_timeout, options.pool_options.socket_timeout


@pytest.mark.parametrize("driver", ["motor", "pymongo"])
async def test_an_address_may_set_the_time_limits(driver: StoreDriver) -> None:
    told = f"{ADDRESS}?serverselectiontimeoutms=50&socketTimeoutMS=70"
    limited, usual = connect(told, "brand", driver=driver), connect(ADDRESS, "brand", driver=driver)
    assert seconds(limited) == (0.05, 0.07)
    assert seconds(usual) == (SERVER_SELECTION_MS / 1000, SOCKET_MS / 1000)
    for database in (limited, usual):
        await close(database)


@pytest.mark.parametrize("driver", ["motor", "pymongo"])
async def test_no_address_makes_a_write_less_durable(driver: StoreDriver) -> None:
    database = connect(f"{ADDRESS}?w=0&journal=false", "brand", driver=driver)
    assert database.write_concern.document == {"w": "majority", "j": True}
    await close(database)
