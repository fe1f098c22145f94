"""Kafka takes nothing while too few replicas are in sync: a command says so within the time that it was given."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic

import pytest
from confluent_kafka import KafkaException

from tests.brokers import Broker, Installation, KafkaNode, Place, free_port, kafka_jars, wait_until
from tests.kafka.group import admin_of
from tests.kafka.test_zombies import alter

WAIT_S, START_S = 6, 30
"""Five commands start at once, and aiokafka gives up sending after 40 s."""
SAID = (
    ("erase", "user::1", "--yes"),
    ("link", "user::1", "anon::2"),
    ("unlink", "user::1", "anon::2"),
    ("ruleset", "deploy", "rules.toml"),
)
COMMANDS = [("canary", "--timeout", f"{WAIT_S}"), *((*said, "--wait", f"{WAIT_S}") for said in SAID)]


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[list[KafkaNode]]:
    """Two brokers that both have to have a record; the first one is the controller, too."""
    voters = {1: f"127.0.0.1:{free_port()}"}
    first = KafkaNode(tmp_path / "1", kafka_jars(), Place(1, voters))
    second = KafkaNode(tmp_path / "2", kafka_jars(), Place(2, {**voters, 2: "nobody"}))
    told = {"broker.session.timeout.ms": "2000", "broker.heartbeat.interval.ms": "500"}
    only = {"process.roles": "broker", "controller.quorum.voters": f"1@{voters[1]}", "listeners": f"PLAINTEXT://{second.address}"}
    try:
        for node, settings in ((first, told), (second, told | only)):
            with (node.home / "server.properties").open("a") as properties:
                properties.writelines(f"{name}={value}\n" for name, value in settings.items())
            node.format()
            node.process.start()
        for node in (first, second):
            node.wait_until_it_answers()
        yield [first, second]
    finally:
        for node in (first, second):
            node.process.kill()


def test_what_cannot_be_sent_ends_when_the_wait_does(nodes: list[KafkaNode], tmp_path: Path) -> None:
    first, second = nodes
    installation = Installation(Broker(first.address, "kafka"), tmp_path, prefix="", settings={"PARTITIONS": "2"})
    wait_until(lambda: len(admin_of(first.address).list_topics(timeout=20).brokers) == 2, 30, "two brokers")
    assert installation.run("topics", REPLICATION="2").returncode == 0
    for topic in ("events", "people"):
        alter(installation, topic, {"min.insync.replicas": "2"})
    (tmp_path / "rules.toml").write_text('[ruleset]\nid = "mine"\n')
    second.process.kill()

    def is_alone() -> bool:
        try:
            topics = admin_of(first.address).list_topics(timeout=5).topics
        except KafkaException:  # it has other things to do
            return False
        places = [place for name in ("events", "people", "wakes") for place in topics[name].partitions.values()]
        return all((place.leader, place.isrs) == (1, [1]) for place in places)

    wait_until(is_alone, 60, "one in sync")

    def ended(words: tuple[str, ...]) -> tuple[int, str, float]:
        began = monotonic()
        done = installation.run(*words, WEB_PORT=str(free_port()))
        return done.returncode, done.stderr, monotonic() - began

    with ThreadPoolExecutor(len(COMMANDS)) as beside:
        ends = dict(zip(COMMANDS, beside.map(ended, COMMANDS), strict=True))
    for words, (code, told, took_s) in ends.items():
        assert (code, told.count("\n")) == (3, 1), (words, told)
        assert "NotEnoughReplicasError" in told, (words, told)
        assert took_s < WAIT_S + START_S, words
