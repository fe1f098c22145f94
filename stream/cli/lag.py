"""`leadstream lag`: how far behind each partition is, asked of Kafka itself."""

import asyncio
import time
from typing import Any

import click
from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from stream.cli.connections import run
from stream.errors import UsageError
from stream.ops.lag import LagMeter, Report
from stream.settings import Settings, load

EVERY_S = 2.0
_COLOURS = {"OK": "green", "WARN": "yellow", "STOP": "red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout and nothing else.")
@click.option("--watch", is_flag=True, help="Again every two seconds, until Ctrl-C.")
def lag(*, as_json: bool, watch: bool) -> None:
    """Show how far behind each partition is, in records and in seconds, and which one holds the people's clock.

    Kafka is asked, not a worker: this works while none lives. OK: nothing to read, or nothing older than ten seconds.
    WARN: behind. STOP: something to read, and no worker in the group.
    """
    if as_json and watch:
        raise UsageError("--json is one document, --watch never ends: use one of them")
    settings = load()
    if watch:
        run(_watch(settings, Console()))
        return
    report = run(_once(settings))
    if as_json:
        import orjson

        click.echo(orjson.dumps(report.document()))
    else:
        Console().print(show(report))


async def _once(settings: Settings) -> Report:
    async with LagMeter(settings) as meter:
        return await meter.measure()


async def _watch(settings: Settings, console: Console) -> None:
    async with LagMeter(settings) as meter:
        with Live(console=console, auto_refresh=False) as live:
            while True:
                live.update(show(await meter.measure()), refresh=True)
                await asyncio.sleep(EVERY_S)


def show(report: Report) -> Group:
    """Return a report as a table and a line about the clock."""
    table = Table("topic", "partition", "status", "committed", "end", "behind", "for", box=box.SIMPLE_HEAD)
    for column in table.columns[3:]:
        column.justify = "right"
    for part in report.lags:
        table.add_row(
            part.topic, str(part.partition), Text(part.status, _COLOURS[part.status]), _or_dash(part.committed), str(part.end),
            str(part.records), "?" if part.seconds is None else f"{part.seconds:.1f} s",
        )  # fmt: skip
    return Group(table, Text(f"{time.strftime('%H:%M:%S')}  {_clock(report)}"))


def _clock(report: Report) -> str:
    holder, seconds = report.clock.partition, report.clock.seconds
    if holder is None:
        return "no clock yet: no worker has said how far it read"
    if seconds is None:
        return f"partition {holder} holds the clock: nothing was heard of it"
    return f"partition {holder} holds the clock, {seconds:.1f} s behind"


def _or_dash(value: Any) -> str:
    return "-" if value is None else str(value)
