"""How soon the CRM hears: `python -m benchmarks.latency [--scale N] [--cases NAME …]`.

One worker reads the 97/3 mix, which another process publishes at a steady rate. Among it people say for the first time who
they are: a promotion is counted from before the publishing of that event to the arrival of its stage change at a consumer, so
to a little after its acknowledgement. Some of them lose their points within seconds: a demotion is counted from the instant
at which the stage is due to fall (the fact's `time`) to the arrival of its stage change. The worker's tables count every walk
through their rows meanwhile.
"""

import argparse
import hashlib
import statistics
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import orjson
import psutil
from confluent_kafka import Producer

from benchmarks import counted, mix
from benchmarks.bar import Bar
from benchmarks.kafka import Kafka, kafka, progress
from benchmarks.listener import Listener
from benchmarks.measured import cpu_s
from benchmarks.product import fill, installation, visitor_rows
from benchmarks.report import Section, Table, Target, text
from stream.rulesets import default_text
from tests.brokers import ROOT, Installation, Process

TITLE = "Latency"
ABOUT = (
    "One worker, the shipped ruleset, the 97/3 mix at a steady rate from another process. Promotion: from before the publishing"
    " of the event that decides to the arrival of its stage change at a consumer. Demotion: from the instant at which a stage is"
    " due to fall to the arrival of its stage change. Visitors have their rows before the worker starts, leads stand with a"
    " stage of their own; a scan is a walk through a table's rows, counted while events flow."
)
DECIDING_EVERY_S = 0.01
WARM_S, FALLING_S = 5.0, 15.0
ASKED = """
[behaviours.asked]
match = { type = "track", event = "Asked" }
points = 100
half_life = "10s"
"""
PROMOTION_MS, DEMOTION_MS = 250, 3_000


@dataclass(frozen=True)
class Case:
    """What is there while events flow; `demanded`: the case for which the limits hold."""

    name: str
    rate: int
    visitors: int = 50_000
    leads: int = 0
    deciding_s: float = 20.0
    demanded: bool = True

    @property
    def seconds(self) -> float:
        return WARM_S + self.deciding_s + FALLING_S


@dataclass
class Heard:
    """What came of a case: lateness in ms, the worker's cores, walks through tables, how late the flow itself was."""

    case: Case
    promotions: list[float] = field(default_factory=list)
    demotions: list[float] = field(default_factory=list)
    cores: float = 0.0
    scans: int = 0
    rows: int = 0
    flow: str = ""


def cases(scale: float = 1.0) -> list[Case]:
    """Return all of them, the last as large as an installation gets."""
    large = Case("20,000/s, all sizes", 20_000, 1_000_000, 100_000)
    if scale < 1:
        large = replace(large, visitors=int(large.visitors * scale), leads=int(large.leads * scale))
    easy = [Case("1,000/s", 1_000, demanded=False), Case("10,000/s", 10_000, demanded=False)]
    return [*easy, Case("20,000/s", 20_000), large]


def measure(kafka: Kafka, case: Case) -> Heard:
    """Let events flow, let leads rise and fall, and note when that is heard of."""
    mix.record(int(case.rate * case.seconds), case.visitors)
    with installation(kafka) as one:
        ruleset = one.folder / "ruleset.toml"
        ruleset.write_bytes(default_text() + ASKED.encode())
        one.settings["RULESET"] = str(ruleset)
        fill(kafka, one, visitor_rows(2), case.visitors)
        worker = _counted_worker(one)
        worker.wait_for_line(r"ready: \d+ rows", 300)
        with Listener(kafka, one) as heard:
            if case.leads:
                _stand(kafka, one, case.leads, heard)
            return _flow(kafka, one, worker, case, heard)


def _counted_worker(one: Installation) -> Process:
    env = one.env(WEB_PORT="0") | {"SCANS": str(one.folder / "scans")}
    worker = Process([sys.executable, "-m", "benchmarks.counted", "worker"], env, one.folder / "worker.log", one.folder).start()
    one.processes.append(worker)
    return worker


def _stand(kafka: Kafka, one: Installation, leads: int, heard: Listener) -> None:
    """Make leads who stay where they are, each with a timer far away."""
    users = [f"stands-{n}" for n in range(leads)]
    kafka.produce(one.topic("events"), ((f"user::{u}".encode(), told(u, "Meeting Attended")) for u in users), "leads", leads)
    heard.wait_for(map(lead_id, users), "leads are read", 600)


def _flow(kafka: Kafka, one: Installation, worker: Process, case: Case, heard: Listener) -> Heard:
    before, watched = counted.settled(one.folder / "scans"), psutil.Process(worker.pid)
    traffic = flowing(kafka, one, case)
    traffic.wait_for_line("flowing", 60)
    time.sleep(WARM_S)
    used, began = cpu_s(watched), time.monotonic()
    sent, falling = _decide(kafka, one, case, began)
    heard.wait_for(sent, "promotions", 120)
    heard.wait_for_falls(falling, "demotions", FALLING_S + 120)
    cores = (cpu_s(watched) - used) / (time.monotonic() - began)
    flow = traffic.wait_for_line("flowed: (.*)", 120)[1]
    time.sleep(2 * counted.EVERY_S)
    after = counted.read(one.folder / "scans")
    if not after.whole or after.rows < case.visitors:
        raise RuntimeError(f"not all rows were counted: {after}")
    promotions = [(heard.first[lead] - at) * 1000 for lead, at in sent.items()]
    demotions = [(heard.falls[lead][0] - _instant(heard.falls[lead][1])) * 1000 for lead in falling]
    return Heard(case, promotions, demotions, cores, after.scans - before.scans, after.rows, flow)


