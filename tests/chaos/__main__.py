"""`python -m tests.chaos --seed S --from N --schedules K --events E`: seeded schedules of failures on a real Apache Kafka."""

import argparse
import json
import sys
import time
import traceback
from dataclasses import asdict
from pathlib import Path

from tests.brokers import ROOT
from tests.chaos.run import Result, Run
from tests.chaos.schedule import schedule

FOLDER = ROOT / ".cache" / "chaos"
LONG = "The long run: --schedules 200 --events 50000 --blows 12, then --schedules 1 --events 1000000 --blows 40."


def arguments() -> argparse.Namespace:
    """Read the command line."""
    asked = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__, epilog=LONG)
    asked.add_argument("--seed", type=int, default=1, help="same seed, same schedules (default 1)")
    asked.add_argument("--from", type=int, default=0, dest="first", metavar="N", help="go on with schedule N (default 0)")
    asked.add_argument("--schedules", type=int, default=1, metavar="K", help="how many (default 1, about a minute each)")
    asked.add_argument("--events", type=int, default=5000, metavar="E", help="events a schedule (default 5000)")
    asked.add_argument("--blows", type=int, default=6, metavar="B", help="failures a schedule (default 6)")
    asked.add_argument("--session", type=float, default=6, metavar="S", help="session timeout in seconds (default 6)")
    asked.add_argument("--folder", type=Path, default=FOLDER, help="for logs and results (default .cache/chaos)")
    return asked.parse_args()


def play(asked: argparse.Namespace, number: int) -> Result:
    """Run one schedule; what breaks the run itself is wrong too."""
    plan = schedule(asked.seed, number, asked.blows, asked.session)
    run = None
    try:
        run = Run(plan, asked.events, asked.folder / plan.seed, asked.session)
        return run.play()
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - pytest's outcomes are no Exceptions
        result = run.result if run is not None else Result(plan.seed)
        if run is not None:
            result.wrong += run.crew.bugs
            result.ends = dict(run.crew.ends)
        result.wrong.append(traceback.format_exc()[-3000:])
        return result


def bar(done: int, of: int, failed: int, began: float) -> None:
    """Show how far it is."""
    full = 30 * done // of
    left = (time.monotonic() - began) / done * (of - done) / 60 if done else 0
    line = f"[{'#' * full}{'.' * (30 - full)}] {done}/{of}, {failed} failed, about {left:.0f} min left"
    sys.stderr.write(f"\r{line}" if sys.stderr.isatty() else f"{line}\n")
    sys.stderr.flush()


def main() -> int:
    """Run the schedules; return 1 if one failed."""
    asked, failed, began = arguments(), 0, time.monotonic()
    asked.folder.mkdir(parents=True, exist_ok=True)
    bar(0, asked.schedules, 0, began)
    for done, number in enumerate(range(asked.first, asked.first + asked.schedules), 1):
        try:
            result = play(asked, number)
        except KeyboardInterrupt:
            sys.stderr.write(f"\ngo on with --seed {asked.seed} --from {number}\n")
            return 130
        failed += bool(result.wrong)
        with (asked.folder / f"seed-{asked.seed}.ndjson").open("a") as results:
            results.write(json.dumps(asdict(result)) + "\n")
        bar(done, asked.schedules, failed, began)
        _tell(result)
    sys.stderr.write("\n")
    return 1 if failed else 0


def _tell(result: Result) -> None:
    many = len(result.wrong)
    found = f"{many} WRONG" if many else "right"
    sys.stdout.write(
        f"\n{result.seed}: {found}; {result.seconds} s, {result.events} events, {result.rows} rows, {result.facts} outputs, "
        f"{result.repeated} repeated, {result.stale} stale; {result.in_flight} blows in flight; {result.blows}; {result.ends}\n"
    )
    for what in result.wrong[:5]:
        sys.stdout.write(f"  {what[:600]}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
