"""`leadstream lag` asks the broker itself; both kinds of broker are asked the same."""

import json
import time
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from stream.domain.log import Tick, encode
from tests.brokers import Installation


@pytest.fixture
def installation(installation: Installation) -> Installation:
    installation.settings["PARTITIONS"] = "2"
    assert installation.run("topics").returncode == 0
    return installation


def commit(installation: Installation, topic: str, partition: int, offset: int) -> None:
    """Commit as a worker would."""
    consumer = Consumer({"bootstrap.servers": installation.broker.address, "group.id": installation.app, "log_level": 0})
    consumer.commit(offsets=[TopicPartition(installation.topic(topic), partition, offset)], asynchronous=False)
    consumer.close()


def told(installation: Installation) -> tuple[dict[tuple[str, int], dict[str, Any]], dict[str, Any]]:
    done = installation.run("lag", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    parts = {(p["topic"].removeprefix(installation.prefix), p["partition"]): p for p in document["partitions"]}
    return parts, document


def test_an_installation_that_never_worked_has_nothing_to_catch_up(installation: Installation) -> None:
    parts, document = told(installation)
    assert list(parts) == [("events", 0), ("events", 1), ("wakes", 0), ("wakes", 1), ("people", 0)]
    assert {(p["status"], p["committed"], p["lag"], p["lagSeconds"]) for p in parts.values()} == {("OK", None, 0, 0.0)}
    assert (document["clockPartition"], document["clockLagSeconds"]) == (None, None)


def test_what_was_not_read_is_counted_and_dated_by_its_oldest_record(installation: Installation) -> None:
    before = int(time.time() * 1000) - 90_000
    installation.produce("events", [(None, b"old")] * 3, partition=0, timestamp_ms=before - 600_000)
    installation.produce("events", [(None, b"new")], partition=0, timestamp_ms=before)
    installation.produce("events", [(None, b"newer")] * 4, partition=0)
    commit(installation, "events", 0, 3)
    parts, _ = told(installation)
    part = parts["events", 0]
    assert (part["committed"], part["end"], part["lag"], part["status"]) == (3, 8, 5, "STOP")
    assert 90 <= part["lagSeconds"] < 150
    assert parts["events", 1]["status"] == "OK"


def test_the_partition_with_the_oldest_tick_holds_the_clock(installation: Installation) -> None:
    now = int(time.time() * 1000)
    ticks = [Tick(0, now - 50_000), Tick(1, now - 40_000), Tick(0, now)]
    installation.produce("people", [(None, encode(tick)) for tick in ticks[:1]])
    assert told(installation)[1]["clockPartition"] == 1, "it has no tick at all"
    installation.produce("people", [(None, encode(tick)) for tick in ticks[1:]])
    document = told(installation)[1]
    assert document["clockPartition"] == 1
    assert 40 <= document["clockLagSeconds"] < 100


def test_a_missing_topic_says_what_to_do(installation: Installation) -> None:
    done = installation.run("lag", TOPIC_PREFIX="nothing-here-")
    assert done.returncode == 2
    assert "run `leadstream topics`" in done.stderr


def test_a_log_that_ends_before_its_commit_is_not_well(on_kafka: Installation) -> None:
    assert on_kafka.run("topics").returncode == 0
    topic = on_kafka.topic("events")
    on_kafka.produce("events", [(b"k", b"{}")] * 3, partition=0)
    commit(on_kafka, "events", 0, 50)
    done = on_kafka.run("lag", "--json")
    told = json.loads(done.stdout)["partitions"][0]

    assert (told["status"], told["committed"], told["end"], told["lag"]) == ("STOP", 50, 3, None)
    assert f"{topic}-0: it ends before what was committed" in done.stderr
    assert "`leadstream topics --adopt`" in done.stderr


def test_who_commits_in_transactions_does_not_go_back_while_one_is_open(on_kafka: Installation) -> None:
    assert on_kafka.run("topics").returncode == 0
    topic, group = on_kafka.topic("stage-changes"), f"{on_kafka.prefix}streams"
    on_kafka.produce("stage-changes", [(b"k", b"{}")] * 50, partition=0)
    reader = Consumer({"bootstrap.servers": on_kafka.broker.address, "group.id": group, "log_level": 0})
    writer = Producer({"bootstrap.servers": on_kafka.broker.address, "transactional.id": group, "log_level": 0})
    writer.init_transactions(30)
    for offset in (5, 10):  # the second stays open
        writer.begin_transaction()
        writer.send_offsets_to_transaction([TopicPartition(topic, 0, offset)], reader.consumer_group_metadata(), 30)
        if offset == 5:
            writer.commit_transaction(30)
    (told,) = json.loads(on_kafka.run("lag", "--json").stdout)["groups"]
    writer.abort_transaction(30)
    reader.close()

    assert (told["group"], [(one["status"], one["committed"]) for one in told["partitions"]]) == (group, [("OK", 5)])
