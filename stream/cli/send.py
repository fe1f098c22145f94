"""`leadstream send`: publish events from files."""

import hashlib
import shutil
import sys
import tempfile
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click
import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from schemas.event import Rejected, decode, partition_key
from stream import accesslog
from stream.cli.connections import admin_client, producer_client, require_topic, run
from stream.cli.screen import plain
from stream.domain import instants
from stream.domain.instants import EARLIEST, LATEST
from stream.errors import NegativeAnswerError, UsageError
from stream.intake import Intake
from stream.lookups import Lookups
from stream.settings import Settings, load

if TYPE_CHECKING:
    import asyncio

HISTORY = ("leadstream-history", b"1")

_IN_FLIGHT = 20_000
_SHOWN = 1_000


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "--format",
    "layout",
    type=click.Choice(["ndjson", "combined"]),
    default="ndjson",
    show_default=True,
    help="One JSON event a line, or an Apache/nginx access log.",
)
@click.option("--as-recorded", is_flag=True, help="Load history: each event was received when it says it happened.")
def send(files: tuple[str, ...], layout: str, as_recorded: bool) -> None:
    r"""Publish the events of the files to `events`, in their order; `-` is standard input.

    A line that is no event is published all the same, so that it ends as a dead letter with its reason. The Kafka
    timestamp is always now.

    \b
    leadstream send events.ndjson
    leadstream send --format combined --as-recorded /var/log/nginx/access.log
    """
    settings = load()
    for name in files:
        _require_readable(name)
    run(_require_events(settings))
    tally = Tally()
    with _standard_input(files) as copy:
        run(_send(settings, files, copy, layout, tally, as_recorded=as_recorded), tally.way_on)
    for line in tally.shown:
        click.echo(plain(line), err=True)
    click.echo(f"{tally.acknowledged} events acknowledged by Kafka")
    if tally.problems:
        told = ", ".join(f"{count} {what}" for what, count in tally.problems.items())
        raise NegativeAnswerError(f"not sent: {told}: see the lines above{tally.unseen}")


def _require_readable(name: str) -> None:
    """Raise UsageError where a file cannot be read, or standard input is closed."""
    try:
        if name == "-":
            readable = sys.stdin is not None
        elif readable := Path(name).is_file():
            Path(name).open("rb").close()
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror or error}: name files that can be read, or - for standard input") from error
    if not readable:
        raise UsageError(f"{name} is no file that can be read: name existing files, or - for standard input")


@contextmanager
def _standard_input(files: tuple[str, ...]) -> Iterator[IO[bytes] | None]:
    """Keep standard input in a temporary file, if it is one of the files: a log's digest comes before its lines.

    It is read to its end outside the loop of events: the first Ctrl-C of who types it ends the command.
    """
    if "-" not in files:
        yield None
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(sys.stdin.buffer, copy)
        yield copy


@dataclass
class Tally:
    """What became of the lines; the first of the problems in full."""

    acknowledged: int = 0
    problems: Counter[str] = field(default_factory=Counter)
    shown: list[str] = field(default_factory=list)

    @property
    def unseen(self) -> str:
        """Say which of the problems are shown, where not all are."""
        return "" if self.problems.total() <= _SHOWN else f", the first {_SHOWN} of them"

    def way_on(self) -> str:
        """Say what to do behind a failure of Kafka's."""
        again = "the same files may be sent again, of one identity's last 256 events a repeated one counts once"
        return f"{self.acknowledged} events are acknowledged; {again}"

    def problem(self, what: str, where: str, line: bytes) -> None:
        """Count a line that was not sent."""
        self.problems[what] += 1
        if len(self.shown) < _SHOWN:
            self.shown.append(f"{where}: {what}: {line[:120].rstrip().decode(errors='backslashreplace')}")


async def _require_events(settings: Settings) -> None:
    async with admin_client(settings) as admin:
        await require_topic(admin, settings.topic("events"))


