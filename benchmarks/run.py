"""All benchmarks, one after the other: `make bench`, or `python -m benchmarks.run [--sections NAME …] [--scale N] [--runs N]`.

Prints each section when it is done and all targets at the end, and writes them to `docs/benchmarks.md`; a section that is run
alone replaces only its own part of that page.
"""

import argparse
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarks import (
    accounts,
    collector,
    engines,
    latency,
    links,
    memory,
    people,
    rebalance,
    recovery,
    report,
    simulate,
    throughput,
)
from benchmarks.kafka import kafka, progress
from benchmarks.machine import Watch, as_installed
from benchmarks.report import Section, Table, Target

RECOVERED = 500_000
STAYS_S, MOVES_S, BACK_S = 0.5, 3.0, {"100,000": 1.0, "1,000,000": 1.0 + 2.0}


@dataclass(frozen=True)
class Sizes:
    """Share of the full sizes, and how many runs where the median counts (None: as many as a section has by itself)."""

    scale: float
    runs: int | None

    def of(self, full: int) -> int:
        return max(1, int(full * self.scale))

    def times(self, usual: int) -> int:
        return self.runs or usual


def _recovery(sizes: Sizes) -> Section:
    about = "A worker starts with a full changelog of `visitors`. The CPU is that of the process, less an empty start's."
    table = recovery.run(sizes.of(1_000_000), sizes.times(3))
    per_core = 1e6 / float(table[1][4])
    targets = [Target("recovery, rows of 350 bytes", per_core, RECOVERED, "rows/s and core", at_least=True)]
    return Section("Recovery", about, [table], targets)


def _rebalance(sizes: Sizes) -> Section:
    about = (
        "A steady trickle goes into each partition while workers come and go; the longest time from publishing a record to what"
        " came of it. A killed static member that is back: from the start of its process to records handled."
    )
    lines = rebalance.measure(sizes.of(1_000_000), sizes.times(1))
    backs = [line for line in lines[1:] if line[0] == rebalance.BACK_HEAD[0]]
    moves = [line for line in lines[1:] if line[0] != rebalance.BACK_HEAD[0]]
    targets = []
    for line in moves:
        targets.append(Target(f"rebalance, {line[0]}: partitions that stay", float(line[3]), STAYS_S, "s"))
        if "killed" not in line[0]:  # that lasts as long as the session
            targets.append(Target(f"rebalance, {line[0]}: partitions that move", float(line[4]), MOVES_S, "s"))
    targets += [
        Target(f"a killed worker is back, {line[1]} rows: first record", float(line[3]), BACK_S[line[1]], "s")
        for line in backs
        if line[1] in BACK_S
    ]
    tables: list[Table] = [[lines[0], *moves], [rebalance.BACK_HEAD, *(_cut(line) for line in backs)]]
    return Section("Rebalance", about, tables, targets)


def _cut(line: Sequence[str]) -> Sequence[str]:
    return (line[0], line[1], line[3], line[4])


def _memory(sizes: Sizes) -> Section:
    about = "By how much a process grows that fills a table as a worker keeps it: rows, their keys, timers of leads included."
    return Section("Memory", about, [memory.run(sizes.of(200_000))])


def _lookups(sizes: Sizes) -> Section:
    command = [sys.executable, "-m", "benchmarks.lookups", "--probes", str(sizes.of(1_000_000))]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return Section("Look-ups", "Companies by address, against a brute-force oracle.", output=done.stdout)


def _collector(sizes: Sizes) -> Section:
    with kafka() as broker:
        return collector.section(broker, max(2.0, collector.SECONDS * sizes.scale), sizes.times(3))


MAKERS: Mapping[str, tuple[str, Callable[[Sizes], Section]]] = {
    "engines": (engines.TITLE, lambda sizes: engines.section(sizes.of(1_000_000), sizes.times(5))),
    "growth": (throughput.TITLE, lambda sizes: throughput.section(sizes.of(400_000), sizes.times(3), sizes.scale)),
    "latency": (latency.TITLE, lambda sizes: latency.section(sizes.scale)),
    "people": (people.TITLE, lambda sizes: people.section(sizes.of(60_000), sizes.times(3))),
    "links": (links.TITLE, lambda sizes: links.section(sizes.of(6_000), sizes.times(5), sizes.scale)),
    "accounts": (accounts.TITLE, lambda sizes: accounts.section(5_000, max(5.0, 20 * sizes.scale))),
    "simulate": (simulate.TITLE, lambda sizes: simulate.section(sizes.of(200_000), sizes.times(5))),
    "collector": (collector.TITLE, _collector),
    "recovery": ("Recovery", _recovery),
    "rebalance": ("Rebalance", _rebalance),
    "memory": ("Memory", _memory),
    "lookups": ("Look-ups", _lookups),
}
TITLES = [title for title, _ in MAKERS.values()]


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the benchmarks.")
    parser.add_argument("--sections", nargs="+", choices=MAKERS, default=list(MAKERS))
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full sizes, such as 0.1")
    parser.add_argument(
        "--runs", type=int, help="runs of which the median counts (default: 5 for engines and simulate, 3, or 1 of a rebalance)"
    )
    parser.add_argument("--dry", action="store_true", help="print only, leave docs/benchmarks.md as it is")
    options = parser.parse_args()
    as_installed()
    done: list[Section] = []
    for name in options.sections:
        made = _made(name, Sizes(options.scale, options.runs))
        if made is not None:
            done.append(made)
            print(report.text(made), flush=True)
            if not options.dry:
                report.write([made], TITLES)
    print(report.text_table(report.all_targets(done)))
    return 0 if len(done) == len(options.sections) else 1


def _made(name: str, sizes: Sizes) -> Section | None:
    """Run a section; one that fails says why, and the others follow."""
    progress(f"{name} begins")
    watch = Watch()
    try:
        section = MAKERS[name][1](sizes)
    except Exception:  # noqa: BLE001 - an hour of the others is not thrown away
        progress(f"{name} failed:\n{traceback.format_exc()}")
        return None
    scale = "" if sizes.scale == 1 else f", sizes times {sizes.scale:g}"
    return replace(section, when=watch.line() + scale)


if __name__ == "__main__":
    sys.exit(main())
