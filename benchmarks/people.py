"""How many snapshots a second `[people]` does: `python -m benchmarks.people [--snapshots N] [--runs N]`.

First the fold over the `people` log alone, then a worker that reads the log from a real Kafka, facts and table included.
Three kinds of traffic under the shipped ruleset, all by people who are known; rows are cut every 500 records, as a checkpoint
does. The clock is that of the processor; garbage is collected as in a worker.
"""

import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.garbage import as_in_a_worker
from benchmarks.kafka import Kafka, kafka, progress
from benchmarks.measured import Reading, until_read
from benchmarks.product import installation
from benchmarks.report import Section, Table, Target, text
from stream.domain import visitor
from stream.domain.event import Event, Link
from stream.domain.log import encode
from stream.domain.people import People
from stream.domain.ruleset.load import load
from stream.domain.ruleset.model import Ruleset
from stream.rulesets import default_text

TITLE = "People"
ABOUT = (
    "{snapshots:,} snapshots of people who are known, {runs} runs: the fold over the `people` log alone, and a worker that reads"
    " it from Kafka (facts, table and commits included). *Known leads*: 300 of them go on. *A new device each*: every second"
    " snapshot brings a lead one more device, which is then asked for what it did before (two snapshots). *Every third a merge*:"
    " a registration and an address, both leads with a stage, turn out to be one person."
)
SEED = 20_261_125
START_MS = 1_767_225_600_000
LEADS = 300
CUT = 500
WANTED = 10_000
DONE = ("Trial Started", "Meeting Attended", "Broadcast Watched", "Whitepaper Downloaded")


class Told:
    """Makes the `people` log that visitors' rows would write."""

    def __init__(self) -> None:
        self.rules: Ruleset = load(default_text())
        self.log: list[bytes] = []
        self._rows: dict[str, visitor.Visitor] = {}
        self._rng = random.Random(SEED)  # noqa: S311 - a benchmark repeats itself
        self._now, self._offset = START_MS, 0

    def does(self, node: str, *links: str, event: str | None = None) -> None:
        """Let somebody do something: view a page, or what `event` says."""
        self._now += self._rng.randrange(6_000)
        self._offset += 1
        told = Event(
            node=node, type="track" if event else "page", event=event, t=self._now, r=self._now,
            message=self._offset.to_bytes(6, "big"), url=f"www.example.com/products/{self._rng.randrange(500)}",
            properties={"topics": [f"topic-{self._rng.randrange(8)}"]}, links=tuple(map(Link, links)),
        )  # fmt: skip
        outcome = visitor.apply(self._rows.get(node), told, self._offset, self.rules)
        self._rows[node] = outcome.row
        if outcome.snapshot is not None:
            self.log.append(encode(outcome.snapshot))

    def wakes(self, node: str) -> None:
        """Let a device say what it did before it was known."""
        self._rows[node], snapshot = visitor.wake(self._rows.get(node), node, self._now, self.rules)
        self.log.append(encode(snapshot))


def known(told: Told, count: int) -> None:
    rng = random.Random(SEED)  # noqa: S311 - a benchmark repeats itself
    while len(told.log) < count:
        lead = rng.randrange(LEADS)
        told.does(f"user::{lead}", f"anon::{lead}", event=rng.choice(DONE) if rng.random() < 0.3 else None)


def devices(told: Told, count: int) -> None:
    number = 0
    while len(told.log) < count:
        for _ in range(3):
            told.does(f"anon::{number}")
        told.does(f"user::{number % (count // 20)}", f"anon::{number}", event=DONE[number % len(DONE)])
        told.wakes(f"anon::{number}")
        number += 1


def merges(told: Told, count: int) -> None:
    number = 0
    while len(told.log) < count:
        user, address = f"user::{number}", f"email::{number}@acme.example"
        told.does(user, event="Trial Started")
        told.does(address, event="Meeting Attended")
        told.does(user, address)
        number += 1


