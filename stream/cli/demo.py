"""`leadstream demo`: everything at once, on sample visitors."""

import asyncio
import math
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from secrets import token_hex
from typing import Any
from urllib.parse import quote

import click
from rich.live import Live
from rich.text import Text

from stream.cli.connections import admin_client, consumer_client, producer_client, run
from stream.cli.pages import Pages, busiest
from stream.cli.replay import Replay, plan
from stream.cli.screen import Screen
from stream.cli.services import Service, beside, guard, interruptible, services
from stream.cli.watch import Watch
from stream.demo import story, traffic
from stream.demo.telling import Tally, visitor_line
from stream.errors import NegativeAnswerError, UsageError
from stream.runtime.embedded import EmbeddedBroker, free_port
from stream.runtime.topics import create_missing, topic_table
from stream.settings import Settings, load

FADES_AFTER_S = (5.0, 20.0)
"""How long after the beginning the story's forgotten lead loses her stage: two thirds of the replay within these."""
PATIENCE_S = 40.0
VISITORS_SHOWN = 3


@dataclass(frozen=True)
class Sample:
    """What is replayed, how fast, whether only once; `run` marks the ids of this run."""

    events: list[traffic.Event]
    rate: float
    once: bool
    run: str


class Rate(click.FloatRange):
    """Events a second, a finite number of them."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number."""
        found = super().convert(value, param, ctx)
        return found if math.isfinite(found) else self.fail(f"{value!r} is no number of events a second.", param, ctx)


@click.command()
@click.option("--events", type=click.Path(dir_okay=False, path_type=Path), help="Replay the visitors of this file.")
@click.option(
    "--format",
    "layout",
    type=click.Choice(["ndjson", "combined"]),
    default="ndjson",
    show_default=True,
    help="Of --events: one JSON event a line, or an Apache/nginx access log.",
)
@click.option("--rate", type=Rate(min=0.1), default=50.0, show_default=True, help="Events a second.")
@click.option("--once", is_flag=True, help="End after the sample, with a summary.")
@click.option("--kafka", metavar="HOST:PORT", help="Use this Kafka instead of the embedded broker.")
def demo(events: Path | None, layout: str, rate: float, once: bool, kafka: str | None) -> None:
    r"""Watch visitors become leads, rise and fall: a broker, a worker, a collector, and a stream of sample visitors.

    An access log is replayed as if it ended now, and between its lines the story of a few leads. Nothing is left behind.
    With --kafka the topics stay, as they would in production.

    \b
    leadstream demo
    leadstream demo --events /var/log/nginx/access.log --format combined --rate 200
    """  # fmt: skip
    sample = Sample(_visitors(events, layout), rate, once, f"+{token_hex(2)}" if kafka else "")
    console = Screen(markup=True, highlight=False, soft_wrap=True)
    tally = Tally(time.monotonic())
    with interruptible(), ExitStack() as stack:
        try:
            settings = _settings(kafka) if kafka else _settings(stack.enter_context(EmbeddedBroker()).address, embedded=True)
            run(_create_topics(settings))
            children = [stack.enter_context(beside(settings, name)) for name in services()]
            _introduce(console, settings, sample)
            run(_play(settings, sample, tally, console, children))
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second one must not interrupt the cleaning up
        console.print(tally.summary())
    if once and not tally.changes:
        raise NegativeAnswerError("no stage change came: run it without --once and look at the worker's pages")


def _visitors(path: Path | None, layout: str) -> list[traffic.Event]:
    if path is None:
        return traffic.shipped()
    try:
        found = traffic.read(path, layout)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}: name a readable file") from error
    except traffic.UnreadableTraffic as error:
        raise UsageError(f"{path}: {error}") from error
    if not found:
        raise UsageError(f"{path} holds no event of the format {layout}: choose another --format")
    return found


def _settings(address: str, *, embedded: bool = False) -> Settings:
    """Return the settings, with ports that are free and with the sample's companies where no others are named.

    The embedded broker speaks plaintext, whatever the settings say of the Kafka that they are for.
    """
    kafka: dict[str, Any] = {"kafka": address, **({"kafka_security": "plaintext"} if embedded else {})}
    settings = load(**kafka)
    sample = Path(str(resources.files("stream.demo").joinpath("ranges.csv")))
    return load(
        **kafka,
        web_port=_free(settings.web_host, settings.web_port),
        collector_port=_free(settings.collector_host, settings.collector_port),
        company_ranges=settings.company_ranges or sample,
    )


