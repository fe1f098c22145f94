"""`leadstream lag`: how far behind each partition is, asked of Kafka itself."""

import asyncio
import os
import time
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import click
from aiokafka.errors import KafkaError
from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from stream.cli.connections import run
from stream.cli.screen import Screen
from stream.domain import instants
from stream.errors import UnreachableError, UsageError
from stream.ops.evaluator import Status
from stream.ops.lag import GroupLag, Lag, Report
from stream.ops.meter import COMMIT_MS, LagMeter
from stream.ops.reader import Known
from stream.settings import Settings, load

EVERY_S, AGAIN_S = 0.5, 1.0
"""How often a live view looks, and how soon again where Kafka did not answer."""
PIPED, NARROW = 160, 80
"""How wide a line may be where nobody says so, and below how many columns only what matters is shown."""
_COLOURS = {Status.OK: "green", Status.WARN: "yellow"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout and nothing else.")
@click.option("--watch", is_flag=True, help="Again and again, until Ctrl-C; in a pipe one table after the other.")
def lag(*, as_json: bool, watch: bool) -> None:
    """Show how far behind each partition is, in records and in seconds, and which one holds the people's clock.

    Kafka is asked, not a worker: this works while none lives. Other groups that read our topics, the CRM's too, are told
    as well.

    \b
    OK      nothing to read, nothing older than ten seconds, or catching up
    WARN    behind, and not catching up
    STALL   it commits, and does not move
    REWIND  it reads again what it had done
    STOP    something to read, and commits are missing (seen within two commit intervals), or nobody there, or what was
            read is there no more
    UNKNOWN Kafka does not tell: a partition without a leader, or whose leader does not answer
    ERR     of a group: one of the last four is among its partitions

    Exit 0: it was measured, whatever it is; 2: there are no such topics, or we may not see them; 3: Kafka does not answer. A
    live view that has begun waits until Kafka answers again.
    """  # noqa: D301 - click's sign for lines that stay as they are
    if as_json and watch:
        raise UsageError("--json is one document, --watch never ends: use one of them")
    settings = load()
    console = Screen()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPED
    if watch:
        run(_watch(settings, console))
        return
    report = run(_once(settings))
    if as_json:
        import orjson

        click.echo(orjson.dumps(report.document()))
        for line in notes(report):
            click.echo(line, err=True)
    else:
        console.print(show(report, console.width))


async def _once(settings: Settings) -> Report:
    """Measure; again after two commit intervals where one look cannot tell whether a partition moves."""
    async with LagMeter(settings) as meter:
        report = await meter.measure()
        others = (lag for other in report.others for lag in other.lags if is_cut(lag))
        if any(is_unclear(lag) for lag in (*report.lags, *others)):
            await asyncio.sleep(2.2 * COMMIT_MS / 1000)
            report = await meter.measure()
        return report


def is_unclear(lag: Lag) -> bool:
    """Tell whether a partition may have stopped, for all one look can tell: it is behind, or its log ends before the commit."""
    waits = lag.records is not None and lag.records > 0 and (lag.seconds is None or lag.seconds * 1000 > COMMIT_MS)
    return (waits and lag.status in {Status.OK, Status.WARN}) or (is_cut(lag) and lag.status == Status.OK)


def is_cut(lag: Lag) -> bool:
    """Tell whether a log seems to end before the commit."""
    return lag.committed is not None and lag.end is not None and lag.committed > lag.end


async def _watch(settings: Settings, console: Console) -> None:
    known, shown = Known(), Group()
    with Live(console=console, auto_refresh=False) if console.is_terminal else nullcontext() as live:

        def tell(what: Group | Text) -> None:
            if live is None:
                console.print(what)
            else:
                live.update(what if what is shown else Group(shown, what), refresh=True)

        while True:
            try:
                async with LagMeter(settings, known) as meter:
                    while True:
                        report = await meter.measure()
                        shown = show(report, console.width, console.height if live else None)
                        tell(shown)
                        await asyncio.sleep(report.rest_s(EVERY_S, time.time() * 1000))
            except (KafkaError, UnreachableError) as error:
                if not shown.renderables:
                    raise
                tell(Text(f"{time.strftime('%H:%M:%S')}  {error}", "red"))
                await asyncio.sleep(AGAIN_S)


def show(report: Report, width: int = 100, height: int | None = None) -> Group:
    """Return a report as a table and a line about the clock, and the other groups below.

    Where they would not fit into the height, partitions at which nothing is to be seen are counted instead.
    """
    lines = sum(len(group.lags) + 5 for group in (GroupLag("", report.lags), *report.others)) + len(notes(report))
    brief = height is not None and lines > height
    parts: list[Table | Text] = [*_table(report.lags, width, brief=brief)]
    parts.append(Text(f"{time.strftime('%H:%M:%S')}  {_clock(report)}"))
    parts += [Text(line, "red") for line in notes(report)]
    for other in report.others:
        parts += [Text(f"\n{other.group}  ").append(_coloured(other)), *_table(other.lags, width, brief=brief)]
    return Group(*parts)


def notes(report: Report) -> list[str]:
    """Return a line for each thing that hinders partitions, or us, which names them."""
    places: dict[str, list[str]] = {}
    for place, note in report.notes.items():
        places.setdefault(note, []).append(place)
    return [f"{', '.join(named)}: {note}" for note, named in places.items()]


def _table(lags: Sequence[Lag], width: int, *, brief: bool) -> list[Table | Text]:
    narrow = width < NARROW
    names = (
        ("where", "status", "behind", "for") if narrow else ("topic", "partition", "status", "committed", "end", "behind", "for")
    )
    table = Table(*names, box=box.SIMPLE_HEAD, padding=(0, 1 if not narrow else 0))
    for column in table.columns[2 if narrow else 3 :]:
        column.justify = "right"
    table.columns[0].overflow = "fold"
    for column in table.columns[1:]:
        column.no_wrap = True
    shown = [lag for lag in lags if not brief or lag.records or lag.status != Status.OK]
    for lag in shown:
        behind = "?" if lag.records is None else str(lag.records), "?" if lag.seconds is None else f"{lag.seconds:.1f} s"
        if narrow:
            table.add_row(f"{lag.topic} {lag.partition}", _coloured(lag), *behind)
        else:
            table.add_row(lag.topic, str(lag.partition), _coloured(lag), _or_dash(lag.committed), _or_dash(lag.end), *behind)
    left = len(lags) - len(shown)
    return [*([table] if shown else []), *([Text(f"  {left} partitions are OK, and all is read")] if left else [])]


def _coloured(told: Lag | GroupLag) -> Text:
    return Text(str(told.status), _COLOURS.get(Status(told.status), "red"))


def _clock(report: Report) -> str:
    holder, seconds, since_ms = report.clock.partition, report.clock.seconds, report.clock.since_ms
    if holder is None and any(lag.topic.endswith("people") and lag.status == Status.UNKNOWN for lag in report.lags):
        return "who holds the clock is not known"
    if holder is None:
        return "no clock yet: no worker has said how far it read"
    if seconds is None:
        return f"partition {holder} holds the clock: nothing was heard of it"
    since = "" if since_ms is None else f", since {instants.write(since_ms)}"
    return f"partition {holder} holds the clock, {seconds:.1f} s behind{since}"


def _or_dash(value: Any) -> str:
    return "-" if value is None else str(value)
