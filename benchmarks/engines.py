"""Engines on one and the same job, and our whole product on its own.

`python -m benchmarks.engines [--events N] [--runs N] [--only NAME …]`

One worker process of each in turn, interleaved, on one topic of one broker. The CPU of the whole process counts, by what
its group has committed; and its outputs are counted against the oracle's.
"""

import argparse
import hashlib
import json
import os
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import throughput
from benchmarks.kafka import Kafka, kafka, progress
from benchmarks.measured import Cost, Reading, until_read
from benchmarks.peers import job
from benchmarks.report import Section, Table, Target, text
from tests.brokers import Process

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".cache" / "bench"
QUIX = ("quixstreams==3.28.1", "orjson", "msgspec")
HEAP = ("-Xms1g", "-Xmx1g", "-Xmn640m")
"""A young generation large enough that rows die in it: half the collector's time of the default."""
JAVA = ROOT / "benchmarks" / "peers" / "kafka_streams"
SLOW_SHARE = 10
"""Plain Faust reads this part of the events, of this part of the visitors: it takes so much longer."""
EVENTS_A_VISITOR = 20
TITLE = "Engines on the same job"
ABOUT = (
    "{events:,} events of 550 B by {visitors:,} visitors: 40 tags decayed over 7 days, a score, an output when it rises over a"
    " threshold. One worker process, 8 partitions, commits at most 1 s apart, {runs} interleaved runs. Ours drops repeated"
    " messages too, the peers need not; every engine's outputs were counted against an oracle's. Plain Faust reads a {slow}th."
    " `benchmarks/peers/` says how each is set. *Second half*: the CPU of an event there alone, when a virtual machine has"
    " compiled what it will and tables are full; the limits hold for the whole run. The whole product, in the same rounds, reads"
    " as many events of a website's mix (97 of 100 by anonymous visitors, 3 by known leads) with the shipped ruleset, companies"
    " by address, crawlers, identities: `[visitors]` and `[people]` in one worker process."
)
OURS, WHOLE = "leadstream", "whole product"
LIMITS = ((OURS, "Kafka Streams", 0.5), (OURS, "Quix Streams", 0.4), (OURS, "plain Faust", 0.05), (WHOLE, "Kafka Streams", 1.0))
"""What an event may cost with us, in units of theirs; the whole product does far more than their job."""


@dataclass
class Engine:
    """One of those compared: `command` is made once, when its packages are there; without one it is the whole product."""

    name: str
    command: Callable[[], Sequence[str]] | None = None
    drops_repeats: bool = False
    slow: bool = False
    costs: list[Cost] = field(default_factory=list)

    @property
    def cpu_us(self) -> float:
        """Return the median of the runs."""
        return statistics.median(cost.cpu_us for cost in self.costs)


@dataclass(frozen=True)
class Input:
    """A topic with the job's events, and the number of outputs that is right with repeats dropped or counted."""

    topic: str
    events: int
    dropped: int
    counted: int


def engines() -> list[Engine]:
    """Return all of them, ours first."""
    return [
        Engine(OURS, lambda: _faust("ours", "--loop", "uvloop"), drops_repeats=True),
        Engine("Kafka Streams", _kafka_streams),
        Engine("Quix Streams", _quix),
        Engine("bare aiokafka", lambda: [sys.executable, "-m", "benchmarks.peers.bare_aiokafka"]),
        Engine("plain Faust", lambda: _faust("plain_faust"), slow=True),
        Engine(WHOLE),
    ]


