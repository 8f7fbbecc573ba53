"""The embedded log: librdkafka's mock cluster, in a process of its own.

It needs nothing but a Python package, and forgets everything when it ends. It keeps at most 5 MB or
100,000 records a partition, has no admin API to create topics with (they appear on first use, with
four partitions), and its group protocol is for one member a group. Not for tests of durability or
rebalancing.
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

from deploy.local.parts.process import Process
from deploy.local.private import make_private_folder

REPOSITORY = Path(__file__).resolve().parents[3]  # `python -m` finds our packages from here
READY_TIMEOUT_S = 30.0
METADATA_TIMEOUT_S = 10.0


class EmbeddedLog:
    """The embedded log as a part.

    Args:
        log_dir: where its process logs.
    """

    is_volatile = True

    def __init__(self, log_dir: Path) -> None:
        self._log_dir = log_dir
        self.process = Process("embedded-log", [], log_dir, cwd=REPOSITORY)

    def start(self) -> str:
        """Start it and return its bootstrap servers.

        Raises:
            PartError: it did not come up.
        """
        address_file = self._log_dir.resolve() / "embedded-log.address"
        make_private_folder(address_file.parent)
        address_file.unlink(missing_ok=True)
        self.process.argv = [sys.executable, "-m", __name__, str(address_file)]
        self.process.start()
        self.process.wait_until(address_file.exists, READY_TIMEOUT_S)
        return str(json.loads(address_file.read_text())["bootstrap_servers"])

    def stop(self) -> None:
        """Stop it; its records are gone."""
        self.process.stop()


def serve(address_file: Path) -> None:
    """Run the mock cluster until a signal comes; its address is written to the file."""
    from confluent_kafka import Producer

    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # before librdkafka starts its threads
    cluster = Producer({"bootstrap.servers": "unused", "test.mock.num.brokers": 1})
    brokers = cluster.list_topics(timeout=METADATA_TIMEOUT_S).brokers.values()
    servers = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
    unfinished = address_file.with_suffix(".new")
    unfinished.write_text(json.dumps({"bootstrap_servers": servers}))
    unfinished.rename(address_file)  # whoever sees the file sees all of it
    signal.sigwait(signals)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
