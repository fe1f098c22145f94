"""Settings of Kafka's under which a worker cannot work end it with one line and exit code 2."""

import time
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from stream.runtime.producer import partition_of
from stream.runtime.topics import ANY_AGE, OLDEST
from tests.brokers import Installation, wait_until
from tests.kafka.group import admin_of, committed
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


def alter(installation: Installation, name: str, setting: str, value: int | str) -> None:
    entry = ConfigEntry(setting, str(value), incremental_operation=AlterConfigOpType.SET)
    topic, admin = real_name(installation, name), admin_of(installation.broker.address)
    for altered in admin.incremental_alter_configs(
        [ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])]
    ).values():
        altered.result()

    def told() -> str:
        (described,) = admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]).values()
        return str(described.result()[setting].value)

    wait_until(lambda: told() == str(value), 30, f"the broker to know {setting}")  # the controller has answered, not it


def test_a_forward_that_is_too_old_for_its_topic(installed: Installation) -> None:
    key, topic = b"anon::w", installed.topic("events")
    wrong = (partition_of(key, 4) + 1) % 4
    installed.produce("events", [(key, b'{"type": "page", "anonymousId": "w"}')], partition=wrong)
    found = int(time.time() * 1000)
    assert "events: message.timestamp" not in installed.run("topics", "--check").stdout
    alter(installed, "events", OLDEST, 1000)
    wait_until(lambda: time.time() * 1000 > found + 1000, 5, "the record to be too old")
    line = refused(installed)

    assert line.startswith("leadstream: Kafka takes no record of that age into ")
    assert f": {OLDEST} (or .after.max.ms) of {topic} is too low: `leadstream topics --check` says" in line
    assert f"{topic}: {OLDEST} is 1000, should be {ANY_AGE}" in installed.run("topics", "--check").stdout
    alter(installed, "events", OLDEST, int(ANY_AGE))
    worker = installed.worker()
    wait_until(lambda: sum(committed(installed, "events").values()) == 2, 30, "the record and its forward")
    assert worker.stop() == 0


def test_clocks_may_differ_from_a_broker_s(installed: Installation) -> None:
    alter(installed, "people", "message.timestamp.after.max.ms", 1000)
    topic = installed.topic("people")

    assert (
        f"{topic}: message.timestamp.after.max.ms is 1000, should be at least 3600000"
        in installed.run("topics", "--check").stdout
    )


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


@pytest.mark.parametrize("name", ["people", "members", "dead-letters"])
def test_a_log_that_is_compacted_takes_no_record_without_a_key(installed: Installation, name: str) -> None:
    alter(installed, name, "cleanup.policy", "compact")
    installed.produce("events", [(b"user::u", b'{"type": "identify", "userId": "u"}'), (None, b"{broken")])
    line, topic = refused(installed), real_name(installed, name)

    assert line.startswith(f"leadstream: Kafka takes no record without a key into {topic}-")
    assert f": cleanup.policy of {topic} holds compact: `leadstream topics --check` says what it should be" in line
    assert f"{topic}: cleanup.policy is compact, should be delete" in installed.run("topics", "--check").stdout
    alter(installed, name, "cleanup.policy", "delete")
    worker = installed.worker()
    wait_until(lambda: sum(committed(installed, "events").values()) >= 2, 30, "all events")
    assert worker.stop() == 0
