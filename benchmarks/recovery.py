"""How fast a worker restores its table: `python -m benchmarks.recovery [--rows N] [--runs N]`.

A changelog is filled with rows of visitors, a worker starts, and says itself how long its recovery took; its CPU is that of
the whole process from start to ready, less that of a start with an empty table.
"""

import argparse
import statistics
import sys
import time

import psutil

from benchmarks.kafka import Kafka, kafka, progress
from benchmarks.machine import as_installed
from benchmarks.measured import cpu_s
from benchmarks.product import fill, installation, visitor_rows
from tests.brokers import Installation

ROWS = {"rows of 2 events": 2, "full rows (256 messages, 20 topics)": 400}
FULL_SHARE = 4
"""Full rows are written in this part of the number: they are so large."""


def run(rows: int, runs: int) -> list[tuple[str, ...]]:
    """Return a line a kind of rows."""
    lines: list[tuple[str, ...]] = [
        ("recovery", "rows", "bytes a row", "rows/s", "CPU us/row", "RSS bytes/row", "start to ready s")
    ]
    with kafka() as broker:
        for name, events in ROWS.items():
            made, count = visitor_rows(events), rows if events < 100 else rows // FULL_SHARE
            size = sum(map(len, made)) / len(made)
            ran = [_run_once(broker, made, count, name) for _ in range(runs)]
            per_second, cpu_us, memory, ready = (statistics.median(values) for values in zip(*ran, strict=True))
            lines.append(
                (name, f"{count:,}", f"{size:.0f}", f"{per_second:,.0f}", f"{cpu_us:.2f}", f"{memory:.0f}", f"{ready:.1f}")
            )
    return lines


def _run_once(broker: Kafka, rows: list[bytes], count: int, name: str) -> tuple[float, float, float, float]:
    with installation(broker) as one:
        _, empty_cpu_s, empty_rss, _ = _start(one)
        fill(broker, one, rows, count)
        seconds, used, rss, ready = _start(one)
    progress(f"{name}: {count / seconds:,.0f} rows/s")
    return count / seconds, (used - empty_cpu_s) / count * 1e6, (rss - empty_rss) / count, ready


def _start(one: Installation) -> tuple[float, float, float, float]:
    """Start a worker and stop it when it is ready; return seconds of recovery, of CPU, resident bytes, seconds to ready."""
    began, worker = time.monotonic(), one.worker()
    try:
        told = worker.wait_for_line(r"ready: \d+ rows in ([\d.]+) s", 300)
        ready, watched = time.monotonic() - began, psutil.Process(worker.pid)
        return float(told[1]), cpu_s(watched), float(watched.memory_info().rss), ready
    finally:
        worker.stop()


def main() -> int:
    parser = argparse.ArgumentParser(description="How fast a worker restores its table.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    as_installed()
    for line in run(options.rows, options.runs):
        print("  ".join(f"{cell:>20}" for cell in line))
    return 0


if __name__ == "__main__":
    sys.exit(main())
