"""What every test may use: the parts (embedded or real) and names of its own on them.

``pytest --parts real`` or ``FAN_PARTS=real`` runs the same integration and e2e tests on Apache
Kafka and the compiled store. Tests marked ``real`` need them, and are skipped on embedded parts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from pymongo import MongoClient

from deploy.local.parts.kafka import KafkaCluster
from tests.support.parts import KINDS, PARTS_ENV, Kind, Parts, start_or_skip, unique_name

# A slow machine is no mistake. In CI hypothesis knows that by itself; a laptop may be busy too.
settings.register_profile(
    "patient",
    settings.default,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("patient")
# For `make mutate`: that a test fails is all it asks, of thousands; the smallest example would take
# minutes.
settings.register_profile(
    "mutation",
    settings.get_profile("patient"),
    max_examples=25,
    phases=[Phase.explicit, Phase.generate],
    database=None,
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--parts",
        choices=KINDS,
        default=os.environ.get(PARTS_ENV, "embedded"),
        help="run integration and e2e tests on embedded parts, or on Apache Kafka and the "
        "compiled store (also: FAN_PARTS)",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--parts") == "real":
        return
    needs_real = pytest.mark.skip(reason="needs real parts: make test-real")
    for item in items:
        if item.get_closest_marker("real"):
            item.add_marker(needs_real)


@pytest.fixture(scope="session")
def parts_kind(pytestconfig: pytest.Config) -> Kind:
    """Which parts this session runs on."""
    kind: Kind = pytestconfig.getoption("--parts")
    return kind


@pytest.fixture(scope="session")
def parts(parts_kind: Kind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    """The session's parts, started on first use; a test that kills one has its own, see below."""
    session_parts = Parts(parts_kind, tmp_path_factory.mktemp("parts"))
    yield session_parts
    session_parts.stop()


@pytest.fixture
def log(parts: Parts) -> str:
    """The bootstrap servers of the session's log, which all tests share."""
    return parts.log()


@pytest.fixture
def store(parts: Parts) -> str:
    """The URL of the session's store, which all tests share."""
    return parts.store()


@pytest.fixture
def database(store: str) -> Iterator[str]:
    """The name of a database of this test's own, dropped at its end."""
    name = unique_name("test")
    yield name
    with MongoClient[dict[str, object]](store) as client:
        client.drop_database(name)


@pytest.fixture
def topic_prefix() -> str:
    """A prefix for this test's topics and groups, which no other test uses."""
    return f"{unique_name('t')}."


@pytest.fixture
def own_kafka(parts_kind: Kind, tmp_path: Path) -> Iterator[KafkaCluster]:
    """A one-node Kafka of this test's own, started, to kill and freeze; for tests marked real."""
    yield from _own_cluster(parts_kind, tmp_path, 1)


@pytest.fixture
def three_kafkas(parts_kind: Kind, tmp_path: Path) -> Iterator[KafkaCluster]:
    """A three-node Kafka of this test's own, started; for tests marked real."""
    yield from _own_cluster(parts_kind, tmp_path, 3)


def _own_cluster(kind: Kind, folder: Path, nodes: int) -> Iterator[KafkaCluster]:
    if kind != "real":
        pytest.fail("a test that wants its own Kafka must be marked real")
    cluster = KafkaCluster(nodes, folder / "kafka", folder / "logs")
    start_or_skip(cluster)
    yield cluster
    cluster.stop()
