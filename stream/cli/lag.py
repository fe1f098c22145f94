"""`leadstream lag`: how far behind each partition is, asked of Kafka itself."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import click
from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from stream.cli.connections import run
from stream.domain import instants
from stream.errors import UsageError
from stream.ops.evaluator import Status
from stream.ops.lag import GroupLag, Lag, Report
from stream.ops.meter import COMMIT_MS, LagMeter
from stream.settings import Settings, load

EVERY_S = 1.0
_COLOURS = {Status.OK: "green", Status.WARN: "yellow"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout and nothing else.")
@click.option("--watch", is_flag=True, help="Again every second, until Ctrl-C.")
def lag(*, as_json: bool, watch: bool) -> None:
    """Show how far behind each partition is, in records and in seconds, and which one holds the people's clock.

    Kafka is asked, not a worker: this works while none lives. Other groups that read our topics, the CRM's too, are told
    as well.

    \b
    OK      nothing to read, nothing older than ten seconds, or catching up
    WARN    behind, and not catching up
    STALL   it commits, and does not move
    REWIND  it reads again what it had done
    STOP    something to read, and no commit for two commit intervals, or nobody there
    ERR     of a group: one of the last three is among its partitions
    """  # noqa: D301 - click's sign for lines that stay as they are
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
    """Measure; again after two commit intervals where one look cannot tell whether a partition moves."""
    async with LagMeter(settings) as meter:
        report = await meter.measure()
        if any(is_unclear(lag) for lag in report.lags):
            await asyncio.sleep(2.2 * COMMIT_MS / 1000)
            report = await meter.measure()
        return report


def is_unclear(lag: Lag) -> bool:
    """Tell whether a partition that is behind may have stopped, for all one look can tell."""
    return lag.status in {Status.OK, Status.WARN} and lag.records > 0 and (lag.seconds is None or lag.seconds * 1000 > COMMIT_MS)


async def _watch(settings: Settings, console: Console) -> None:
    async with LagMeter(settings) as meter:
        with Live(console=console, auto_refresh=False) as live:
            while True:
                live.update(show(await meter.measure()), refresh=True)
                await asyncio.sleep(EVERY_S)


def show(report: Report) -> Group:
    """Return a report as a table and a line about the clock, and the other groups below."""
    parts: list[Table | Text] = [_table(report.lags), Text(f"{time.strftime('%H:%M:%S')}  {_clock(report)}")]
    for other in report.others:
        parts += [Text(f"\n{other.group}  ").append(_coloured(other)), _table(other.lags)]
    return Group(*parts)


def _table(lags: Sequence[Lag]) -> Table:
    table = Table("topic", "partition", "status", "committed", "end", "behind", "for", box=box.SIMPLE_HEAD)
    for column in table.columns[3:]:
        column.justify = "right"
    for lag in lags:
        table.add_row(
            lag.topic, str(lag.partition), _coloured(lag), _or_dash(lag.committed), str(lag.end),
            str(lag.records), "?" if lag.seconds is None else f"{lag.seconds:.1f} s",
        )  # fmt: skip
    return table


def _coloured(told: Lag | GroupLag) -> Text:
    return Text(str(told.status), _COLOURS.get(Status(told.status), "red"))


def _clock(report: Report) -> str:
    holder, seconds, since_ms = report.clock.partition, report.clock.seconds, report.clock.since_ms
    if holder is None:
        return "no clock yet: no worker has said how far it read"
    if seconds is None:
        return f"partition {holder} holds the clock: nothing was heard of it"
    since = "" if since_ms is None else f", since {instants.write(since_ms)}"
    return f"partition {holder} holds the clock, {seconds:.1f} s behind{since}"


def _or_dash(value: Any) -> str:
    return "-" if value is None else str(value)
