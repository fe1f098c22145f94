"""Users with what `docs/runbook/acls.md` gives them and no more, and what each of them does with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.brokers import Installation, Process, wait_until
from tests.kafka.acls import Line, allow, lines
from tests.kafka.secured import PASSWORD, Secured, SecuredNode

WATCHING = " and "
"""Commands of one user that is several parts of the page."""


@dataclass
class Allowed:
    """Makes users, and starts commands as them."""

    secured: Secured
    installation: Installation
    admin: AdminClient = field(init=False)

    def __post_init__(self) -> None:
        self.admin = AdminClient({"bootstrap.servers": self.secured.broker.address, "log_level": 0})

    def users(self, mine: Mapping[str, Sequence[Line]]) -> dict[str, dict[str, str]]:
        """Return the settings of users who may do what their lines say."""
        node, bound = self.secured.broker.process, (self.installation.prefix, self.installation.app)
        assert isinstance(node, SecuredNode)
        node.know(*mine)
        allow(
            self.admin,
            list(dict.fromkeys(one for name, some in mine.items() for line in some for one in line.bindings(name, *bound))),
        )
        return {name: self.secured.by_password | {"KAFKA_USERNAME": name} for name in mine}

    def parts(self, *parts: str) -> dict[str, dict[str, str]]:
        """Return the settings of users who are each a part of the page's table, or several."""
        named = {part: part.split(WATCHING) for part in parts}
        return self.users({part: [line for line in lines() if line.part in names] for part, names in named.items()})

    def recreate(self, name: str, partitions: int) -> None:
        """Delete a topic and make it anew, as somebody might by mistake."""
        config = {"cleanup.policy": "compact"} if name.endswith("-changelog") else {}
        self.admin.delete_topics([name])[name].result(30)
        wait_until(lambda: name not in self.admin.list_topics(timeout=10).topics, 30, f"the end of {name}")
        self.create(NewTopic(name, partitions, 1, config=config))

    def create(self, topic: NewTopic) -> None:
        """Make a topic."""
        self.admin.create_topics([topic])[topic.topic].result(30)


def _client(told: Mapping[str, str]) -> dict[str, str | int]:
    return {
        "bootstrap.servers": told["KAFKA"], "security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": told["KAFKA_USERNAME"], "sasl.password": PASSWORD, "ssl.ca.location": told["KAFKA_CA"], "log_level": 0,
    }  # fmt: skip


class Crm:
    """Reads facts in the group `crm`, and sends what its people do."""

    def __init__(self, reading: Mapping[str, str], sending: Mapping[str, str]) -> None:
        how = {"group.id": "crm", "auto.offset.reset": "earliest"}
        self._consumer, self._producer = Consumer(_client(reading) | how), Producer(_client(sending))

    def begin(self, topic: str) -> None:
        """Commit where it begins: workers look round once in a while for who reads."""
        self._consumer.commit(offsets=[TopicPartition(topic, 0, 0)], asynchronous=False)

    def first_read(self, topic: str) -> bytes:
        """Return the first value that it reads, and commit."""
        self._consumer.subscribe([topic])
        message = wait_until(lambda: self._consumer.poll(0.2), 30, f"a record of {topic}")
        assert message is not None
        assert message.error() is None, message.error()
        self._consumer.commit(message, asynchronous=False)
        return message.value() or b""

    def may_read(self, *topics: str) -> None:
        """Ask where topics end, and leave the group."""
        for topic in topics:
            self._consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=30)
        self._consumer.close()

    def send(self, topic: str, value: bytes) -> None:
        """Send an event."""
        failed: list[str] = []
        self._producer.produce(topic, value, on_delivery=lambda error, _: failed.append(str(error)) if error else None)
        assert self._producer.flush(30) == 0
        assert failed == []


def done(processes: Mapping[str, Process]) -> None:
    """Wait until each has done what it was asked to."""
    for part, process in processes.items():
        assert process.wait(60) == 0, f"{part}: {process.output}"
