"""The rows of visitors out of the log of events alone: one pass, no people, every part of a sum kept."""

from collections.abc import Iterable

import orjson

from tests.brokers import Record
from tests.oracle.facts import instant_text
from tests.oracle.oracle import ranges_from
from tests.oracle.people import Row
from tests.oracle.reading import DeadLetterError, Event, read
from tests.oracle.rules import Rules
from tests.oracle.world import World


def plain_rows(records: Iterable[Record], ruleset: bytes, ranges: str, partitions: int) -> tuple[dict[str, Row], Rules]:
    """Return each visitor's row, and the rules it was made with."""
    rules = Rules(ruleset)
    world, rows = World(rules), ranges_from(ranges)
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
        row = world.row(event.key)
        if event.message not in row.messages:
            row.messages.add(event.message)
            row.take(event, rules)
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
