"""The log and the store that integration and e2e tests run on: embedded, or real.

Parts start when the first test asks for them and live for the whole session. Tests keep out of each
other's way by a database and a topic prefix of their own.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from pathlib import Path
from typing import Literal, Protocol

import pytest

from deploy.local.parts.embedded_log import EmbeddedLog
from deploy.local.parts.errors import PartError, PartMissingError
from deploy.local.parts.kafka import KafkaCluster
from deploy.local.parts.process import Process
from deploy.local.parts.store import CompiledStore, EmbeddedStore

Kind = Literal["embedded", "real"]
KINDS: tuple[Kind, ...] = ("embedded", "real")
PARTS_ENV = "FAN_PARTS"
LEADER_TIMEOUT_S = 60.0


class Parts:
    """The session's parts, each started on first use.

    Args:
        kind: embedded or real.
        folder: where data and logs go.
    """

    def __init__(self, kind: Kind, folder: Path) -> None:
        self.kind = kind
        self._data, self._logs = folder / "data", folder / "logs"
        self._log: EmbeddedLog | KafkaCluster | None = None
        self._store: EmbeddedStore | CompiledStore | None = None
        self._endpoints: dict[str, str] = {}

    def log(self) -> str:
        """The log's bootstrap servers; a missing part skips the test, or fails it in CI."""
        if self._log is None:
            self._log = (
                EmbeddedLog(self._logs)
                if self.kind == "embedded"
                else KafkaCluster(1, self._data / "kafka", self._logs)
            )
        return self._start("log", self._log)

    def store(self) -> str:
        """The store's URL; a missing part skips the test, or fails it in CI."""
        if self._store is None:
            self._store = (
                EmbeddedStore(self._data / "store", self._logs)
                if self.kind == "embedded"
                else CompiledStore(self._data / "store", self._logs)
            )
        return self._start("store", self._store)

    def stop(self) -> None:
        """Stop what was started."""
        for part in (self._log, self._store):
            if part is not None:
                part.stop()

    def _start(
        self, name: str, part: EmbeddedLog | EmbeddedStore | KafkaCluster | CompiledStore
    ) -> str:
        if name not in self._endpoints:
            self._endpoints[name] = start_or_skip(part)
        return self._endpoints[name]


class Part(Protocol):
    """Something that may be missing on this machine."""

    def start(self) -> str:
        """Start it and tell where it is reached."""


def start_or_skip(part: Part) -> str:
    """Start a part; one that this machine lacks skips the test, in CI it fails."""
    try:
        return part.start()
    except PartMissingError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


async def wait_for_leader(cluster: KafkaCluster, topic: str) -> Process:
    """The node that leads a topic's first partition, once one does and says so."""
    async with asyncio.timeout(LEADER_TIMEOUT_S):
        while True:
            try:
                return await asyncio.to_thread(cluster.leader_of, topic)
            except PartError:
                await asyncio.sleep(0.1)


def unique_name(stem: str) -> str:
    """A name that no other test uses, for a database, a topic prefix or a group."""
    return f"{stem}-{secrets.token_hex(4)}"
