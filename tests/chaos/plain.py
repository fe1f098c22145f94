"""The rows of visitors out of the log of events alone: one pass, no people, every part of a sum kept."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import orjson

from tests.brokers import Record
from tests.oracle.facts import instant_text
from tests.oracle.oracle import ranges_from
from tests.oracle.people import Row
from tests.oracle.reading import DeadLetterError, Event, read
from tests.oracle.rules import Rules
from tests.oracle.world import World


@dataclass
class Memory:
    """What a visitor's row must recognise: the last 256 messages, and what was forwarded to it before."""

    messages: list[str] = field(default_factory=list)
    forwarded: dict[str, int] = field(default_factory=dict)

    def knows(self, event: Event, header: bytes | None) -> bool:
        """Tell whether an event came before; remember it if not."""
        if event.message in self.messages:
            return True
        if header is not None:
            partition, _, offset = header.decode().partition(":")
            if int(offset) <= self.forwarded.get(partition, -1):
                return True
            self.forwarded[partition] = int(offset)
        self.messages = [*self.messages[-255:], event.message]
        return False


def plain_rows(records: Iterable[Record], ruleset: bytes, ranges: str, partitions: int) -> tuple[dict[str, Row], Rules]:
    """Return each visitor's row, and the rules it was made with."""
    rules = Rules(ruleset)
    world, rows, memories = World(rules), ranges_from(ranges), dict[str, Memory]()
    stages = {str(stage["name"]) for stage in rules.stages}
    for number, record in enumerate(records, 1):
        if "leadstream-internal" in record.headers or record.value is None:
            continue
        try:
            event = _event(record, number, stages, rows)
        except DeadLetterError:
            continue
        if event.echo or _partition(event.key, partitions) != record.partition:
            continue  # what lies elsewhere comes again, forwarded
        if not memories.setdefault(event.key, Memory()).knows(event, record.headers.get("leadstream-forwarded-from")):
            world.row(event.key).take(event, rules)
    return {name: row for name, row in world.rows.items() if row.now.events}, rules


def _event(record: Record, number: int, stages: set[str], ranges: list[dict[str, object]]) -> Event:
    """Read an event as received when Kafka got it, or when it says, if that is earlier."""
    value = record.value or b""
    event = read(value, number, record.timestamp_ms, stages, ranges)
    body = orjson.loads(value)
    if body.get("receivedAt") is None or event.r > record.timestamp_ms:
        body["receivedAt"] = instant_text(record.timestamp_ms)
    return read(orjson.dumps(body), number, record.timestamp_ms, stages, ranges)


def _partition(key: str, partitions: int) -> int:
    """Return where Java's client puts a key (murmur2)."""
    data, mask = key.encode(), 0xFFFFFFFF
    hash_ = (0x9747B28C ^ len(data)) & mask
    for at in range(0, len(data) // 4 * 4, 4):
        word = int.from_bytes(data[at : at + 4], "little") * 0x5BD1E995 & mask
        hash_ = (hash_ * 0x5BD1E995 & mask) ^ ((word ^ word >> 24) * 0x5BD1E995 & mask)
    if rest := data[len(data) // 4 * 4 :]:
        hash_ = (hash_ ^ int.from_bytes(rest, "little")) * 0x5BD1E995 & mask
    hash_ = (hash_ ^ hash_ >> 13) * 0x5BD1E995 & mask
    return ((hash_ ^ hash_ >> 15) & 0x7FFFFFFF) % partitions
