"""Webhooks while the broker that keeps their group's commits is gone, and the others live."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import NewTopic

from tests.brokers import Broker, Installation, KafkaNode, Place, Process, kafka_jars, wait_until
from tests.kafka.group import admin_of
from tests.kafka.receiver import Receiver, receiving

pytestmark = [pytest.mark.kafka, pytest.mark.process]

SECRET = bytes(range(32))


class Beside(KafkaNode):
    """A broker that is no controller."""

    def _settings(self) -> str:
        own = self.place.voters[2]
        with_controller = super()._settings().replace(f",2@{own}", "").replace(f",CONTROLLER://{own}", "")
        return with_controller.replace("process.roles=broker,controller", "process.roles=broker")


def at(node: int) -> Any:
    """Return where a partition lies: numbers of brokers, whatever confluent's stub says."""
    return [[node]]


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[list[KafkaNode]]:
    """Two brokers, of which the second keeps the commits of all groups."""
    alone = Place.alone()
    kafka, jars = tmp_path / "kafka", kafka_jars()
    made = [KafkaNode(kafka / "1", jars, alone), Beside(kafka / "2", jars, Place(2, {**alone.voters, 2: "none"}))]
    for each in made:
        each.format()
        each.process.start()
    try:
        for each in made:
            each.wait_until_it_answers()
        admin = admin_of(made[0].address)
        wait_until(lambda: len(admin.list_topics(timeout=20).brokers) == 2, 30, "two brokers")
        commits = NewTopic("__consumer_offsets", 8, replica_assignment=at(2) * 8, config={"cleanup.policy": "compact"})
        admin.create_topics([commits])[commits.topic].result(30)
        yield made
    finally:
        for each in made:
            each.process.kill()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving(lambda *_: 204, SECRET) as made:
        yield made


@pytest.fixture
def installation(nodes: list[KafkaNode], receiver: Receiver, tmp_path: Path) -> Iterator[Installation]:
    made = Installation(Broker(nodes[0].address, "kafka"), tmp_path)
    made.settings |= {
        "WEBHOOK_SECRETS": "whsec_" + base64.b64encode(SECRET).decode(),
        "WEBHOOK_NETWORKS": "127.0.0.0/8",
        "WEBHOOK_URL": f"http://127.0.0.1:{receiver.port}/hooks",
        "LOG_FORMAT": "console",
    }
    names = [made.topic("stage-changes"), made.topic("outbound-dead-letters")]
    topics = [NewTopic(name, 1, replica_assignment=at(1)) for name in names]
    for created in admin_of(nodes[0].address).create_topics(topics).values():
        created.result(30)
    yield made
    made.close()


def tell(installation: Installation, name: str) -> set[str]:
    ids = [f"{name}_{number}" for number in range(5)]
    installation.produce("stage-changes", [(id_.encode(), json.dumps({"id": id_, "subject": id_}).encode()) for id_ in ids])
    return set(ids)


def running(installation: Installation) -> Process:
    hook = installation.start("webhook")
    hook.wait_for_line("ready: ")
    return hook


def test_it_is_waited_for_and_what_is_to_end_ends(nodes: list[KafkaNode], installation: Installation, receiver: Receiver) -> None:
    hook = running(installation)
    first = tell(installation, "first")
    wait_until(lambda: first <= set(receiver.told), 30, "the first facts")
    nodes[1].process.kill()
    second = tell(installation, "second")
    wait_until(lambda: second <= set(receiver.told), 30, "facts that no commit need go before")
    admin = admin_of(nodes[0].address)
    wait_until(lambda: len(admin.list_topics(timeout=20).brokers) == 1, 30, "a cluster that knows")
    silence = (
        f"Kafka does not answer for the group {installation.app}-webhook: see whether the broker that keeps its commits runs"
    )
    once = installation.start("webhook", "--once")
    hook.wait_for_line(f"waiting: {silence}")
    assert hook.stop(20) == 0
    assert hook.output.count(f"waiting: {silence}") == 1
    waiting = running(installation)
    waiting.wait_for_line(f"waiting: {silence}")
    assert once.wait(50) == 3
    assert [line for line in once.output.splitlines() if line.startswith("leadstream: ")] == [f"leadstream: {silence}"]
    nodes[1].start()
    waiting.wait_for_line("it goes on", 60)
    third = tell(installation, "third")
    wait_until(lambda: third <= set(receiver.told), 30, "the last facts")
    assert waiting.stop(20) == 0
