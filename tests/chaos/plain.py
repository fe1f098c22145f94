"""What each visitor did, out of the log of events alone: one pass, no engine, the rules of reading a partition written again."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache

import msgspec
import orjson

from tests.brokers import Record
from tests.chaos.feeder import PROMPT_MS
from tests.oracle.facts import instant_text
from tests.oracle.oracle import ranges_from
from tests.oracle.reading import DeadLetterError, Event, read
from tests.oracle.rules import Rules

UNKNOWN_MS = 1 << 40
"""Nobody saw when a forwarded event arrived."""


@dataclass
class Deed:
    """An applied event. `version` is its position: one more than its offset.

    `late_ms` says how long after its receive time it lay in its key's partition, at most.
    """

    version: int
    event: Event
    late_ms: int
    rules: Rules


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


def deeds(
    records: Iterable[Record], rules: Rules, ranges: str, partitions: int, delays: Mapping[str, int]
) -> dict[str, list[Deed]]:
    """Return what each visitor did, in the order of its partition."""
    found: dict[str, list[Deed]] = defaultdict(list)
    holding: dict[int, tuple[int, Rules]] = defaultdict(lambda: (0, rules))
    memories, places = defaultdict[str, Memory](Memory), ranges_from(ranges)
    stages = {str(stage["name"]) for stage in rules.stages}
    for number, record in enumerate(records, 1):
        if record.headers.get("leadstream-internal") == b"ruleset":
            _, place, text = msgspec.msgpack.decode((record.value or b"")[1:])
            if place > holding[record.partition][0]:
                holding[record.partition] = place, rules_of(text)
        if "leadstream-internal" in record.headers or record.value is None:
            continue
        try:
            event = _event(record, number, stages, places)
        except DeadLetterError:
            continue
        if event.echo or _partition(event.key, partitions) != record.partition:
            continue  # what lies elsewhere comes again, forwarded
        forwarded = record.headers.get("leadstream-forwarded-from")
        if not memories[event.key].knows(event, forwarded):
            late_ms = record.timestamp_ms - event.r + delays.get(f"{record.partition}:{record.offset}", PROMPT_MS)
            in_force = holding[record.partition][1]
            found[event.key].append(Deed(record.offset + 1, event, UNKNOWN_MS if forwarded else late_ms, in_force))
    return found


@cache
def rules_of(text: bytes) -> Rules:
    """Return a ruleset, the same one for the same text."""
    return Rules(text)


def _event(record: Record, number: int, stages: set[str], ranges: list[dict[str, object]]) -> Event:
    """Read an event as received when Kafka got it, or when it says, if that is earlier."""
    at = record.timestamp_ms
    event = read(_received(record.value or b"", at), number, at, stages, ranges)
    if event.r <= at:
        return event
    return read(orjson.dumps(event.body | {"receivedAt": instant_text(at)}), number, at, stages, ranges)


def _received(value: bytes, at: int) -> bytes:
    """Say when a record was received where it does not say so itself."""
    try:
        body = orjson.loads(value)
    except orjson.JSONDecodeError:
        return value
    if not isinstance(body, dict) or body.get("receivedAt") is not None:
        return value
    return orjson.dumps(body | {"receivedAt": instant_text(at)})


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