async def _send(
    settings: Settings, files: tuple[str, ...], standard_input: IO[bytes] | None, layout: str, tally: Tally, *, as_recorded: bool
) -> None:
    topic = settings.topic("events")
    recorder = Recorder(settings.phone_region) if as_recorded else None
    async with producer_client(settings) as producer:
        outbox = _Outbox(producer, topic, [HISTORY] if as_recorded else [], tally)
        try:
            for name in files:
                with _opened(name, standard_input) as file, _progress(name, file) as advance:
                    for where, line, value in _values(name, file, layout, tally):
                        recorded = recorder.stamp(value) if recorder else value
                        key = partition_key(recorded, settings.phone_region)
                        await outbox.put(key, recorded, where)
                        advance(len(line))
        finally:
            await outbox.settle()


class Recorder:
    """Set `receivedAt`, where it is missing, to when `simulate` says that the event was received."""

    def __init__(self, phone_region: str | None = None) -> None:
        self._intake = Intake(Lookups(), phone_region)
        self._before_ms: int | None = None

    def stamp(self, value: bytes) -> bytes:
        """Return the event with its receive time; a line that will be a dead letter comes back as it is."""
        event = self._intake.read_line(value, self._before_ms)
        if isinstance(event, Rejected):
            return value
        self._before_ms = event.r
        return value if event.echo else told_received(value, event.r)


def told_received(value: bytes, received_ms: int) -> bytes:
    """Return an event that says when it was received; as it is where it says so, or would be refused as longer than it may be."""
    document = orjson.loads(value)
    if isinstance(document.get("receivedAt"), str) or not EARLIEST <= received_ms <= LATEST:
        return value
    told = orjson.dumps({**document, "receivedAt": instants.write(received_ms)})
    return value if isinstance(decode(told), Rejected) else told


class _Outbox:
    """Send in order with many records on their way, and count what Kafka says."""

    def __init__(self, producer: AIOKafkaProducer, topic: str, headers: list[tuple[str, bytes]], tally: Tally) -> None:
        self._producer, self._topic, self._headers, self._tally = producer, topic, headers, tally
        self._waiting: deque[tuple[asyncio.Future[object], str, bytes]] = deque()

    async def put(self, key: str | None, value: bytes, where: str) -> None:
        """Hand on one event; waits where too many are on their way."""
        sent = await self._producer.send(self._topic, value, key=None if key is None else key.encode(), headers=self._headers)
        self._waiting.append((sent, where, value))
        while len(self._waiting) > _IN_FLIGHT or (self._waiting and self._waiting[0][0].done()):
            await self._settle_one()

    async def settle(self) -> None:
        """Wait for the rest; behind a failure, too: what is on its way may be acknowledged all the same."""
        failures = []
        while self._waiting:
            try:
                await self._settle_one()
            except KafkaError as error:
                failures.append(error)
        if failures:
            raise failures[0]

    async def _settle_one(self) -> None:
        sent, where, value = self._waiting.popleft()
        try:
            await sent
        except MessageSizeTooLargeError:
            self._tally.problem(f"larger than Kafka accepts ({len(value)} bytes)", where, value)
        else:
            self._tally.acknowledged += 1


def _values(name: str, file: IO[bytes], layout: str, tally: Tally) -> Iterator[tuple[str, bytes, bytes]]:
    """Yield place, line and event of each line that is sent."""
    if layout == "ndjson":
        for number, line in enumerate(file, 1):
            yield f"{name}:{number}", line, line.removesuffix(b"\n").removesuffix(b"\r")
        return
    digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # a file opened "rb"
    file.seek(0)
    for number, line in enumerate(file, 1):
        event = accesslog.parse(line.decode(errors="backslashreplace").rstrip("\r\n"), f"{digest}:{number}")
        if event is None:
            tally.problem("no line of a combined log", f"{name}:{number}", line)
            continue
        yield f"{name}:{number}", line, orjson.dumps(event)


@contextmanager
def _opened(name: str, standard_input: IO[bytes] | None) -> Iterator[IO[bytes]]:
    """Open a file; standard input, named twice, has nothing more the second time."""
    if name == "-" and standard_input is not None:
        yield standard_input
        standard_input.truncate(0)
        return
    with Path(name).open("rb") as file:
        yield file


@contextmanager
def _progress(name: str, file: IO[bytes]) -> Iterator[Callable[[int], None]]:
    """Show a bar on stderr where somebody watches."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        size = file.seek(0, 2)
        file.seek(0)
        task = progress.add_task(f"sending {Path(name).name}", total=size)
        yield lambda sent: progress.advance(task, sent)
