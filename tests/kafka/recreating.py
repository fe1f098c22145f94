"""Topics that go and come back, as an operator's mistake would have it."""

from collections.abc import Iterable

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic, ResourceType

from stream.runtime.embedded import free_port
from tests.brokers import Installation, Process, wait_until
from tests.kafka.group import admin_of, committed, wait_until_read


def real_name(installation: Installation, name: str) -> str:
    """Return the topic's name in Kafka: changelogs carry the app's, others the prefix."""
    return f"{installation.app}-{name}" if name.endswith("-changelog") else installation.topic(name)


def recreate(installation: Installation, name: str, partitions: int = 4) -> None:
    """Delete a topic and make it anew, empty."""
    admin, topic = admin_of(installation.broker.address), real_name(installation, name)
    partitions = 1 if name in {"people", "people-changelog"} else partitions
    config = {"cleanup.policy": "compact"} if name.endswith("-changelog") else {}
    (deleted,) = admin.delete_topics([topic]).values()
    deleted.result()
    wait_until(lambda: topic not in admin.list_topics(timeout=20).topics, 20, "the end of the topic")

    def created() -> bool:
        (made,) = admin.create_topics([NewTopic(topic, partitions, 1, config=config)]).values()
        return made.exception() is None

    wait_until(created, 20, "the new topic")
    wait_until(lambda: len(admin.list_topics(topic, timeout=20).topics[topic].partitions) == partitions, 20, "its partitions")


def grow(installation: Installation, names: Iterable[str], partitions: int) -> None:
    """Give topics more partitions, and wait until Kafka shows them."""
    admin, topics = admin_of(installation.broker.address), [real_name(installation, name) for name in names]
    for grown in admin.create_partitions([NewPartitions(topic, partitions) for topic in topics]).values():
        grown.result()
    shown = admin.list_topics
    wait_until(lambda: all(len(shown(timeout=20).topics[topic].partitions) == partitions for topic in topics), 20, "all of them")


def delete_before(installation: Installation, name: str, offsets: dict[int, int]) -> None:
    """Delete the records of a topic's partitions below offsets, as its retention would."""
    admin, topic = admin_of(installation.broker.address), real_name(installation, name)
    policy = ConfigEntry("cleanup.policy", "delete", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[policy])
    for altered in admin.incremental_alter_configs([resource]).values():
        altered.result()

    def deleted() -> bool:
        for gone in admin.delete_records([TopicPartition(topic, n, offset) for n, offset in offsets.items()]).values():
            try:
                gone.result()
            except KafkaException as refused:
                why = refused.args[0]
                if isinstance(why, KafkaError) and why.code() == KafkaError.POLICY_VIOLATION:
                    return False  # the controller knows the policy, the leader not yet
                raise
        return True

    wait_until(deleted, 20, "the deletion of records")


def settle(installation: Installation, count: int, **settings: str) -> dict[int, int]:
    """Let a worker read so many events in all and stop; return what it committed."""
    worker = installation.worker(**settings)
    worker.wait_for_line("ready: ")
    wait_until_read(installation, count)
    assert worker.stop() == 0
    return committed(installation, "events")


def refused(installation: Installation, **settings: str) -> str:
    """Start a worker that must not start; return its one line."""
    name = f"refused-{len(list(installation.folder.glob('refused-*')))}"
    return ended(installation, installation.start("worker", name=name, **({"WEB_PORT": str(free_port())} | settings)))


def ended(installation: Installation, worker: Process, within_s: float = 40.0) -> str:
    """Wait until a worker has ended because something does not fit; return its one line."""
    assert worker.wait(within_s) == 2, worker.output[-3000:]
    lines = [line for line in worker.output.splitlines() if line.startswith("leadstream: ")]
    assert len(lines) == 1, lines
    installation.processes.remove(worker)
    return lines[0]
