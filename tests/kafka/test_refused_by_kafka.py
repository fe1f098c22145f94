"""Settings of Kafka's under which a worker cannot work end it with one line and exit code 2."""

from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from tests.brokers import Installation, wait_until
from tests.kafka.group import admin_of
from tests.kafka.recreating import real_name, refused


@pytest.fixture
def installed(on_kafka: Installation) -> Installation:
    assert on_kafka.run("topics").returncode == 0
    return on_kafka


@pytest.fixture
def stranger(installed: Installation) -> Iterator[Consumer]:
    how = {"bootstrap.servers": installed.broker.address, "group.id": installed.app, "log_level": 0}
    consumer = Consumer(how)  # it answers the heartbeats by itself
    consumer.subscribe([installed.topic("events")])
    wait_until(lambda: (consumer.poll(0.1), consumer.assignment())[1], 30, "its partitions")
    yield consumer
    consumer.close()


def alter(installation: Installation, name: str, setting: str, value: int) -> None:
    entry = ConfigEntry(setting, str(value), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, real_name(installation, name), incremental_configs=[entry])
    for altered in admin_of(installation.broker.address).incremental_alter_configs([resource]).values():
        altered.result()


def test_a_session_timeout_that_kafka_does_not_take(installed: Installation) -> None:
    line = refused(installed, SESSION_TIMEOUT="40m")

    assert line.startswith("leadstream: Kafka takes no LEADSTREAM_SESSION_TIMEOUT=40m: set one between its group.min.session.")


@pytest.mark.usefixtures("stranger")
def test_a_group_in_which_somebody_else_reads(installed: Installation) -> None:
    line = refused(installed)

    assert line.startswith(f"leadstream: in the group {installed.app} is a consumer that is no worker: stop it (`kafka-consumer-")


@pytest.mark.parametrize("name", ["dead-letters", "visitors-changelog"])
def test_a_topic_that_takes_less_than_what_is_sent_there(installed: Installation, name: str) -> None:
    alter(installed, name, "max.message.bytes", 300)
    installed.produce("events", [(b"user::u", b'{"type": "identify", "userId": "u"}'), (b"k", b'{"type": "nope"}')])
    line, topic = refused(installed), real_name(installed, name)

    assert line.startswith("leadstream: Kafka takes no ")
    assert f" bytes into {topic}-" in line
    assert f": max.message.bytes of {topic} is too low: `leadstream topics --check`" in line
    assert f"{topic}: max.message.bytes is 300, should be " in installed.run("topics", "--check").stdout
