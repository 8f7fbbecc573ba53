"""The two servers of the store: MongoDB's wire protocol, WiredTiger underneath, one behaviour.

``EmbeddedStore`` is the Python server from PyPI: nothing to build, and the laptop's default.
``CompiledStore`` is the Rust server, built once by cargo: several times faster, for ``make
test-real`` and benchmarks. Both are for laptops and tests; production is a MongoDB replica set.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from deploy.local.parts.cache import cached, need_tools, run_build
from deploy.local.parts.errors import PartMissingError
from deploy.local.parts.ports import HOST, free_port, retry_on_taken_port
from deploy.local.parts.process import Process
from deploy.local.private import make_private_folder

READY_TIMEOUT_S = 60.0
PING_TIMEOUT_MS = 1_000
# One crate at one version: --ignore-rust-version, since it asks for a compiler newer than it needs.
CRATE, CRATE_VERSION = "secantus-mdb", "0.5.3-beta.193"
BUILD_TIMEOUT_S = 1_800
BINARY = "bin/secantusd-rs"


class _Store:
    """What both servers share: a data folder, a port that stays the same, readiness by a ping."""

    is_volatile = False
    url_options = "directConnection=true"

    def __init__(self, name: str, data_dir: Path, log_dir: Path) -> None:
        self._data_dir = data_dir
        self._port: int | None = None
        self.process = Process(name, [], log_dir)

    def start(self) -> str:
        """Start it and return its URL; after a stop or kill, on the same port with its data.

        Raises:
            PartMissingError: it can't be had on this machine.
            PartError: it did not come up.
        """
        program = self._program()
        make_private_folder(self._data_dir)
        if self._port is None:
            return retry_on_taken_port(lambda: self._start_on(program, free_port()), self._tail)
        return self._start_on(program, self._port)

    def stop(self) -> None:
        """Stop it; its data stay."""
        self.process.stop()

    def _program(self) -> list[str]:
        raise NotImplementedError

    def _tail(self) -> str:
        return self.process.log_tail()

    def _start_on(self, program: list[str], port: int) -> str:
        where = ["--host", HOST, "--port", str(port), "--storage-path", str(self._data_dir)]
        self.process.argv = [*program, *where]
        url = f"mongodb://{HOST}:{port}/?{self.url_options}"
        self.process.start()
        try:
            self.process.wait_until(lambda: _answers(url), READY_TIMEOUT_S)
        except BaseException:
            self.process.kill()
            raise
        self._port = port
        return url


class EmbeddedStore(_Store):
    """The Python server.

    Args:
        data_dir: where it keeps its files; a later start finds them.
        log_dir: where its process logs.
    """

    # Its single retryable writes slow down to 7 ms after 10,000 of them.
    url_options = "directConnection=true&retryWrites=false"

    def __init__(self, data_dir: Path, log_dir: Path) -> None:
        super().__init__("embedded-store", data_dir, log_dir)

    def _program(self) -> list[str]:
        # Beside our interpreter: the environment need not be on PATH.
        program = shutil.which("secantusd-py", path=str(Path(sys.executable).parent))
        program = program or shutil.which("secantusd-py")
        if program is None:
            raise PartMissingError(
                "the embedded store needs the Python package secantusdb (the extra 'local'), "
                "which has no build for Python 3.14 yet"
            )
        return [program]


class CompiledStore(_Store):
    """The Rust server; acknowledged writes survive ``kill -9``.

    Args:
        data_dir: where it keeps its files; a later start finds them.
        log_dir: where its process logs.
        cache_size: its page cache.
    """

    def __init__(self, data_dir: Path, log_dir: Path, cache_size: str = "1G") -> None:
        super().__init__("compiled-store", data_dir, log_dir)
        self._cache_size = cache_size

    def _program(self) -> list[str]:
        # Without --sync-on-commit it loses the last tens of milliseconds when killed.
        return [str(compiled_store()), "--sync-on-commit", "--cache-size", self._cache_size]


def compiled_store() -> Path:
    """The Rust server's binary, built by cargo into the cache on first use (some minutes).

    Raises:
        PartMissingError: cargo or cmake is not installed.
        PartError: the build failed.
    """
    return cached(f"{CRATE}-{CRATE_VERSION}", BINARY, _build) / BINARY


def _build(folder: Path) -> None:
    need_tools("cargo", "cmake", purpose="building the compiled store")
    install = ["cargo", "install", CRATE, "--version", CRATE_VERSION, "--ignore-rust-version"]
    run_build([*install, "--root", str(folder)], folder, BUILD_TIMEOUT_S)


def _answers(url: str) -> bool:
    client: MongoClient[dict[str, object]] = MongoClient(
        url, serverSelectionTimeoutMS=PING_TIMEOUT_MS, socketTimeoutMS=PING_TIMEOUT_MS
    )
    try:
        return bool(client.admin.command("ping")["ok"])
    except PyMongoError:
        return False
    finally:
        client.close()
