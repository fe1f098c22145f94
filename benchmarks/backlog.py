"""A worker that starts behind a backlog: does memory stay flat, do ticks and answers come? `python -m benchmarks.backlog`.

Half of the events are by one visitor (a hot key), the rest by ten thousand others; one in fifty of these is a known lead. For
every tenth of the backlog it tells resident memory, records a second and the longest time a look-up took, and at the end the
longest time between two ticks of a partition.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Iterator
from itertools import pairwise

import orjson
import psutil

from benchmarks.kafka import kafka, progress
from benchmarks.product import installation
from stream.domain.log import Tick, decode
from tests.brokers import Installation
from tests.kafka.workers import Running, run_worker

HOT = "hot"
OTHERS = 10_000
STEPS = 10
MIB = 2**20


def run(events: int) -> list[tuple[str, ...]]:
    """Return a line a tenth of the backlog."""
    lines: list[tuple[str, ...]] = [("backlog", "read", "RSS MiB", "records/s", "slowest answer ms", "answers")]
    with kafka() as broker, installation(broker) as one:
        broker.produce(one.topic("events"), _events(events), "events", events)
        worker = run_worker(one)
        seen = [_until(worker, events * step // STEPS) for step in range(1, STEPS + 1)]
        lines += [(f"{n + 1}/{STEPS}", *line) for n, line in enumerate(seen)]
        gap_s = _longest_silence_s(one)
        lines.append(("longest time between two ticks", f"{gap_s:.2f} s", "", "", "", ""))
        worker.process.stop()
    return lines


def _events(count: int) -> Iterator[tuple[bytes, bytes]]:
    for number in range(count):
        other = number // 2 % OTHERS
        known = number % 2 and not other % 50
        who = f"v{other}" if number % 2 else HOT
        page = {"page": {"url": f"https://x.example/products/{number % 100}"}}
        event = {"type": "page", "userId" if known else "anonymousId": who, "messageId": f"m{number}", "context": page}
        yield f"{'user' if known else 'anon'}::{who}".encode(), orjson.dumps(event)


def _until(worker: Running, count: int) -> tuple[str, ...]:
    process, began, first = psutil.Process(worker.process.pid), time.monotonic(), worker.counts()["read"]
    took: list[float] = []
    rss = 0
    while (read := worker.counts()["read"]) < count:
        if worker.process.exit_code is not None:
            raise RuntimeError(worker.process.output[-3000:])
        asked = time.monotonic()
        worker.get(f"/v1/visitors/anon::{HOT}")
        took.append(time.monotonic() - asked)
        rss = max(rss, process.memory_info().rss)
        time.sleep(0.05)
    rss = max(rss, process.memory_info().rss)
    per_second = (read - first) / max(time.monotonic() - began, 1e-9)
    progress(f"{read:,} read, {rss / MIB:.0f} MiB, {per_second:,.0f} records/s")
    slowest = f"{max(took, default=0) * 1000:.0f} (median {statistics.median(took or [0]) * 1000:.0f})"
    return f"{read:,}", f"{rss / MIB:.0f}", f"{per_second:,.0f}", slowest, f"{len(took)}"


def _longest_silence_s(one: Installation) -> float:
    """Return the longest time between two ticks of a partition, from the log of people."""
    at: dict[int, list[int]] = {}
    for record in one.read("people"):
        told = decode(record.value or b"")
        if isinstance(told, Tick):
            at.setdefault(told.partition, []).append(record.timestamp_ms)
    return max(later - earlier for times in at.values() for earlier, later in pairwise(times)) / 1000


def main() -> int:
    parser = argparse.ArgumentParser(description="A worker behind a backlog.")
    parser.add_argument("--events", type=int, default=1_000_000)
    for line in run(parser.parse_args().events):
        print("  ".join(f"{cell:>24}" for cell in line))
    return 0


if __name__ == "__main__":
    sys.exit(main())
