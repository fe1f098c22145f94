"""Brokers and installations for every test that wants one."""

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

from tests.brokers import Broker, Installation, have_commits, own_node, start_embedded

CHAOS = "chaos "

settings.register_profile("untimed", deadline=None)  # no test is timed: machines are shared
settings.load_profile("untimed")


class Dealt(LoadFileScheduling):  # type: ignore[misc]  # xdist ships no types
    """A file stays in one process, because its brokers are dear; the chaos schedules go to whoever is free.

    The first process begins with what needs no broker, and leaves the chaos to the others: these wait more than they
    work, and five schedules at once would want more than the machine has.
    """

    def _split_scope(self, nodeid: str) -> str:
        schedule = re.search(r"test_chaos\.py::.*\[(\d+-\d+)\]$", nodeid)
        return f"{CHAOS}{schedule[1]}" if schedule else str(super()._split_scope(nodeid))

    def _assign_work_unit(self, node: Any) -> None:
        first = len(self.nodes) > 1 and node is self.nodes[0]
        wanted = min(self.workqueue, key=_dear) if first else next(iter(self.workqueue))
        self.workqueue.move_to_end(wanted, last=False)
        super()._assign_work_unit(node)


def _dear(scope: str) -> int:
    """Tell how much a scope asks of the machine."""
    return 2 if scope.startswith(CHAOS) else "/kafka/" in scope


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Dealt:
    """Deal tests out to processes."""
    return Dealt(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let begin first what takes longest: the chaos, then files on a broker, the fullest of them first."""
    files = Counter(item.path for item in items)
    items.sort(key=lambda item: (item.path.stem != "test_chaos", item.path.parent.name != "kafka", -files[item.path], item.path))


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
    with own_node(tmp_path_factory.mktemp("kafka")) as node:
        have_commits(node.address)
        yield Broker(node.address, "kafka", node)


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
    made = Installation(broker, tmp_path, forks=True)
    yield made
    made.close()


@pytest.fixture
def on_kafka(kafka: Broker, tmp_path: Path) -> Iterator[Installation]:
    """An installation of the test's own on Apache Kafka only."""
    made = Installation(kafka, tmp_path, forks=True)
    yield made
    made.close()


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[Installation]:
    """An installation on an Apache Kafka of its own: one that the test kills, fills, or whose default names of topics it uses."""
    with own_node(tmp_path / "kafka") as node:
        made = Installation(Broker(node.address, "kafka", node), tmp_path, forks=True)
        yield made
        made.close()
