"""What a write must have reached before the store says yes."""

from __future__ import annotations

import pytest

from shared.store.client import StoreDriver, close, connect


@pytest.mark.parametrize("driver", ["motor", "pymongo"])
async def test_writes_wait_for_the_majorities_journals(driver: StoreDriver) -> None:
    database = connect("mongodb://127.0.0.1:1", "fans", driver=driver)
    assert database.write_concern.document == {"w": "majority", "j": True}
    assert database["fans"].write_concern == database.write_concern
    assert database.read_concern.level == "majority"
    await close(database)