def run(chosen: Sequence[Engine], events: int, visitors: int, runs: int) -> list[Engine]:
    """Run each engine `runs` times in turn and return them with what they cost."""
    commands = {engine.name: list(engine.command()) for engine in chosen if engine.command}
    with tempfile.TemporaryDirectory(prefix="leadstream-bench-") as made, kafka() as broker:
        inputs = {
            slow: _publish(broker, *(n // (SLOW_SHARE if slow else 1) for n in (events, visitors)))
            for slow in {engine.slow for engine in chosen if engine.command}
        }
        for number in range(runs):
            for engine in chosen:
                if engine.name in commands:
                    cost = _run_once(broker, engine, commands[engine.name], inputs[engine.slow], Path(made))
                else:
                    cost = throughput.run_once(broker, throughput.Case(engine.name, visitors, filled=False), events)
                engine.costs.append(cost)
                progress(
                    f"{number + 1}/{runs} {engine.name}: {cost.cpu_us:.1f} us an event, {cost.per_second:,.0f}/s,"
                    f" {cost.cores:.2f} cores, {cost.rss_mb:.0f} MB"
                )
        broker.delete("job-")
    return list(chosen)


def _run_once(broker: Kafka, engine: Engine, command: Sequence[str], given: Input, folder: Path) -> Cost:
    app = f"bench-{secrets.token_hex(4)}"
    output, log, state = f"{app}-output", folder / f"{app}.log", folder / app
    broker.create(output, job.PARTITIONS)
    if engine.drops_repeats:
        broker.create(f"{app}-visitors-changelog", job.PARTITIONS, cleanup_policy="compact")
    settings = {"KAFKA": broker.address, "APP": app, "JOB": given.topic, "OUTPUT": output, "STATE": str(state)}
    process = Process(command, os.environ | {"PYTHONPATH": str(ROOT)} | settings, log, folder).start()
    try:
        cost = until_read(broker, [process], Reading(given.topic, app, job.PARTITIONS, given.events))
    finally:
        process.stop(15)
    right = given.dropped if engine.drops_repeats else given.counted
    if (made := broker.end(output)) != right:
        raise RuntimeError(f"{engine.name} made {made} outputs, {right} are right:\n{process.output[-2000:]}")
    broker.delete(app, f"changelog__{app}")
    shutil.rmtree(state, ignore_errors=True)
    return cost


def _publish(broker: Kafka, events: int, visitors: int) -> Input:
    topic = f"job-{events}"
    broker.create(topic, job.PARTITIONS)
    broker.produce(topic, job.events(events, visitors), topic, events)
    dropped, counted = _right(events, visitors)
    return Input(topic, events, dropped, counted)


def _right(events: int, visitors: int) -> tuple[int, int]:
    """Return how many outputs are right with repeats dropped and counted; the slow oracle is asked once."""
    known = CACHE / f"outputs-{events}-{visitors}-{_digest(Path(job.__file__).read_text())}.json"
    if not known.exists():
        progress(f"{events:,} events: the oracle counts what is right")
        counts = [job.outputs(job.events(events, visitors), repeats_count=counts) for counts in (False, True)]
        known.parent.mkdir(parents=True, exist_ok=True)
        known.write_text(json.dumps(counts))
    dropped, counted = json.loads(known.read_text())
    progress(f"{events:,} events: {dropped:,} outputs are right, {counted:,} where repeats count")
    return dropped, counted


def _faust(module: str, *options: str) -> list[str]:
    worker = ["worker", "--without-web", "--loglevel", "warn"]
    return [sys.executable, "-m", "faust", *options, "-A", f"benchmarks.peers.{module}", *worker]


def _quix() -> list[str]:
    """Install Quix Streams into an environment of its own, once."""
    python = CACHE / f"quix-{_digest(*QUIX)}" / "bin" / "python"
    if not python.exists():
        progress("installing Quix Streams")
        subprocess.run([sys.executable, "-m", "venv", str(python.parents[1])], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *QUIX], check=True)
    return [str(python), "-m", "benchmarks.peers.quix_streams"]


def _kafka_streams() -> list[str]:
    """Fetch Kafka Streams with Maven and compile the job, once."""
    folder = CACHE / f"streams-{_digest((JAVA / 'pom.xml').read_text(), (JAVA / 'Job.java').read_text())}"
    if not (folder / "Job.class").exists():
        progress("fetching and compiling Kafka Streams")
        words = ["dependency:copy-dependencies", f"-DoutputDirectory={folder}"]
        subprocess.run(["mvn", "-q", "-B", "-f", str(JAVA / "pom.xml"), *words], check=True, stdout=subprocess.DEVNULL)  # noqa: S607
        subprocess.run(["javac", "-d", str(folder), "-cp", f"{folder}/*", str(JAVA / "Job.java")], check=True)  # noqa: S607
    return ["java", *HEAP, "-XX:+UseSerialGC", "-cp", f"{folder}:{folder}/*", "Job"]


def _digest(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:8]


def table(ran: Iterable[Engine]) -> Table:
    """Return a line an engine: CPU of an event, also in the second half alone, events a second, cores, memory, our share."""
    ran = list(ran)
    ours = next((engine.cpu_us for engine in ran if engine.name == OURS), None)
    lines: list[tuple[str, ...]] = [
        ("engine", "CPU us/event", "single runs", "second half", "events/s", "cores", "RSS MB", "leadstream's share")
    ]
    for engine in ran:
        warm, per_second, cores, rss = (
            statistics.median(getattr(cost, what) for cost in engine.costs)
            for what in ("warm_us", "per_second", "cores", "rss_mb")
        )
        single = " ".join(f"{cost.cpu_us:.1f}" for cost in engine.costs)
        share = "" if ours is None else f"{ours / engine.cpu_us:.2f}"
        figures = (f"{warm:.1f}", f"{per_second:,.0f}", f"{cores:.2f}", f"{rss:.0f}", share)
        lines.append((engine.name, f"{engine.cpu_us:.1f}", single, *figures))
    return lines


def targets(ran: Iterable[Engine]) -> list[Target]:
    """Return the limits of those that were run."""
    costs = {engine.name: engine.cpu_us for engine in ran}
    return [
        Target(f"{us}, CPU of an event in units of {peer}", costs[us] / costs[peer], limit, "x")
        for us, peer, limit in LIMITS
        if us in costs and peer in costs
    ]


def section(events: int, runs: int, only: Sequence[str] = ()) -> Section:
    """Measure and say."""
    chosen = [engine for engine in engines() if not only or engine.name in only]
    ran = run(chosen, events, max(1, events // EVENTS_A_VISITOR), runs)
    about = ABOUT.format(events=events, visitors=events // EVENTS_A_VISITOR, runs=runs, slow=SLOW_SHARE)
    return Section(TITLE, about, [table(ran)], targets(ran))


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare engines on the same job.")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=[engine.name for engine in engines()], default=[])
    options = parser.parse_args()
    print(text(section(options.events, options.runs, options.only)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
