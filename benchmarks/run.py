"""All benchmarks, one after the other: `make bench`, or `python -m benchmarks.run [--sections NAME …] [--events N] [--runs N]`.

Prints one table a section and writes them to `docs/benchmarks.md`.
"""

import argparse
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks import engines, latency, recovery, report, throughput
from benchmarks.kafka import progress
from benchmarks.report import Section

TITLES = {
    "engines": "Engines on the same job",
    "growth": "Growth",
    "latency": "Latency",
    "recovery": "Recovery",
    "people": "People",
    "simulate": "Simulate",
    "lookups": "Look-ups",
}


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    events: int
    runs: int


def _engines(sizes: Sizes) -> Section:
    ran = engines.run(engines.engines(), sizes.events, max(1, sizes.events // 20), sizes.runs)
    about = (
        f"{sizes.events:,} events of 550 B by {sizes.events // 20:,} visitors: 40 tags decayed over 7 days, a score, an output"
        " when it rises over a threshold. One worker process, 8 partitions, commits at most 1 s apart. Ours drops repeated"
        " messages too, the peers need not; every engine's outputs were counted against an oracle's."
        f" Plain Faust reads a {engines.SLOW_SHARE}th. `benchmarks/peers/` says how each is set. The whole product, in the same"
        " rounds, reads as many events of a website's mix (97 of 100 by anonymous visitors, 3 by known leads) with the shipped"
        " ruleset, companies by address, crawlers, identities: `[visitors]` and `[people]` in one worker process."
    )
    return Section(TITLES["engines"], about, engines.table(ran), engines.verdicts(ran))


def _growth(sizes: Sizes) -> Section:
    ran = throughput.run(throughput.cases(), sizes.events, sizes.runs)
    about = (
        "The whole product in other sizes. Where visitors are numbered, each has a row with five events before the worker starts."
    )
    return Section(TITLES["growth"], about, throughput.table(ran))


def _latency(sizes: Sizes) -> Section:
    measured = latency.run((5_000, 20_000), 20.0, sizes.events, sizes.events // 10)
    about = (
        "Promotion: from publishing the event that decides to its stage change at a consumer, while one worker reads that many"
        " events a second. Demotion: from the instant at which a stage is due to fall to its stage change."
    )
    return Section(TITLES["latency"], about, latency.table(measured))


def _recovery(sizes: Sizes) -> Section:
    about = "A worker starts with a full changelog of `visitors`. The CPU is that of the process, less an empty start's."
    return Section(TITLES["recovery"], about, recovery.run(sizes.events, sizes.runs))


def _script(name: str, about: str, *options: str) -> Section:
    progress(f"{name} runs")
    command = [sys.executable, f"benchmarks/{name}.py", *options]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return Section(TITLES[name], about, output=done.stdout)


MAKERS: dict[str, Callable[[Sizes], Section]] = {
    "engines": _engines,
    "growth": _growth,
    "latency": _latency,
    "recovery": _recovery,
    "people": lambda _: _script("people", "The fold over the `people` log alone."),
    "simulate": lambda _: _script("simulate", "`leadstream simulate`, one process."),
    "lookups": lambda _: _script("lookups", "Companies by address, against a brute-force oracle."),
}


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the benchmarks.")
    parser.add_argument("--sections", nargs="+", choices=MAKERS, default=[name for name in MAKERS if name != "growth"])
    parser.add_argument("--events", type=int, default=500_000, help="events a run, rows restored, visitors kept")
    parser.add_argument("--runs", type=int, default=3, help="the median counts")
    options = parser.parse_args()
    for name in options.sections:
        section = MAKERS[name](Sizes(options.events, options.runs))
        print(report.text(section), flush=True)
        report.write([section], list(TITLES.values()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
