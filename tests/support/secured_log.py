"""Apache Kafka as `deploy/compose.yaml` starts it: with a user and a password for each service."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from deploy.local.parts.kafka import HEAP, kafka_jars
from deploy.local.parts.ports import HOST, free_ports, is_listening
from deploy.local.parts.process import Process

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
READY_TIMEOUT_S = 90.0
SERVICES = ("ingest", "segmenter", "notifier", "sentiment")


class SecuredLog:
    """The committed configuration and start script, on ports and in a folder of their own.

    Args:
        folder: for data, configuration and logs.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.passwords = {service: f"password-of-{service}" for service in SERVICES}
        client, self._controller, self._local = free_ports(3)
        self.bootstrap_servers = f"{HOST}:{client}"
        self._client = client
        self.process = Process("secured-kafka", [], folder)

    def start(self) -> str:
        """Start it, and return its bootstrap servers once it takes clients.

        Raises:
            PartMissingError: Java or Maven is not installed.
            PartError: it did not come up.
        """
        jars, tools = kafka_jars(), self._folder / "bin"
        shutil.rmtree(self._folder, ignore_errors=True)
        tools.mkdir(parents=True)
        for script, program in (
            ("kafka-storage.sh", "kafka.tools.StorageTool"),
            ("kafka-server-start.sh", "kafka.Kafka"),
        ):
            (tools / script).write_text(
                f'#!/bin/sh\nexec java {HEAP} -cp "{jars}/*" {program} "$@"\n'
            )
            (tools / script).chmod(0o755)
        config = self._folder / "server.properties"
        config.write_text(self._moved((DEPLOY / "kafka" / "server.properties").read_text()))
        self.process = Process(
            "secured-kafka",
            [str(DEPLOY / "kafka" / "start.sh")],
            self._folder,
            env={
                **os.environ,
                "KAFKA_BIN": str(tools),
                "KAFKA_CONFIG": str(config),
                **{f"{s.upper()}_KAFKA_PASSWORD": word for s, word in self.passwords.items()},
            },
        )
        self.process.start()
        try:
            self.process.wait_until(lambda: is_listening(self._client), READY_TIMEOUT_S)
        except BaseException:
            self.process.kill()
            raise
        return self.bootstrap_servers

    def stop(self) -> None:
        """Stop it."""
        self.process.stop()

    def _moved(self, properties: str) -> str:
        """Nothing else is changed than where it listens and writes."""
        moved = re.sub(r"(?m)^log\.dirs=.*$", f"log.dirs={self._folder / 'data'}", properties)
        for old, new in ((9092, self._client), (9093, self._controller), (9094, self._local)):
            moved = moved.replace(f":{old}", f":{new}")
        return re.sub(r"CLIENT://[a-z0-9.]+:", f"CLIENT://{HOST}:", moved)
