"""How many events a second `leadstream simulate` does: `python -m benchmarks.simulate [--events N] [--runs N]`.

The input is made here and is the same every time: page views of anonymous visitors, and 3 % by known leads, who also try,
meet, watch and download. The command runs as a process of its own, so start and output are counted too,
and the processes it shares the work with; with `taskset -c 0` it stays alone.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import orjson

from benchmarks.bar import Bar
from benchmarks.report import Section, Target, text
from stream.domain.instants import write

SEED = 20_261_125
START_MS = 1_767_225_600_000
LEADS = 300
EVENTS_A_VISITOR = 5
AGENTS = tuple(
    f"Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.0.0 Safari/537.36"
    for system in ("X11; Linux x86_64", "Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7")
    for version in range(120, 130)
)
DONE = ("Trial Started", "Meeting Attended", "Broadcast Watched", "Whitepaper Downloaded")


TITLE = "Simulate"
ABOUT = (
    "`leadstream simulate`, on the processors there are: {events:,} events, {known:.0%} of them by known leads, {runs} runs;"
    " start and output count."
)
WANTED = 50_000


def section(events: int, runs: int, known: float = 0.03, ruleset: Path | None = None) -> Section:
    """Measure and say."""
    bar = Bar("simulate", runs)
    with tempfile.TemporaryDirectory() as folder:
        file, ran = Path(folder) / "events.ndjson", []
        with file.open("wb") as out:
            out.writelines(orjson.dumps(event) + b"\n" for event in _events(events, known))
        for number in range(runs):
            ran.append(_run(file, ruleset))
            bar.at(number + 1)
    bar.end()
    walls, cpus = ([seconds[n] for seconds in ran] for n in (0, 1))
    wall, cpu = median(walls), median(cpus)
    table = [
        ("simulate", "events/s by the clock", "events/s of processor time", "CPU us/event", "single runs"),
        (
            f"{events:,} events", f"{events / wall:,.0f}", f"{events / cpu:,.0f}", f"{cpu / events * 1e6:.1f}",
            " ".join(f"{one / events * 1e6:.1f}" for one in cpus),
        ),
    ]  # fmt: skip
    target = Target("simulate, by the clock", events / wall, WANTED, "events/s", at_least=True)
    return Section(TITLE, ABOUT.format(events=events, known=known, runs=runs), [table], [target])


def main() -> int:
    options = _options()
    print(text(section(options.events, options.runs, options.known, options.ruleset)))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time `leadstream simulate`.")
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--known", type=float, default=0.03, help="share of events by known leads")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--ruleset", type=Path, help="default: the shipped one")
    return parser.parse_args()


def _events(count: int, known: float) -> Iterator[dict[str, Any]]:
    rng = random.Random(SEED)  # noqa: S311 - a benchmark repeats itself
    visitors = max(1, count // EVENTS_A_VISITOR)
    now = START_MS
    for number in range(count):
        now += rng.randrange(200)
        event = _page_view(rng, f"ajs-next-{number}-{rng.getrandbits(64):016x}", now)
        if rng.random() < known:
            _by_lead(rng, event, rng.randrange(LEADS))
        else:
            event["anonymousId"] = f"{rng.randrange(visitors):08x}-7c1d-4f0a-9a55-2f6d1c0e8b3a"
        yield event


def _page_view(rng: random.Random, id_: str, now: int) -> dict[str, Any]:
    path = f"/products/{rng.randrange(500)}/detail"
    return {
        "messageId": id_,
        "type": "page",
        "timestamp": write(now - rng.randrange(5_000)),
        "sentAt": write(now),
        "receivedAt": write(now),
        "context": {
            "ip": f"203.0.113.{rng.randrange(256)}",
            "userAgent": rng.choice(AGENTS),
            "page": {"url": f"https://www.example.com{path}", "path": path, "title": "Product detail"},
            "library": {"name": "analytics.js", "version": "next-1.70.0"},
        },
        "properties": {"topics": [f"topic-{rng.randrange(20)}"], "dwell_s": rng.randrange(100)},
    }


def _by_lead(rng: random.Random, event: dict[str, Any], lead: int) -> None:
    """Let a known lead do it: mostly a page view, now and then something more, or saying who it is."""
    event["userId"] = f"user-{lead}"
    what = rng.random()
    if what < 0.1:
        event |= {"type": "identify", "anonymousId": f"cookie-{lead}"}
        event["traits"] = {"email": f"user-{lead}@acme.example", "title": "Head of IT"}
    elif what < 0.4:
        event |= {"type": "track", "event": rng.choice(DONE)}


def _run(file: Path, ruleset: Path | None) -> tuple[float, float]:
    """Return seconds by the clock and of processor time."""
    command = [sys.executable, "-m", "stream", "simulate", str(file), "--json"]
    command += ["--ruleset", str(ruleset)] if ruleset else []
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"simulate ended with {process.returncode}")
    return time.perf_counter() - started, used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
