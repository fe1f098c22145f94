"""`leadstream simulate`: the same rules in one process, without Kafka."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import click
import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from stream import settings as configuration
from stream.cli.rules import intake_of, rules_of
from stream.cli.simulated import show
from stream.domain.documents import TooEarly
from stream.domain.instants import BadInstant, parse
from stream.errors import UsageError
from stream.simulation import Simulation

STEP = 2_000
"""Lines between two looks at the progress bar."""


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
    at_ms = None if at is None else _instant(at)
    for name in files:
        _feed(simulation, name)
    try:
        document = simulation.finish(at_ms)
    except TooEarly as error:
        raise UsageError(f"--at: {error}") from error
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE))
        sys.stdout.buffer.flush()
    else:
        show(document, Console())


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
    with _progress() as progress:
        task = progress.add_task("simulate", total=size)
        for some, read in _chunks(file):
            for line in some:
                simulation.feed(line)
            progress.update(task, advance=read)


def _chunks(file: IO[bytes]) -> Iterator[tuple[list[bytes], int]]:
    some: list[bytes] = []
    for line in file:
        some.append(line)
        if len(some) >= STEP:
            yield some, sum(map(len, some))
            some = []
    yield some, sum(map(len, some))


def _progress() -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("bytes"), TimeRemainingColumn(),
        console=console, disable=not console.is_terminal, transient=True,
    )  # fmt: skip
