"""Apache Kafka in KRaft mode, one node or three, from jars that Maven fetches into a cache.

Every node is broker and controller at once, and a process of its own that can be stopped, killed,
frozen and started again with its data. No container and no download site is needed.
"""

from __future__ import annotations

import base64
import contextlib
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from deploy.local.parts.cache import cached, need_tools, run_build
from deploy.local.parts.errors import PartError
from deploy.local.parts.ports import HOST, free_ports, retry_on_taken_port
from deploy.local.parts.process import Process
from deploy.local.private import make_private_folder, write_private

JARS_NAME = "kafka-4.1.0"  # the versions stand in kafka-pom.xml
FETCH_TIMEOUT_S = 900
FORMAT_TIMEOUT_S = 60
READY_TIMEOUT_S = 90.0
METADATA_TIMEOUT_S = 2.0
HEAP = "-Xmx512m"
PARTITIONS = 4  # of a topic that nobody created; the embedded log has as many


class KafkaCluster:
    """A Kafka cluster as a part.

    Args:
        nodes: 1, or 3 for tests that lose one.
        data_dir: where the nodes keep their logs; a later start finds them.
        log_dir: where their processes log.
        advertise: given a node's port, the port that clients are told: a proxy's, for tests.
        settings: more lines for ``server.properties``.
    """

    is_volatile = False

    def __init__(
        self,
        nodes: int,
        data_dir: Path,
        log_dir: Path,
        *,
        advertise: Callable[[int], int] = lambda port: port,
        settings: dict[str, str] | None = None,
    ) -> None:
        self._data_dir = data_dir
        self._advertise = advertise
        self._settings = settings or {}
        self._cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        self._advertised: list[int] = []
        self.nodes = [Process(f"kafka-{number}", [], log_dir) for number in range(1, nodes + 1)]

    @property
    def bootstrap_servers(self) -> str:
        """Host and port of every node, as clients are told."""
        return ",".join(f"{HOST}:{port}" for port in self._advertised)

    def start(self) -> str:
        """Start every node that is not running; return the bootstrap servers once all answer.

        Raises:
            PartMissingError: Java or Maven is not installed.
            PartError: a node did not come up.
        """
        if self._advertised:
            for node in self.nodes:
                if not node.is_running():
                    node.start()
            self.wait_ready()
        else:
            retry_on_taken_port(self._start_new, self._tails)
        return self.bootstrap_servers

    def wait_ready(self) -> None:
        """Return once every node is in the cluster's metadata.

        Raises:
            PartError: that took too long, or a node ended.
        """
        for node in self.nodes:
            node.wait_until(self._is_complete, READY_TIMEOUT_S)
        for node in self.nodes:
            node.check_running()

    def stop(self) -> None:
        """Stop all nodes; their data stay."""
        # Together, or the last ones wait in vain for a quorum that says goodbye to them.
        for node in self.nodes:
            node.terminate()
        for node in self.nodes:
            node.stop()

    def leader_of(self, topic: str, partition: int = 0) -> Process:
        """The node that leads a partition now.

        Raises:
            PartError: nobody does.
        """
        with contextlib.suppress(KafkaException, KeyError, IndexError):
            topics = self._admin().list_topics(topic, timeout=METADATA_TIMEOUT_S).topics
            leader = topics[topic].partitions[partition].leader
            if leader > 0:
                return self.nodes[leader - 1]
        raise PartError(f"nobody leads {topic}/{partition}")

    def _start_new(self) -> None:
        jars = kafka_jars()
        shutil.rmtree(self._data_dir, ignore_errors=True)  # a new cluster id needs new folders
        free = iter(free_ports(2 * len(self.nodes)))
        ports = list(zip(free, free, strict=True))
        advertised = [self._advertise(port) for port, _ in ports]
        voters = ",".join(f"{number}@{HOST}:{peer}" for number, (_, peer) in enumerate(ports, 1))
        try:
            for number, node in enumerate(self.nodes, 1):
                folder = self._data_dir / node.name
                make_private_folder(folder)
                properties = folder / "server.properties"
                lines = _properties(
                    number, ports[number - 1], advertised[number - 1], voters, len(self.nodes)
                )
                lines |= {"log.dirs": str(folder / "data"), **self._settings}
                write_private(properties, "".join(f"{k}={v}\n" for k, v in lines.items()))
                _format(jars, self._cluster_id, properties)
                node.argv = [*_java(jars, HEAP), "kafka.Kafka", str(properties)]
                node.start()
            self._advertised = advertised
            self.wait_ready()
        except BaseException:
            self._advertised = []
            for node in self.nodes:
                node.kill()
            raise

    def _tails(self) -> str:
        return "\n".join(node.log_tail() for node in self.nodes)

    def _is_complete(self) -> bool:
        try:
            brokers = self._admin().list_topics(timeout=METADATA_TIMEOUT_S).brokers
        except KafkaException:
            return False
        return len(brokers) == len(self.nodes)

    def _admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})


def kafka_jars() -> Path:
    """The folder with Kafka's jars, fetched by Maven into the cache on first use.

    Raises:
        PartMissingError: Java or Maven is not installed.
        PartError: the fetch failed.
    """
    need_tools("java", purpose="Apache Kafka")
    return cached(JARS_NAME, "complete", _fetch)


def _fetch(folder: Path) -> None:
    need_tools("java", "mvn", purpose="fetching Apache Kafka")
    shutil.copy(Path(__file__).with_name("kafka-pom.xml"), folder / "pom.xml")
    maven = ["mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={folder}"]
    run_build(maven, folder, FETCH_TIMEOUT_S)
    if not any(folder.glob("kafka_*.jar")):
        raise PartError("Maven fetched no Kafka broker")
    (folder / "complete").touch()


def _java(jars: Path, *options: str) -> list[str]:
    return ["java", *options, "-cp", f"{jars}/*"]


def _format(jars: Path, cluster_id: str, properties: Path) -> None:
    # With "=", since an id may begin with a dash, which the tool would take for an option.
    options = [f"--cluster-id={cluster_id}", "--config", str(properties)]
    tool = [*_java(jars), "kafka.tools.StorageTool", "format", *options]
    run_build(tool, properties.parent, FORMAT_TIMEOUT_S)


def _properties(
    number: int, ports: tuple[int, int], advertised: int, voters: str, nodes: int
) -> dict[str, str]:
    """A node's settings.

    With three nodes the offsets are on three too and sessions are short, or one dead node takes the
    offsets with it and recovery takes 9 s.
    """
    broker, controller = ports
    copies = min(3, nodes)
    quorum = 2 if copies > 1 else 1
    return {
        "process.roles": "broker,controller",
        "node.id": str(number),
        "controller.quorum.voters": voters,
        "listeners": f"PLAINTEXT://{HOST}:{broker},CONTROLLER://{HOST}:{controller}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{advertised}",
        "controller.listener.names": "CONTROLLER",
        "num.partitions": str(PARTITIONS),
        "default.replication.factor": str(copies),
        "min.insync.replicas": str(quorum),
        "offsets.topic.replication.factor": str(copies),
        "offsets.topic.num.partitions": "8",  # 50 are slow to make on a laptop
        "transaction.state.log.replication.factor": str(copies),
        "transaction.state.log.min.isr": str(quorum),
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        "broker.session.timeout.ms": "3000" if nodes > 1 else "9000",
    }
