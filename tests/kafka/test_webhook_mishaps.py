"""Webhooks while an operator or a power cut takes something from Kafka: the topic, or its newest records."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import NewTopic

from tests.brokers import Broker, Installation, KafkaNode, Process, have_commits, own_node, wait_until
from tests.kafka.group import admin_of
from tests.kafka.receiver import Receiver, receiving

pytestmark = [pytest.mark.kafka, pytest.mark.process]

SECRET = bytes(range(32))
REFUSED = "old_3"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaNode]:
    with own_node(tmp_path_factory.mktemp("kafka")) as made:
        have_commits(made.address)
        yield made


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving(lambda id_, _: 500 if id_ == REFUSED else 204, SECRET) as made:
        yield made


@pytest.fixture
def installation(node: KafkaNode, receiver: Receiver, tmp_path: Path) -> Iterator[Installation]:
    made = Installation(Broker(node.address, "kafka", node), tmp_path)
    made.settings |= {
        "WEBHOOK_SECRETS": "whsec_" + base64.b64encode(SECRET).decode(),
        "WEBHOOK_NETWORKS": "127.0.0.0/8",
        "WEBHOOK_PATIENCE": "3d",
        "WEBHOOK_URL": f"http://127.0.0.1:{receiver.port}/hooks",
        "LOG_FORMAT": "console",
    }
    wait_until(lambda: is_made(made), 20, "the topic")
    yield made
    made.close()


def is_made(installation: Installation) -> bool:
    """Make the topic; false while Kafka is about to delete the one of before."""
    topic = installation.topic("stage-changes")
    made = admin_of(installation.broker.address).create_topics([NewTopic(topic, 1, 1)])[topic]
    return made.exception(30) is None


def tell(installation: Installation, name: str, count: int) -> set[str]:
    """Send a fact of each of so many leads and return their ids."""
    ids = [f"{name}_{number}" for number in range(count)]
    installation.produce("stage-changes", [(id_.encode(), json.dumps({"id": id_, "subject": id_}).encode()) for id_ in ids])
    return set(ids)


def wait_until_told(receiver: Receiver, ids: set[str]) -> None:
    wait_until(lambda: ids <= set(receiver.told), 40, lambda: f"the facts {sorted(ids - set(receiver.told))}")


def running(installation: Installation) -> Process:
    hook = installation.start("webhook")
    hook.wait_for_line("ready: ")
    return hook


@pytest.mark.parametrize("restarted", [False, True], ids=["a webhook that runs", "one that is started again"])
def test_a_log_that_lost_its_newest_records_is_told_on_while_one_lead_waits(
    *, restarted: bool, node: KafkaNode, installation: Installation, receiver: Receiver
) -> None:
    hook = running(installation)
    kept = tell(installation, "old", 10) - {REFUSED}
    wait_until_told(receiver, kept)
    log = node.home / "data" / f"{installation.topic('stage-changes')}-0" / "00000000000000000000.log"
    size = log.stat().st_size
    wait_until_told(receiver, tell(installation, "lost", 20))
    wait_until(lambda: receiver.attempts[REFUSED] > 1, 20, "a second attempt, and a commit of all that")
    if restarted:
        hook.kill()
    node.process.kill()
    with log.open("r+b") as file:
        file.truncate(size)
    for also in (each for kind in ("index", "timeindex", "snapshot") for each in log.parent.glob(f"*.{kind}")):
        also.unlink()
    node.start()
    wait_until(lambda: len(installation.read("stage-changes")) == 10, 30, "what is left")
    new = tell(installation, "new", 15)
    if restarted:
        hook = running(installation)
    wait_until_told(receiver, new)
    assert hook.exit_code is None
    assert REFUSED not in receiver.told


def test_a_topic_that_is_made_anew_is_told_at_once_while_one_lead_waits(installation: Installation, receiver: Receiver) -> None:
    hook = running(installation)
    wait_until_told(receiver, tell(installation, "old", 20) - {REFUSED})
    topic, admin = installation.topic("stage-changes"), admin_of(installation.broker.address)
    admin.delete_topics([topic])[topic].result(30)
    hook.wait_for_line(f"waiting: {topic} is gone: make it anew")
    wait_until(lambda: is_made(installation), 20, "the new topic")
    hook.wait_for_line("it goes on", 20)
    wait_until_told(receiver, tell(installation, "new", 15))
    assert hook.output.count("is gone") == 1
    assert hook.stop() == 0
