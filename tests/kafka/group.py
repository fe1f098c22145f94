"""The consumer group of an installation, as Kafka sees it."""

import atexit
import contextlib
import ctypes
from functools import cache
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.brokers import Installation, wait_until

ENDED = {None, 0, -9, 70}
"""Exit codes a test may have provoked."""


_admins: dict[str, AdminClient] = {}


def admin_of(address: str) -> AdminClient:
    """Return the one client of an address: one that goes while Kafka does not answer takes the process with it."""
    if address not in _admins:
        _admins[address] = AdminClient({"bootstrap.servers": address, "log_level": 0})
    return _admins[address]


@atexit.register
def _leave_clients() -> None:
    """Let nobody free the clients of a Kafka that has gone before: they would spoil the end of the process."""
    for client in _admins.values():
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(client))


@cache
def asker(address: str, group: str) -> Consumer:
    """Return a client that asks for a group's offsets without joining it: the admin's way crashes beside a young Kafka."""
    return Consumer({"bootstrap.servers": address, "group.id": group, "enable.auto.commit": False, "log_level": 0})


def committed(installation: Installation, topic: str, partitions: int = 4, group: str = "") -> dict[int, int]:
    """Return the offset of each partition that a group (the workers') has committed; empty while Kafka does not answer."""
    wanted = [TopicPartition(installation.topic(topic), partition) for partition in range(partitions)]
    try:
        found = asker(installation.broker.address, group or installation.app).committed(wanted, timeout=5)
    except KafkaException:
        return {}
    return {at.partition: at.offset for at in found if at.offset >= 0}


def ends(installation: Installation, topic: str, partitions: int = 4) -> dict[int, int]:
    """Return the end of each partition that is not empty; waits while a partition has no leader."""
    client = asker(installation.broker.address, installation.app)

    def ask() -> dict[int, int]:
        try:
            return {
                n: client.get_watermark_offsets(TopicPartition(installation.topic(topic), n), 5)[1] for n in range(partitions)
            }
        except KafkaException:
            with contextlib.suppress(KafkaException):  # a young broker denied the topic, and librdkafka believes it for ever
                client.list_topics(installation.topic(topic), timeout=5)
            return {}

    known = wait_until(ask, 120, f"the ends of {topic}")
    return {n: end for n, end in known.items() if end > 0}


def forget_clients() -> None:
    """Close the clients of a Kafka that is going to end."""
    _admins.clear()
    asker.cache_clear()


def members(installation: Installation) -> int:
    """Count the members of the group; -1 while Kafka does not answer."""
    admin = admin_of(installation.broker.address)
    described = admin.describe_consumer_groups([installation.app])[installation.app]
    try:
        return len(described.result().members)  # type: ignore[attr-defined]  # a future, whatever its stub says
    except KafkaException:
        return -1


def holders(installation: Installation) -> dict[int, str]:
    """Return who holds each partition of `events`; empty while the group is being rearranged."""
    admin = admin_of(installation.broker.address)
    described: Any = admin.describe_consumer_groups([installation.app])[installation.app]
    group = described.result()
    if group.state.name != "STABLE":
        return {}
    places = [(place, member) for member in group.members for place in member.assignment.topic_partitions]
    return {place.partition: member.member_id for place, member in places if place.topic == installation.topic("events")}


def wait_until_read(installation: Installation, count: int, timeout_s: float = 60) -> None:
    """Wait until at least `count` records of `events` are committed, and all that `people` holds by then."""
    behind = -1

    def read() -> bool:
        nonlocal behind
        for process in installation.processes:
            assert process.exit_code in ENDED, process.output[-3000:]
        if behind < 0 and sum(committed(installation, "events").values()) >= count:
            behind = len(installation.read("people"))
        return 0 <= behind <= committed(installation, "people", 1).get(0, 0)

    wait_until(read, timeout_s, f"{count} committed records")
