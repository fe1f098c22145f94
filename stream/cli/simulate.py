"""`leadstream simulate`: the same rules in one process, without Kafka."""

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import click
import orjson

from stream import settings as configuration
from stream.ahead import ReadAhead
from stream.cli.leaving import leave
from stream.cli.rules import intake_of, rules_of
from stream.domain.documents import TooEarly
from stream.domain.instants import BadInstant, parse
from stream.errors import UsageError
from stream.simulation import Simulation

STEP = 1 << 20
"""Bytes between two looks at the progress bar."""
SMALL = 4 << 20
"""Bytes that are read in this process alone: less is done before others have begun."""


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--ruleset", type=click.Path(path_type=Path), help="Ruleset to try; default: RULESET, else the shipped one.")
@click.option("--ranges", type=click.Path(path_type=Path), help="CSV network,name,domain,kind,...; default: COMPANY_RANGES.")
@click.option("--at", metavar="INSTANT", help="Show everything as of this instant; default: the largest receive time.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout and nothing else.")
def simulate(files: tuple[str, ...], ruleset: Path | None, ranges: Path | None, at: str | None, *, as_json: bool) -> None:
    r"""Run the rules over events in FILEs (NDJSON in log order; - is stdin) and show who becomes a customer, and why.

    An event's receive time is its receivedAt, else timestamp, sentAt, originalTimestamp, else that of the line before.

    \b
    Try a ruleset on last week's events before it goes live:
      leadstream simulate week.ndjson --ruleset new.toml
    """
    with _uncollected():
        settings = configuration.load()
        rules = rules_of(ruleset or settings.ruleset)
        simulation = Simulation(rules, intake_of(settings, rules, ranges), settings.app)
        document = _run(simulation, files, None if at is None else _instant(at))
    _hint(document)
    if as_json:
        click.echo(orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE), nl=False)
    else:
        from stream.cli.screen import Screen
        from stream.cli.simulated import show

        show(orjson.loads(orjson.dumps(document)), Screen())
    leave()


def _hint(document: dict[str, Any]) -> None:
    """Say what to do with files that hold no event at all: an access log's lines are none."""
    letters = document["deadLetters"]
    if letters and not document["visitors"] and all(letter["reason"] == "not_json" for letter in letters):
        click.echo(
            "no line is JSON: simulate reads events, one a line; an access log goes to `demo` or `send --format combined`",
            err=True,
        )


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the garbage collector from counting, again and again, small rows that live to the end and form no cycles."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _run(simulation: Simulation, files: tuple[str, ...], at: int | None) -> dict[str, Any]:
    """Simulate the files; many lines are shared between processes where there is a second processor."""
    chunks, size = _chunks(files), _size(files)
    first = _first(chunks) if ReadAhead.pays() else None
    try:
        if first is None or sum(len(line) for lines in first for line in lines) < SMALL:
            with _progress(size) as read:
                for lines in chain(first or (), chunks):
                    for line in lines:
                        simulation.feed(line)
                    read(sum(map(len, lines)))
            return simulation.finish(at)
        with ReadAhead(simulation, chain(first, chunks)) as ahead:
            with _progress(size) as read:
                ahead.run(read)
            return ahead.finish(at)
    except TooEarly as error:
        raise UsageError(f"--at: {error}") from error


def _first(chunks: Iterator[list[bytes]]) -> list[list[bytes]]:
    """Read until there is more than a little, or nothing more."""
    first, size = [], 0
    for lines in chunks:
        first.append(lines)
        size += sum(map(len, lines))
        if size >= SMALL:
            break
    return first


def _instant(text: str) -> int:
    try:
        return parse(text)
    except BadInstant as error:
        raise UsageError(f"--at {text!r} is no instant: write it like 2026-11-22T10:00:00Z") from error


def _chunks(files: tuple[str, ...]) -> Iterator[list[bytes]]:
    """Yield the lines of the files, about `STEP` bytes of them at a time."""
    for name in files:
        if name == "-" and sys.stdin is not None:
            yield from iter(partial(sys.stdin.buffer.readlines, STEP), [])
            continue
        try:
            with Path(name).open("rb") as file:
                yield from iter(partial(file.readlines, STEP), [])
        except OSError as error:
            raise UsageError(f"{name}: {error.strerror or error}: name a readable file of events, one JSON a line") from error


def _size(files: tuple[str, ...]) -> int | None:
    """Return the bytes of all files; None where nobody knows."""
    try:
        return None if "-" in files else sum(Path(name).stat().st_size for name in files)
    except OSError:
        return None  # the file is told when its turn comes


@contextmanager
def _progress(size: int | None) -> Iterator[Callable[[int], None]]:
    """Show a bar of the bytes read, where somebody looks."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("simulate", total=size)
        yield lambda read: progress.advance(task, read)
