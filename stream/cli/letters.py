"""The dead letters that are meant: by reason, time and number."""

from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, get_args

import click
from aiokafka import AIOKafkaConsumer, ConsumerRecord

from schemas.dead_letter import PREFIX, ReasonCode
from stream.cli.connections import admin_client, consumer_client, partitions_of, read_to_end, require_topic
from stream.domain import instants
from stream.durations import parse_duration
from stream.errors import UsageError
from stream.settings import Settings

REASONS = get_args(ReasonCode)


@dataclass(frozen=True)
class Filter:
    """Which dead letters are meant; no reasons: all; `limit` takes the newest, 0 all."""

    reasons: frozenset[str] = frozenset()
    since_ms: int | None = None
    until_ms: int | None = None
    limit: int = 0

    def takes(self, at_ms: int, reason: str) -> bool:
        """Tell whether time and reason are wanted."""
        early = self.since_ms is not None and at_ms < self.since_ms
        late = self.until_ms is not None and at_ms >= self.until_ms
        return not early and not late and (not self.reasons or reason in self.reasons)

    @classmethod
    def asked(cls, reasons: tuple[str, ...], since: str | None, until: str | None, limit: int) -> "Filter":
        """Return the filter of a command's options; raises UsageError."""
        return cls(frozenset(reasons), _instant("--since", since), _instant("--until", until), limit)


@dataclass(frozen=True)
class Letter:
    """A dead letter with its own place, `TOPIC:PARTITION:OFFSET`."""

    place: str
    at_ms: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes | None]

    @classmethod
    def of(cls, record: ConsumerRecord) -> "Letter":
        """Return the letter that a record of the topic is."""
        place = f"{record.topic}:{record.partition}:{record.offset}"
        return cls(place, record.timestamp, record.key, record.value, dict(record.headers))

    def header(self, name: str) -> str:
        """Return what a header of ours says, empty where there is none."""
        return (self.headers.get(PREFIX + name) or b"").decode(errors="backslashreplace")

    @property
    def found(self) -> str:
        """Where the record was found."""
        return ":".join(self.header(name) for name in ("topic", "partition", "offset"))

    def document(self) -> dict[str, Any]:
        """Describe it for `--json`."""
        return {
            "place": self.place,
            "at": instants.write(self.at_ms),
            "reason": self.header("reason"),
            "message": self.header("message"),
            "stage": self.header("stage"),
            "found": self.found,
            "firstSeen": self.header("first-seen"),
            "key": None if self.key is None else self.key.decode(errors="backslashreplace"),
            "value": None if self.value is None else self.value.decode(errors="backslashreplace"),
            "bytes": 0 if self.value is None else len(self.value),
        }


def filters(command: Any) -> Any:
    """Give a command the options that say which letters are meant."""
    for option in (
        click.option("--limit", type=click.IntRange(0), default=0, help="Only the newest N of them; 0, the default: all."),
        click.option("--until", help="Before an instant, or older than 15m, 2h, 14d."),
        click.option("--since", help="From an instant on (2026-11-22T10:00:00Z), or of the last 15m, 2h, 14d."),
        click.option("--reason", "reasons", multiple=True, type=click.Choice(REASONS), metavar="REASON",
                     help="Only those with this reason, like schema_violation; may be repeated."),
    ):  # fmt: skip
        command = option(command)
    return command


@asynccontextmanager
async def reading(settings: Settings) -> AsyncIterator[tuple[AIOKafkaConsumer, str, int]]:
    """Connect a consumer; yields it with the topic of the letters and its number of partitions."""
    topic = settings.topic("dead-letters")
    async with admin_client(settings) as admin:
        await require_topic(admin, settings.topic("events"))
        partitions = await partitions_of(admin, topic)
    async with consumer_client(settings) as consumer:
        yield consumer, topic, partitions


async def letters(settings: Settings, wanted: Filter) -> list[Letter]:
    """Return the dead letters that are meant, oldest first."""
    found: deque[Letter] = deque(maxlen=wanted.limit or None)
    async with reading(settings) as (consumer, topic, partitions):
        read = [Letter.of(record) async for record in read_to_end(consumer, topic, partitions, wanted.since_ms)]
    for letter in sorted(read, key=lambda letter: letter.at_ms):  # equal ones stay as they lie in the log
        if wanted.takes(letter.at_ms, letter.header("reason")):
            found.append(letter)
    return list(found)


def _instant(option: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return int((datetime.now(UTC) - parse_duration(text)).timestamp() * 1000)
    except (ValueError, OverflowError):
        pass
    try:
        return max(0, instants.parse(text))  # to Kafka, what is before 1970 means something else
    except ValueError:
        raise UsageError(f"{option} {text}: give an instant like 2026-11-22T10:00:00Z, or a duration like 2h") from None