KINDS: dict[str, Callable[[Told, int], None]] = {
    "known leads": known,
    "a new device each": devices,
    "every third a merge": merges,
}


@dataclass(frozen=True)
class Measured:
    """What a kind costs (CPU us a snapshot) alone and in a worker, and the facts it made in a fold."""

    kind: str
    size: float
    facts: float
    alone_us: float
    worker_us: float | None


def fold(records: list[bytes], rules: Ruleset) -> tuple[float, int]:
    """Return the seconds of processor time of a fold, and how many facts it told."""
    people, facts = People({}, 1, "leadstream", rules), 0
    with as_in_a_worker():
        started = time.process_time()
        for offset, record in enumerate(records):
            people.apply(offset, record)
            if offset % CUT == 0:
                people.cut()
            if people.out:
                facts += sum(out.topic == "stage-changes" for out in people.out)
                people.out.clear()
        return time.process_time() - started, facts


def worker_us(kafka: Kafka, records: list[bytes]) -> float:
    """Return the CPU (us a snapshot) of a worker that reads them; wakes find no rows and are answered."""
    with installation(kafka) as one:
        kafka.produce(one.topic("people"), ((None, record) for record in records), "snapshots", len(records))
        return until_read(kafka, [one.worker()], Reading(one.topic("people"), one.app, 1, len(records))).cpu_us


def measure(kind: str, snapshots: int, runs: int, broker: Kafka | None) -> Measured:
    """Measure one kind of traffic."""
    told = Told()
    KINDS[kind](told, snapshots)
    folds = [fold(told.log, told.rules) for _ in range(runs)]
    seconds, facts = statistics.median(one[0] for one in folds), folds[0][1]
    workers = [] if broker is None else [worker_us(broker, told.log) for _ in range(runs)]
    count = len(told.log)
    progress(f"{kind}: {count / seconds:,.0f} a second alone")
    return Measured(
        kind,
        sum(map(len, told.log)) / count,
        facts / count,
        seconds / count * 1e6,
        statistics.median(workers) if workers else None,
    )


def table(measured: list[Measured]) -> Table:
    """Return a line a kind."""
    lines: list[tuple[str, ...]] = [
        ("people", "bytes a snapshot", "facts a snapshot", "alone us", "alone a second", "in a worker us", "in a worker a second")
    ]
    for one in measured:
        worker = ("", "") if one.worker_us is None else (f"{one.worker_us:.1f}", f"{1e6 / one.worker_us:,.0f}")
        alone = (f"{one.alone_us:.1f}", f"{1e6 / one.alone_us:,.0f}")
        lines.append((one.kind, f"{one.size:.0f}", f"{one.facts:.2f}", *alone, *worker))
    return lines


def targets(measured: list[Measured]) -> list[Target]:
    """Return the limit for each kind, alone and in a worker."""
    found = []
    for one in measured:
        found.append(Target(f"people, the fold alone: {one.kind}", 1e6 / one.alone_us, WANTED, "snapshots/s", at_least=True))
        if one.worker_us is not None:
            found.append(Target(f"people, in a worker: {one.kind}", 1e6 / one.worker_us, WANTED, "snapshots/s", at_least=True))
    return found


def section(snapshots: int, runs: int, *, alone: bool = False) -> Section:
    """Measure and say."""
    if alone:
        measured = [measure(kind, snapshots, runs, None) for kind in KINDS]
    else:
        with kafka() as broker:
            measured = [measure(kind, snapshots, runs, broker) for kind in KINDS]
    return Section(TITLE, ABOUT.format(snapshots=snapshots, runs=runs), [table(measured)], targets(measured))


def main() -> int:
    parser = argparse.ArgumentParser(description="Time the fold over the people log.")
    parser.add_argument("--snapshots", type=int, default=60_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--alone", action="store_true", help="without Kafka")
    options = parser.parse_args()
    print(text(section(options.snapshots, options.runs, alone=options.alone)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
