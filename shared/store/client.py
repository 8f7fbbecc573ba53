"""Connects to the store, by motor or by PyMongo's own asyncio client: one setting.

Both answer the same calls the same way for what this project uses; the contract suite runs on
both. motor is what the project's owner asked for and past its end of life, see the ADR.
"""

from __future__ import annotations

import warnings
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

from bson.codec_options import CodecOptions
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

StoreDriver = Literal["motor", "pymongo"]
Database = Any
"""A motor or PyMongo database: they share no base class."""
SERVER_SELECTION_MS = 2_000
SOCKET_MS = 20_000


def connect(url: str, database: str, *, driver: StoreDriver = "motor") -> Database:
    """A database handle with `w=majority, j=true`; connects at the first call.

    Args:
        url: a MongoDB connection string; its time limits and name win over ours, its write
            concern does not.
        database: the service's own database.
        driver: which client library.
    """
    told = {name.lower() for name, _ in parse_qsl(urlsplit(url).query)}
    ours: dict[str, Any] = {
        "serverSelectionTimeoutMS": SERVER_SELECTION_MS,
        "socketTimeoutMS": SOCKET_MS,
        "appname": "fan-engagement",
    }
    # Both clients let an argument win over the address.
    options = {name: value for name, value in ours.items() if name.lower() not in told}
    client: Any
    if driver == "motor":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            from motor.motor_asyncio import AsyncIOMotorClient

            client = AsyncIOMotorClient(url, **options)
    else:
        from pymongo import AsyncMongoClient

        client = AsyncMongoClient(url, **options)
    return client.get_database(
        database,
        codec_options=CodecOptions(tz_aware=True),
        write_concern=WriteConcern("majority", j=True),
        read_concern=ReadConcern("majority"),
    )


async def close(database: Database) -> None:
    """Close the handle's client."""
    closing = database.client.close()
    if closing is not None:
        await closing


async def reachable(database: Database) -> bool:
    """Whether the store answers right now."""
    try:
        await database.command("ping")
    except PyMongoError:
        return False
    return True