def _free(host: str, port: int) -> int:
    return port if port and _is_free(host, port) else free_port()


def _is_free(host: str, port: int) -> bool:
    import socket

    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError:
        return False
    return True


async def _create_topics(settings: Settings) -> None:
    async with admin_client(settings) as admin:
        await create_missing(admin, topic_table(settings))


def _introduce(console: Screen, settings: Settings, sample: Sample) -> None:
    """Print where to look while it runs."""
    page = settings.web_url
    visitor = quote(next(iter(busiest(sample.events)), ""), safe="")
    console.print(f"Kafka           {','.join(settings.kafka)}, topic {settings.topic('stage-changes')}")
    console.print(f"pages           {page}/")
    console.print(f"leads           {page}/v1/leads")
    console.print(f"a visitor       {page}/v1/visitors/anon::{visitor}")
    console.print(f"lag, metrics    {page}/v1/lag  {page}/metrics")
    console.print(f"collector       {settings.collector_url}")
    console.print("[dim]times are UTC; Ctrl-C ends it and leaves nothing behind[/]\n")


async def _play(settings: Settings, sample: Sample, tally: Tally, console: Screen, children: list[Service]) -> None:
    """Replay the sample and show what comes out, until it is over, interrupted, or a child has ended."""
    topics = {topic.name: topic.partitions for topic in topic_table(settings)}
    name = settings.topic("stage-changes")
    async with consumer_client(settings) as consumer, producer_client(settings) as producer:
        watch = Watch(consumer, name, topics[name], tally, console)
        await watch.begin()
        topic = settings.topic("events")
        replay = Replay(producer, topic, sample.rate, sample.run, tally, console, settings.phone_region)
        with _status(console, sample, tally):
            await _first_of(guard(children), watch.show(), _replay(settings, sample, replay, watch))


@contextmanager
def _status(console: Screen, sample: Sample, tally: Tally) -> Iterator[None]:
    """Keep a line of figures below everything, where somebody watches."""
    if not console.is_terminal:
        yield
        return
    with Live(get_renderable=lambda: Text(_figures(sample, tally), style="reverse"), console=console, transient=True):
        yield


def _figures(sample: Sample, tally: Tally) -> str:
    if not tally.sent:
        return " starting: the worker joins its group … "
    return f" {tally.sent} events sent, {sample.rate:g} a second · {tally.changes} stage changes · {len(tally.stages)} leads "


async def _first_of(*works: Any) -> None:
    """Run all until one ends; raise its error."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _replay(settings: Settings, sample: Sample, replay: Replay, watch: Watch) -> None:
    async with Pages(settings) as pages:
        await pages.ready()
        await _tell(settings, sample, replay)
        for visitor in await pages.of_companies(busiest(sample.events), VISITORS_SHOWN):
            replay.console.print(visitor_line(visitor))
    if sample.once:
        return await watch.faded(PATIENCE_S)
    while True:
        await replay.play(iter(sample.events), traffic.ending(sample.events, int(time.time() * 1000)))


async def _tell(settings: Settings, sample: Sample, replay: Replay) -> None:
    """Replay the visitors once, and the story with them."""
    now_ms, (soonest_s, latest_s) = int(time.time() * 1000), FADES_AFTER_S
    fades_after_s = min(latest_s, max(soonest_s, len(sample.events) / sample.rate * 2 / 3))
    due_ms = now_ms + int(fades_after_s * 1000)
    steps = story.dated(story.read(sample.run), now_ms, due_ms, lambda lines: _next(settings, lines))
    await replay.play(plan(sample.events, steps, sample.rate), traffic.ending(sample.events, now_ms))


def _next(settings: Settings, lines: Iterable[bytes]) -> int | None:
    """Ask the rules, without Kafka, when the stage of the lead of these events changes next."""
    from stream.cli.rules import intake_of, rules_of
    from stream.domain.instants import parse
    from stream.simulation import simulate

    rules = rules_of(settings.ruleset)
    leads = simulate(lines, rules, intake_of(settings, rules))["leads"]
    due = leads[0]["nextCrossingAt"] if leads else None
    return None if due is None else parse(due)
