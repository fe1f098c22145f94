"""`python -m tests.chaos`: seeded schedules of failures on a real Apache Kafka; what was done before is not done again."""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from tests.brokers import ROOT
from tests.chaos.player import Task, results
from tests.chaos.run import Result
from tests.chaos.schedule import schedule

FOLDER = ROOT / ".cache" / "chaos"


def arguments() -> argparse.Namespace:
    """Read the command line."""
    asked = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    asked.add_argument("--seed", type=int, default=1, help="same seed, same schedules (default 1)")
    asked.add_argument("--from", type=int, dest="first", metavar="N", help="begin with schedule N, done before or not")
    asked.add_argument("--schedules", type=int, default=200, metavar="K", help="how many (default 200)")
    asked.add_argument("--events", type=int, default=50_000, metavar="E", help="events a schedule (default 50000)")
    asked.add_argument("--blows", type=int, default=10, metavar="B", help="failures a schedule (default 10)")
    asked.add_argument(
        "--long", type=int, default=1_000_000, metavar="E", help="events of one more, the last (default 1000000; 0: none)"
    )
    asked.add_argument("--long-blows", type=int, default=60, metavar="B", help="failures of that one (default 60)")
    asked.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, metavar="J", help="so many at a time, each with a Kafka of its own"
    )
    asked.add_argument("--session", type=float, default=6, metavar="S", help="session timeout in seconds (default 6)")
    asked.add_argument("--folder", type=Path, default=FOLDER, help="for logs and results (default .cache/chaos)")
    found = asked.parse_args()
    if found.jobs < 1:
        asked.error("--jobs: at least one schedule is to be played at a time")
    return found


def tasks(asked: argparse.Namespace) -> Iterator[Task]:
    """Yield what there is to do, the long one first, for others can run beside it; not again
    what the results name, unless `--from` says so.
    """
    done = set() if asked.first is not None else {result["seed"] for result in _results(asked)}
    if asked.long and f"{asked.seed}-long" not in done:
        yield Task(schedule(asked.seed, "long", asked.long_blows, asked.session), asked.long)
    first = asked.first or 0
    for number in range(first, first + asked.schedules):
        if f"{asked.seed}-{number}" not in done:
            yield Task(schedule(asked.seed, number, asked.blows, asked.session), asked.events)


def _file(asked: argparse.Namespace) -> Path:
    found: Path = asked.folder / f"seed-{asked.seed}-{asked.events}.ndjson"
    return found


def _results(asked: argparse.Namespace) -> list[dict[str, object]]:
    return [json.loads(line) for line in _file(asked).read_text().splitlines()] if _file(asked).exists() else []


def bar(done: int, of: int, failed: int, began: float) -> None:
    """Show how far it is."""
    full = 30 * done // max(of, 1)
    left = (time.monotonic() - began) / done * (of - done) / 60 if done else 0
    line = f"[{'#' * full}{'.' * (30 - full)}] {done}/{of}, {failed} failed, about {left:.0f} min left"
    sys.stderr.write(f"\r{line}" if sys.stderr.isatty() else f"{line}\n")
    sys.stderr.flush()


def main() -> int:
    """Run the schedules; return 1 if one failed. SIGTERM ends it as Ctrl-C does, which a shell's background would not hear of."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    asked, failed, began = arguments(), 0, time.monotonic()
    asked.folder.mkdir(parents=True, exist_ok=True)
    todo = list(tasks(asked))
    bar(0, len(todo), 0, began)
    try:
        for done, result in enumerate(results(todo, asked.jobs, asked.folder, asked.session), 1):
            failed += bool(result.wrong)
            with _file(asked).open("a") as lines:
                lines.write(json.dumps(asdict(result)) + "\n")
            _tell(result)
            bar(done, len(todo), failed, began)
    except KeyboardInterrupt:
        sys.stderr.write("\nsay the same again to go on\n")
        return 130
    sys.stderr.write("\n")
    return 1 if failed else 0


def _tell(result: Result) -> None:
    many = len(result.wrong)
    found = f"{many} WRONG" if many else "right"
    sys.stdout.write(
        f"\n{result.seed}: {found}; {result.seconds} s, {result.events} events, {result.rows} rows, {result.facts} outputs, "
        f"{result.repeated} repeated, {result.stale} stale, {result.alone} leads alone; {result.workers} workers, "
        f"{result.brokers} brokers, {result.hurt} frames hurt; {result.in_flight} blows in flight; {result.blows}; "
        f"{result.ends}\n"
    )
    for what in result.wrong[:5]:
        sys.stdout.write(f"  {what[:600]}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
