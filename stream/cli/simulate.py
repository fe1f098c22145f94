"""`leadstream simulate`: the same rules in one process, without Kafka."""

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import chain, repeat
from pathlib import Path
from typing import IO, Any

import click
import orjson

from stream import settings as configuration
from stream.cli.rules import intake_of, rules_of
from stream.domain.documents import TooEarly
from stream.domain.instants import BadInstant, parse
from stream.errors import UsageError
from stream.readahead import ReadAhead
from stream.simulation import Simulation

STEP = 1 << 20
"""Bytes between two looks at the progress bar."""


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
    settings = configuration.load()
    rules = rules_of(ruleset or settings.ruleset)
    simulation = Simulation(rules, intake_of(settings, rules, ranges), settings.app)
    with _uncollected():
        document = _run(simulation, files, None if at is None else _instant(at))
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE))
        sys.stdout.buffer.flush()
    else:
        from rich.console import Console

        from stream.cli.simulated import show

        show(document, Console())


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the garbage collector from counting, again and again, small rows that live to the end and form no cycles."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _run(simulation: Simulation, files: tuple[str, ...], at: int | None) -> dict[str, Any]:
    for name in files:
        _feed(simulation, name)
    try:
        return simulation.finish(at)
    except TooEarly as error:
        raise UsageError(f"--at: {error}") from error


def _instant(text: str) -> int:
    try:
        return parse(text)
    except BadInstant as error:
        raise UsageError(f"--at {text!r} is no instant: write it like 2026-11-22T10:00:00Z") from error


def _feed(simulation: Simulation, name: str) -> None:
    if name == "-":
        _lines(simulation, sys.stdin.buffer, None)
        return
    try:
        with Path(name).open("rb") as file:
            _lines(simulation, file, Path(name).stat().st_size)
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror or error}: name a readable file of events, one JSON a line") from error


def _lines(simulation: Simulation, file: IO[bytes], size: int | None) -> None:
    """Feed a file; a long one is read ahead in a second process, which halves the time where there is a second processor."""
    first = file.readlines(STEP)
    second = file.readlines(STEP) if ReadAhead.pays() else []
    chunks = chain([first], [second] if second else [], iter(lambda: file.readlines(STEP), []))
    with ReadAhead(simulation.look) if second else nullcontext() as ahead, _progress(size) as read:
        for lines, events in ((lines, repeat(None)) for lines in chunks) if ahead is None else ahead.read(chunks):
            for line, event in zip(lines, events, strict=False):
                simulation.feed(line, event)
            read(sum(map(len, lines)))


@contextmanager
def _progress(size: int | None) -> Iterator[Callable[[int], None]]:
    """Show a bar of the bytes read, where somebody looks."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("simulate", total=size)
        yield lambda read: progress.advance(task, read)