def flowing(kafka: Kafka, one: Installation, case: Case) -> Process:
    """Start the process that publishes the mix; it says `flowing`, and at its end `flowed: …`."""
    words = ["--kafka", kafka.address, "--topic", one.topic("events"), "--visitors", str(case.visitors)]
    words += ["--rate", str(case.rate), "--seconds", str(case.seconds)]
    command = [sys.executable, "-m", "benchmarks.traffic", *words]
    traffic = Process(command, one.env(), one.folder / "traffic.log", ROOT).start()
    one.processes.append(traffic)
    return traffic


def _decide(kafka: Kafka, one: Installation, case: Case, began: float) -> tuple[dict[str, float], set[str]]:
    """Publish deciding events; return when each lead's was, and which leads are to fall."""
    producer = Producer(
        {"bootstrap.servers": kafka.address, "partitioner": "murmur2_random", "linger.ms": 0, "log_level": 0}
    )  # fmt: skip
    sent: dict[str, float] = {}
    falling: set[str] = set()
    bar = Bar(case.name, case.deciding_s)
    for number in range(int(case.deciding_s / DECIDING_EVERY_S)):
        ahead = began + number * DECIDING_EVERY_S - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
        user, falls = f"new-{number}", number % 2 == 0
        value = told(user, "Asked" if falls else "Meeting Attended")
        sent[lead_id(user)] = time.time()
        producer.produce(one.topic("events"), value, f"user::{user}".encode())
        producer.poll(0)
        if falls:
            falling.add(lead_id(user))
        bar.at(number * DECIDING_EVERY_S)
    producer.flush(30)
    bar.end()
    return sent, falling


def told(user: str, event: str) -> bytes:
    """Return what a person did who was not known before."""
    return orjson.dumps({"messageId": f"m-{user}", "type": "track", "event": event, "userId": user})


def lead_id(user: str) -> str:
    """Return the id of the lead whom a user id made one."""
    return f"lead_{hashlib.sha256(f'user::{user}'.encode()).hexdigest()[:16]}"


def _instant(fact: bytes) -> float:
    return datetime.fromisoformat(orjson.loads(fact)["time"]).timestamp()


def p99(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=100)[98]


def table(measured: Iterable[Heard]) -> Table:
    """Return two lines a case."""
    lines: list[tuple[str, ...]] = [
        ("latency in ms", "visitors", "leads", "number", "median", "p95", "p99", "max", "worker's cores", "scans")
    ]
    for heard in measured:
        sizes = (f"{heard.case.visitors:,}", f"{heard.case.leads:,}")
        for what, values in (("promotion", heard.promotions), ("demotion", heard.demotions)):
            parts = statistics.quantiles(values, n=100)
            figures = (f"{len(values):,}", *(f"{parts[i]:.0f}" for i in (49, 94, 98)), f"{max(values):.0f}")
            lines.append((f"{what}, {heard.case.name}", *sizes, *figures, f"{heard.cores:.2f}", f"{heard.scans}"))
    return lines


def targets(measured: Iterable[Heard]) -> list[Target]:
    """Return the limits for the cases for which they hold."""
    found = []
    for heard in (one for one in measured if one.case.demanded):
        sizes = f"{heard.case.rate:,} events/s, {heard.case.visitors:,} visitors, {heard.case.leads:,} leads"
        found += [
            Target(f"promotion, p99 ({sizes})", p99(heard.promotions), PROMOTION_MS, "ms"),
            Target(f"demotion, latest ({sizes})", max(heard.demotions), DEMOTION_MS, "ms"),
            Target(f"table scans meanwhile ({sizes})", heard.scans, 0),
        ]
    return found


def section(scale: float, chosen: Sequence[str] = ()) -> Section:
    """Measure and say."""
    measured = []
    with kafka() as broker:
        for case in cases(scale):
            if not chosen or case.name in chosen:
                measured.append(measure(broker, case))
                progress(f"{case.name}: promotions {p99(measured[-1].promotions):.0f} ms (p99), flow: {measured[-1].flow}")
    notes = [f"{heard.case.name}: the flow itself was {heard.flow}" for heard in measured]
    return Section(TITLE, ABOUT, [table(measured)], targets(measured), notes)


def main() -> int:
    parser = argparse.ArgumentParser(description="How soon the CRM hears.")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the visitors and leads")
    parser.add_argument("--cases", nargs="+", choices=[case.name for case in cases()], default=[])
    options = parser.parse_args()
    print(text(section(options.scale, options.cases)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
