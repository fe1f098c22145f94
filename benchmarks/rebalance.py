"""How long partitions stand still: `python -m benchmarks.rebalance [--rows N] [--runs N] [--cases NAME …]`.

Two or three workers hold a table of so many rows while a trickle of records goes into each partition. One joins, leaves
(SIGTERM) or is killed; counted is the longest time from the publishing of a record to what came of it, apart for partitions
that stayed where they were and for those that moved. Then a static member is killed and started again: counted is from the
start of the process to its first record handled, and to the last partition's.
"""

import argparse
import signal
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka.admin import AdminClient

from benchmarks.kafka import Kafka, kafka, progress
from benchmarks.machine import as_installed
from benchmarks.probes import Prober
from benchmarks.product import fill, installation, visitor_rows
from tests.brokers import Installation, Process, free_port, wait_until

PARTITIONS = 8
EVENTS_A_ROW = 4
"""Rows of some 500 bytes."""
STEADY_S = 2.0
SESSION_S = 10.0
BACK_ROWS = (100_000, 1_000_000)
Line = tuple[str, ...]
HEAD: Line = ("rebalance", "rows", "moved", "pause of those that stay s", "of those that move s", "group is told after s")
BACK_HEAD: Line = ("static member killed and back", "rows", "first record s", "all partitions s")


class Crew:
    """The workers of one installation, and who holds which partition of `events`."""

    def __init__(self, kafka: Kafka, one: Installation) -> None:
        self.one, self._admin = one, AdminClient({"bootstrap.servers": kafka.address, "log_level": 0})

    def join(self, name: str) -> Process:
        """Start a worker."""
        return self.one.worker(INSTANCE=name)

    def held(self) -> dict[int, str]:
        """Return the instance that holds each partition; empty while the group is not stable."""
        described: Any = self._admin.describe_consumer_groups([self.one.app])[self.one.app]
        group = described.result()
        if group.state.name != "STABLE":
            return {}
        return {
            place.partition: member.group_instance_id or member.member_id
            for member in group.members
            for place in member.assignment.topic_partitions
            if place.topic == self.one.topic("events")
        }

    def wait_for(self, workers: int, timeout_s: float = 90.0) -> dict[int, str]:
        """Wait until so many hold all partitions; returns who holds which."""

        def look() -> dict[int, str]:
            held = self.held()
            return held if len(held) == PARTITIONS and len(set(held.values())) == workers else {}

        return wait_until(look, timeout_s, f"{workers} workers that hold everything")


def _pauses(
    kafka: Kafka, rows: int, before: int, change: Callable[[Crew, list[Process]], int]
) -> tuple[float, float, float, int]:
    """Return the longest pause of partitions that stayed and of those that moved, when the group knew, how many moved."""
    with installation(kafka, PARTITIONS, SESSION_TIMEOUT=f"{SESSION_S:.0f}s", COMPANY_RANGES="") as one:
        fill(kafka, one, visitor_rows(EVENTS_A_ROW), rows)
        crew, workers = Crew(kafka, one), list[Process]()
        for number in range(before):
            workers.append(crew.join(f"w{number}"))
            crew.wait_for(number + 1)
        with Prober(kafka, one, PARTITIONS) as prober:
            _settle(prober)
            old, began = crew.held(), time.monotonic()
            after = change(crew, workers)
            new = crew.wait_for(after)
            told = time.monotonic() - began
            _settle(prober)
            until, moved = time.monotonic(), {partition for partition, who in new.items() if old[partition] != who}
            waited: dict[int, float] = dict.fromkeys(range(PARTITIONS), 0.0)
            for probe in prober.probes(began - 0.1):
                waited[probe.partition] = max(waited[probe.partition], probe.waited(until))
    stayed = [seconds for partition, seconds in waited.items() if partition not in moved]
    return max(stayed, default=0.0), max((waited[n] for n in moved), default=0.0), told, len(moved)


def _settle(prober: Prober) -> None:
    """Wait until everything is handled, and for some steady moments."""
    since = time.monotonic()
    wait_until(lambda: prober.all_back(0.0, since), 120, "all probes")
    began = time.monotonic()
    wait_until(lambda: time.monotonic() - began > STEADY_S and prober.all_back(0.0, began + STEADY_S - 0.5), 60, "steady probes")


def joins(crew: Crew, _: list[Process]) -> int:
    crew.join("new")
    return 3


def leaves(_: Crew, workers: list[Process]) -> int:
    workers[-1].signal(signal.SIGTERM)
    return 2


def killed(_: Crew, workers: list[Process]) -> int:
    workers[-1].kill()
    return 2


CASES: Mapping[str, tuple[int, Callable[[Crew, list[Process]], int]]] = {
    "a third joins": (2, joins),
    "one of three leaves": (3, leaves),
    f"one of three is killed (session {SESSION_S:.0f} s)": (3, killed),
}


def back(kafka: Kafka, rows: int) -> tuple[float, float]:
    """Return seconds from the start of a killed static member to its first record handled, and to the last partition's."""
    with installation(kafka, PARTITIONS, SESSION_TIMEOUT=f"{SESSION_S:.0f}s", COMPANY_RANGES="", INSTANCE="one") as one:
        port = str(free_port())  # as in an installation: who comes back under another address joins anew
        if rows:
            fill(kafka, one, visitor_rows(EVENTS_A_ROW), rows)
        worker = one.worker(WEB_PORT=port)
        worker.wait_for_line(r"ready: \d+ rows", 120)
        with Prober(kafka, one, PARTITIONS) as prober:
            _settle(prober)
            worker.kill()
            one.processes.remove(worker)
            time.sleep(0.5)
            began = time.monotonic()
            one.worker(WEB_PORT=port)
            wait_until(lambda: prober.all_back(0.0, began), 120, "all probes")
            backs = [p for p in prober.probes() if p.back is not None and p.back > began]
            first: dict[int, float] = {}
            for probe in backs:
                first[probe.partition] = min(first.get(probe.partition, 1e9), (probe.back or 0) - began)
    return min(first.values()), max(first.values())


def measure(rows: int, runs: int, cases: list[str] | None = None) -> list[Line]:
    """Return a line a case."""
    lines = [HEAD]
    with kafka() as broker:
        for name, (before, change) in CASES.items():
            if cases is None or name in cases:
                ran = [_pauses(broker, rows, before, change) for _ in range(runs)]
                stayed, moved, told, count = (statistics.median(values) for values in zip(*ran, strict=True))
                progress(f"{name}: {stayed:.2f} s, {moved:.2f} s")
                lines.append((name, f"{rows:,}", f"{count:.0f} of {PARTITIONS}", f"{stayed:.2f}", f"{moved:.2f}", f"{told:.2f}"))
        for count in (0, *BACK_ROWS) if cases is None or "back" in cases else ():
            ran_back = [back(broker, count) for _ in range(runs)]
            first, last = (statistics.median(values) for values in zip(*ran_back, strict=True))
            progress(f"back with {count:,} rows: {first:.2f} s")
            lines.append((BACK_HEAD[0], f"{count:,}", "", f"{first:.2f}", f"{last:.2f}", ""))
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description="How long partitions stand still.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--cases", nargs="+", choices=[*CASES, "back"])
    options = parser.parse_args()
    as_installed()
    for line in measure(options.rows, options.runs, options.cases):
        print("  ".join(f"{cell:>26}" for cell in line))
    return 0


if __name__ == "__main__":
    sys.exit(main())
