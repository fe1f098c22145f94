"""What an event costs the whole product: `python -m benchmarks.throughput [--events N] [--runs N] [--cases NAME …]`.

Workers with the shipped ruleset, companies, bots, identities read a backlog of the 97/3 mix from a real Kafka. The CPU of
the whole process counts, by what its group has committed. The cases say how the cost grows: each visitor has a row before the
workers start, and the workers stand ready before the events come.
"""

import argparse
import statistics
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from benchmarks import mix
from benchmarks.kafka import Kafka, kafka, progress
from benchmarks.measured import Cost, Reading, until_read
from benchmarks.product import fill, installation, visitor_rows
from benchmarks.report import Section, Table, Target, text
from tests.brokers import Installation, wait_until

TITLE = "Growth"
ABOUT = (
    "The whole product in other sizes: {events:,} events of the 97/3 mix, published when the workers stand ready. Each visitor"
    " has a row with five events before. The CPU is that of all workers, {runs} interleaved runs."
)
LIMIT = 1.1
GROWN = (
    ("1,000,000 visitors", "10,000 visitors", "from 10,000 to 1,000,000 visitors"),
    ("64 partitions", "4 partitions", "from 4 to 64 partitions"),
    ("two workers", "one worker", "from one to two workers"),
)
"""Which case costs how much more than which."""


@dataclass
class Case:
    """How large the installation is; `filled`: its visitors were there before, and its workers wait for the events."""

    name: str
    visitors: int = 50_000
    partitions: int = 8
    workers: int = 1
    filled: bool = True
    costs: list[Cost] = field(default_factory=list)

    @property
    def cpu_us(self) -> float:
        """Return the median of the runs."""
        return statistics.median(cost.cpu_us for cost in self.costs)


def cases(scale: float = 1.0) -> list[Case]:
    """Return all of them."""
    few, many = (max(100, int(count * scale)) for count in (10_000, 1_000_000))
    return [
        Case("10,000 visitors", few),
        Case("1,000,000 visitors", many),
        Case("4 partitions", partitions=4),
        Case("64 partitions", partitions=64),
        Case("one worker"),
        Case("two workers", workers=2),
    ]


def run(chosen: list[Case], events: int, runs: int) -> list[Case]:
    """Run each case `runs` times in turn and return them with what they cost."""
    with kafka() as broker:
        for number in range(runs):
            for case in chosen:
                cost = run_once(broker, case, events)
                case.costs.append(cost)
                progress(f"{number + 1}/{runs} {case.name}: {cost.cpu_us:.1f} us an event, {cost.per_second:,.0f}/s")
    return chosen


def run_once(broker: Kafka, case: Case, events: int) -> Cost:
    """Let new workers read a new backlog."""
    mix.record(events, case.visitors)
    with installation(broker, case.partitions) as one:
        if case.filled:
            fill(broker, one, visitor_rows(5), case.visitors)
            _stand_ready(one, case.workers)
        broker.produce(one.topic("events"), mix.recorded(events, case.visitors), case.name, events)
        reading = Reading(one.topic("events"), one.app, case.partitions, events)
        workers = one.processes or [one.worker() for _ in range(case.workers)]
        cost = until_read(broker, workers, reading)
        if left := broker.end(one.topic("dead-letters")):
            raise RuntimeError(f"{left} events of the mix became dead letters")
        return cost


def _stand_ready(one: Installation, workers: int) -> None:
    """Start the workers one after the other and wait until each has its share."""
    for number in range(1, workers + 1):
        one.worker().wait_for_line(r"ready: \d+ rows", 300)
        wait_until(lambda wanted=number: _shared(one, wanted), 120, f"{number} workers with a share each")  # type: ignore[misc]


def _shared(one: Installation, workers: int) -> bool:
    """Tell whether the group has settled with so many members: the last line of each says that it is ready for its share."""
    told = [process.output.count(" ready: ") + process.output.count('"ready: ') for process in one.processes]
    return all(count >= workers - number for number, count in enumerate(told))


def table(ran: Iterable[Case]) -> Table:
    """Return a line a case."""
    lines: list[tuple[str, ...]] = [("whole product", "CPU us/event", "single runs", "events/s", "cores", "RSS MB")]
    for case in ran:
        per_second, cores, rss = (
            statistics.median(getattr(cost, what) for cost in case.costs) for what in ("per_second", "cores", "rss_mb")
        )
        single = " ".join(f"{cost.cpu_us:.1f}" for cost in case.costs)
        lines.append((case.name, f"{case.cpu_us:.1f}", single, f"{per_second:,.0f}", f"{cores:.2f}", f"{rss:.0f}"))
    return lines


def targets(ran: Iterable[Case]) -> list[Target]:
    """Return how much the cost grows, as far as both ends were measured."""
    costs: Mapping[str, float] = {case.name: case.cpu_us for case in ran}
    return [
        Target(f"CPU of an event, {what}", costs[large] / costs[small], LIMIT, "x")
        for large, small, what in GROWN
        if large in costs and small in costs
    ]


def section(events: int, runs: int, scale: float, chosen: Iterable[str] = ()) -> Section:
    """Measure and say."""
    names = list(chosen)
    ran = run([case for case in cases(scale) if not names or case.name in names], events, runs)
    return Section(TITLE, ABOUT.format(events=events, runs=runs), [table(ran)], targets(ran))


def main() -> int:
    parser = argparse.ArgumentParser(description="What an event costs the whole product.")
    parser.add_argument("--events", type=int, default=400_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the visitors")
    parser.add_argument("--cases", nargs="+", choices=[case.name for case in cases()], default=[])
    options = parser.parse_args()
    print(text(section(options.events, options.runs, options.scale, options.cases)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
