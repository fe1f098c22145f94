"""Brokers and installations for every test that wants one."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers import Broker, Installation, KafkaNode, kafka_jars, start_embedded


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let a file stay in one process, because its brokers are dear; what takes longest begins first."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
    items.sort(key=lambda item: ("chaos" not in item.nodeid, "tests/kafka" not in item.nodeid))


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("LEADSTREAM_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A real Apache Kafka: where KAFKA_BOOTSTRAP points, else a node of our own."""
    if address := os.environ.get("KAFKA_BOOTSTRAP"):
        yield Broker(address, "kafka")
        return
    node = KafkaNode(tmp_path_factory.mktemp("kafka"), kafka_jars())
    node.format()
    try:
        node.start()
        yield Broker(node.address, "kafka", node)
    finally:
        node.process.kill()


@pytest.fixture(scope="session")
def embedded() -> Iterator[Broker]:
    """The embedded broker."""
    running = start_embedded()
    yield Broker(running.address, "embedded")
    running.stop()


@pytest.fixture(params=[pytest.param("embedded", marks=pytest.mark.embedded), pytest.param("kafka", marks=pytest.mark.kafka)])
def broker(request: pytest.FixtureRequest) -> Broker:
    """Both brokers in turn: what holds on one holds on the other."""
    chosen: Broker = request.getfixturevalue(request.param)
    return chosen


@pytest.fixture
def installation(broker: Broker, tmp_path: Path) -> Iterator[Installation]:
    """An installation of the test's own on both brokers in turn."""
    made = Installation(broker, tmp_path)
    yield made
    made.close()


@pytest.fixture
def on_kafka(kafka: Broker, tmp_path: Path) -> Iterator[Installation]:
    """An installation of the test's own on Apache Kafka only."""
    made = Installation(kafka, tmp_path)
    yield made
    made.close()
