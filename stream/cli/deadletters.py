"""`leadstream deadletters`: list, show and replay what could not be processed."""

import re
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click
import orjson
from aiokafka import AIOKafkaConsumer, ConsumerRecord

from stream.cli.connections import admin_client, consumer_client, producer_client, read_to_end, require_topic, run
from stream.domain import instants
from stream.errors import NegativeAnswerError, UsageError
from stream.settings import Settings, load, parse_duration

REPLAYED = "leadstream-replayed"

_OURS = "leadstream-"


@dataclass(frozen=True)
class Filter:
    """Which dead letters are meant; `limit` takes the newest, 0 all."""

    reason: str | None = None
    since_ms: int | None = None
    limit: int = 0


@dataclass(frozen=True)
class Letter:
    """A dead letter with its own place, `TOPIC:PARTITION:OFFSET`."""

    place: str
    at_ms: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]

    def header(self, name: str) -> str:
        """Return what a header of ours says, empty where there is none."""
        return self.headers.get(_OURS + name, b"").decode(errors="backslashreplace")

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


@click.group()
def deadletters() -> None:
    """List, show or replay records that could not be processed.

    Each is kept with its original bytes and the reason: not_json, too_large, schema_violation, unknown_type, ….
    """


def _filters(command: Any) -> Any:
    for option in (
        click.option("--limit", type=click.IntRange(0), default=0, help="Only the newest N."),
        click.option("--since", help="From an instant on (2026-11-22T10:00:00Z), or of the last 15m, 2h, 14d."),
        click.option("--reason", help="Only those with this reason, like schema_violation."),
    ):
        command = option(command)
    return command


@deadletters.command("list")
@_filters
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def list_(reason: str | None, since: str | None, limit: int, as_json: bool) -> None:
    """List dead letters, oldest first: place, time, reason, where it was found, what was wrong."""
    letters = run(_letters(load(), Filter(reason, _instant(since), limit)))
    if as_json:
        click.echo(orjson.dumps({"deadLetters": [letter.document() for letter in letters]}))
        return
    for letter in letters:
        columns = (letter.place, instants.write(letter.at_ms), letter.header("reason"), letter.found)
        click.echo("  ".join((*columns, letter.header("message"))))
    click.echo(f"{len(letters)} dead letters", err=True)


@deadletters.command()
@click.argument("place", metavar="TOPIC:PARTITION:OFFSET")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def show(place: str, as_json: bool) -> None:
    """Show one dead letter in full; PLACE as `list` prints it."""
    if not re.fullmatch(r"[\w.-]+:\d+:\d+", place):
        raise UsageError(f"{place} is no place of a dead letter: give TOPIC:PARTITION:OFFSET as `list` prints it")
    letters = [letter for letter in run(_letters(load(), Filter())) if letter.place == place]
    if not letters:
        raise NegativeAnswerError(f"no dead letter lies at {place}: `leadstream deadletters list` names what there is")
    document = letters[0].document()
    if as_json:
        click.echo(orjson.dumps(document))
        return
    for name, value in document.items():
        click.echo(f"{name:<10} {value}")


@deadletters.command()
@_filters
def replay(reason: str | None, since: str | None, limit: int) -> None:
    """Send dead letters back to `events`, value and key unchanged.

    Harmless to repeat: what was applied once is not applied again, and a letter that came back as a new dead letter is
    replayed through that one only.
    """
    sent, kept = run(_replay(load(), Filter(reason, _instant(since), limit)))
    click.echo(f"{sent} dead letters replayed" + (f", {kept} without content cannot be" if kept else ""))


async def _replay(settings: Settings, wanted: Filter) -> tuple[int, int]:
    letters = await _letters(settings, wanted, superseded=False)
    sendable = [letter for letter in letters if letter.key is not None or letter.value is not None]
    topic = f"{settings.topic_prefix}events"
    async with producer_client(settings) as producer:
        acknowledged = []
        for letter in sendable:
            headers = [pair for pair in letter.headers.items() if not pair[0].startswith(_OURS)]
            headers.append((REPLAYED, letter.place.encode()))
            acknowledged.append(await producer.send(topic, letter.value, key=letter.key, headers=headers))
        for future in acknowledged:
            await future
    return len(sendable), len(letters) - len(sendable)


async def _letters(settings: Settings, wanted: Filter, *, superseded: bool = True) -> list[Letter]:
    """Read the dead letters that are meant, oldest first; a `superseded` one was replayed and came back as a newer."""
    topic = f"{settings.topic_prefix}dead-letters"
    async with admin_client(settings) as admin:
        await require_topic(admin, topic)
        await require_topic(admin, f"{settings.topic_prefix}events")
        partitions = len((await admin.describe_topics([topic]))[0]["partitions"])
    newest: deque[Letter] = deque(maxlen=wanted.limit or None)
    async with consumer_client(settings) as consumer:
        letters = sorted(
            [letter async for letter in _read(consumer, topic, partitions, wanted.since_ms)],
            key=lambda letter: letter.at_ms,  # equal ones stay as they lie in the log
        )
    back = set() if superseded else {letter.headers.get(REPLAYED, b"").decode() for letter in letters}
    for letter in letters:
        if letter.place not in back and wanted.reason in {None, letter.header("reason")}:
            newest.append(letter)
    return list(newest)


async def _read(consumer: AIOKafkaConsumer, topic: str, partitions: int, since_ms: int | None) -> AsyncIterator[Letter]:
    async for record in read_to_end(consumer, topic, partitions, since_ms):
        yield _letter(record)


def _letter(record: ConsumerRecord) -> Letter:
    place = f"{record.topic}:{record.partition}:{record.offset}"
    return Letter(place, record.timestamp, record.key, record.value, dict(record.headers))


def _instant(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return int((datetime.now(UTC) - parse_duration(text)).timestamp() * 1000)
    except ValueError:
        pass
    try:
        return instants.parse(text)
    except ValueError:
        raise UsageError(f"--since {text}: give an instant like 2026-11-22T10:00:00Z, or a duration like 2h") from None
