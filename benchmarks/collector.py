"""What a core of the collector does: `python -m benchmarks.collector [--seconds S] [--runs N]`.

Trackers in another process send events by HTTP over kept connections; a request counts when it was answered 200, which is when
Kafka has acknowledged all its events. The CPU is that of the collector's process with all its threads, librdkafka's too.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import IO, cast

import psutil

from benchmarks.collector_cpu import HERE, elsewhere
from benchmarks.http_load import ASKING
from benchmarks.kafka import Kafka, kafka, progress
from benchmarks.measured import cpu_s
from benchmarks.product import installation
from benchmarks.report import Section, Table, Target, text
from stream.runtime.embedded import free_port
from tests.brokers import Installation, Process
from tests.kafka.workers import run_worker

TITLE = "Collector"
ABOUT = (
    "Trackers in another process send page views of 650 bytes over 64 kept connections to one collector; a request counts when it"
    " is answered 200, which is when Kafka (acks=all) has all its events. The CPU is the collector's, librdkafka's threads"
    " included; a core's rate is its inverse. The bare handler runs on the same server and does nothing but send the body to"
    " Kafka. Half load: requests due at half of a core's rate, latency counted from when they were due."
)
SINGLE, BATCH = 8_000, 60_000
P99_MS = 20.0
SECONDS = 6.0
BARE = "bare handler"


@dataclass(frozen=True)
class Case:
    """What is sent to what."""

    name: str
    path: str
    events: int
    bare: bool = False


CASES = (
    Case("single events", "/v1/page", 1),
    Case(BARE, "/v1/page", 1, bare=True),
    Case("batches of ten", "/v1/batch", 10),
)
PERSONAL = Case("personalise", "/v1/personalise?anonymousId=visitor-", 0)
PERSONAL_RATE = 500.0


@dataclass(frozen=True)
class Run:
    """A run: microseconds of CPU a request, requests a second by the clock, latencies."""

    cpu_us: float
    per_second: float
    p50_ms: float
    p99_ms: float


def measure(one: Installation, case: Case, seconds: float, rate: float = 0.0) -> Run:
    """Start a collector, send to it, and say what that took."""
    port = free_port()
    with _running(one, case, port) as process:
        command = [sys.executable, "-m", "benchmarks.http_load", str(port), case.path, f"--events={case.events}"]
        load = subprocess.Popen([*command, f"--seconds={seconds}", f"--rate={rate}"], stdout=subprocess.PIPE, text=True)
        said, watched = cast("IO[str]", load.stdout), psutil.Process(process.pid)
        said.readline()  # it begins
        before = cpu_s(watched)
        told = json.loads(said.readline())
        cpu = cpu_s(watched) - before
        load.wait()
    if told["bad"] or not told["answered"]:
        raise RuntimeError(f"{case.name}: {told}\n{process.output[-2000:]}")
    return Run(1e6 * cpu / told["answered"], told["per_second"], told["p50_ms"], told["p99_ms"])


@contextmanager
def _running(one: Installation, case: Case, port: int) -> Iterator[Process]:
    settings = {"COLLECTOR_PORT": str(port), "LOG_FORMAT": "console"}
    if case.bare:
        command = [sys.executable, "-m", "benchmarks.bare_collector"]
        process = Process(command, one.env(**settings), one.folder / f"bare-{port}.log", one.folder).start()
    else:
        process = one.start("collector", name=f"collector-{port}", **settings)
    try:
        process.wait_for_line("ready")
        yield process
    finally:
        process.stop()
        if process in one.processes:
            one.processes.remove(process)


def section(kafka: Kafka, seconds: float = SECONDS, runs: int = 3) -> Section:
    """Measure all cases, interleaved, and each at half load."""
    with installation(kafka) as one:
        found: dict[str, list[Run]] = {case.name: [] for case in CASES}
        for number in range(runs):
            for case in CASES:
                progress(f"collector: {case.name}, run {number + 1}")
                found[case.name].append(measure(one, case, seconds))
        halves = {case.name: measure(one, case, seconds, _core(found[case.name]) / 2) for case in CASES if not case.bare}
    with installation(kafka) as one:
        personal = _personal(one, seconds)
    lines: Table = [_HEAD, *(_line(case, found[case.name], halves.get(case.name)) for case in CASES)]
    single, batch = (found[name] for name in ("single events", "batches of ten"))
    targets = [
        Target("collector, single events", _core(single), SINGLE, "requests/s and core", at_least=True),
        Target("collector, batches of ten", 10 * _core(batch), BATCH, "events/s and core", at_least=True),
        *(Target(f"collector, {name} at half load: p99", run.p99_ms, P99_MS, "ms") for name, run in halves.items()),
    ]
    targets.append(Target(f"personalise, {PERSONAL_RATE:.0f} requests/s: p99", personal.p99_ms, P99_MS, "ms"))
    ratio = _cpu(single) / _cpu(found[BARE])
    asked = f"{PERSONAL_RATE:.0f} `/v1/personalise` a second by {ASKING:,} visitors, a worker behind"
    own = [f"{cpu_us:.0f} µs for a {name}" for name, cpu_us in elsewhere(HERE).items()]
    without = f"Without sockets and Kafka its own thread takes {', '.join(own)} (`python -m benchmarks.collector_cpu`)."
    spent = f"{personal.cpu_us:.0f} µs of CPU a request, p50 {personal.p50_ms:.1f} ms, p99 {personal.p99_ms:.1f} ms"
    notes = [f"A single event costs {ratio:.2f} times what the bare handler takes for it.", without, f"{asked}: {spent}."]
    return Section(TITLE, ABOUT, [lines], targets, notes)


def _personal(one: Installation, seconds: float) -> Run:
    """Let visitors that a worker knows ask what is known of them."""
    progress("collector: personalise")
    measure(one, CASES[0], 2.0, 2_000.0)
    one.settings["WEB_PORT"] = str(free_port())
    sent = len(one.read("events"))
    run_worker(one, WEB_PORT=one.settings["WEB_PORT"]).wait_until_applied(sent)
    return measure(one, PERSONAL, seconds, PERSONAL_RATE)


_HEAD = ("", "CPU µs a request", "requests/s and core", "events/s and core", "by the clock", "half load: p50 ms", "p99 ms")


def _line(case: Case, runs: Sequence[Run], half: Run | None) -> Sequence[str]:
    core = _core(runs)
    clock = median(run.per_second for run in runs)
    tail = ("", "") if half is None else (f"{half.p50_ms:.1f}", f"{half.p99_ms:.1f}")
    return (case.name, f"{_cpu(runs):.1f}", f"{core:,.0f}", f"{core * case.events:,.0f}", f"{clock:,.0f}", *tail)


def _cpu(runs: Sequence[Run]) -> float:
    return median(run.cpu_us for run in runs)


def _core(runs: Sequence[Run]) -> float:
    return 1e6 / _cpu(runs)


def main() -> int:
    parser = argparse.ArgumentParser(description="What a core of the collector does.")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with kafka() as broker:
        print(text(section(broker, options.seconds, options.runs)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
