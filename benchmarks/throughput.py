"""What an event costs the whole product: `python -m benchmarks.throughput [--events N] [--runs N] [--cases NAME …]`.

Workers with the shipped ruleset, companies, bots, identities read a backlog of the 97/3 mix from a real Kafka. The CPU of
the whole process counts, by what its group has committed. The other cases say how the cost grows: their tables are filled
with rows of five events each before the workers start.
"""

import argparse
import statistics
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field

from benchmarks import mix
from benchmarks.kafka import Kafka, kafka, progress
from benchmarks.measured import Cost, Reading, until_read
from benchmarks.product import fill, installation, visitor_rows


@dataclass
class Case:
    """How large the installation is."""

    name: str
    visitors: int = 50_000
    filled: bool = False
    partitions: int = 8
    workers: int = 1
    costs: list[Cost] = field(default_factory=list)

    @property
    def cpu_us(self) -> float:
        """Return the median of the runs."""
        return statistics.median(cost.cpu_us for cost in self.costs)


def cases() -> list[Case]:
    """Return all of them."""
    return [
        Case("the mix"),
        Case("10,000 visitors", 10_000, filled=True),
        Case("1,000,000 visitors", 1_000_000, filled=True),
        Case("4 partitions", partitions=4),
        Case("64 partitions", partitions=64),
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
    with installation(broker, case.partitions) as one:
        if case.filled:
            fill(broker, one, visitor_rows(5), case.visitors)
        broker.produce(one.topic("events"), mix.traffic(events, case.visitors), case.name, events)
        reading = Reading(one.topic("events"), one.app, case.partitions, events)
        workers = [one.worker() for _ in range(case.workers)]
        cost = until_read(broker, workers, reading)
        if left := broker.end(one.topic("dead-letters")):
            raise RuntimeError(f"{left} events of the mix became dead letters")
        return cost


def table(ran: Iterable[Case]) -> list[tuple[str, ...]]:
    """Return a line a case."""
    lines: list[tuple[str, ...]] = [("whole product", "CPU us/event", "single runs", "events/s", "cores", "RSS MB")]
    for case in ran:
        per_second, cores, rss = (
            statistics.median(getattr(cost, what) for cost in case.costs) for what in ("per_second", "cores", "rss_mb")
        )
        single = " ".join(f"{cost.cpu_us:.1f}" for cost in case.costs)
        lines.append((case.name, f"{case.cpu_us:.1f}", single, f"{per_second:,.0f}", f"{cores:.2f}", f"{rss:.0f}"))
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description="What an event costs the whole product.")
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--cases", nargs="+", choices=[case.name for case in cases()], default=["the mix"])
    options = parser.parse_args()
    for line in table(run([case for case in cases() if case.name in options.cases], options.events, options.runs)):
        print("  ".join(f"{cell:>20}" for cell in line))
    return 0


if __name__ == "__main__":
    sys.exit(main())
