"""What a process costs while it reads a topic: CPU time of all its threads against what its group has committed."""

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from benchmarks.kafka import Kafka
from tests.brokers import Process

FROM, TO = 0.05, 0.97
"""The span that counts: behind the start, before the end waits for its last commit."""
EVERY_S = 0.25
Sample = tuple[float, int, float]
"""Seconds by the clock, events committed, seconds of CPU."""


@dataclass(frozen=True)
class Reading:
    """A topic to be read by a group."""

    topic: str
    group: str
    partitions: int
    total: int


@dataclass(frozen=True)
class Cost:
    """What a run took; `cpu_us` is user + system time an event."""

    cpu_us: float
    per_second: float
    cores: float
    rss_mb: float


def until_read(kafka: Kafka, processes: Sequence[Process], reading: Reading, limit_s: float = 900) -> Cost:
    """Watch processes until their group has committed everything; raises where one ends before."""
    watched, samples, rss = [psutil.Process(process.pid) for process in processes], [(time.monotonic(), 0, 0.0)], 0
    limit = time.monotonic() + limit_s
    while samples[-1][1] < reading.total:
        for process in processes:
            if process.exit_code is not None or time.monotonic() > limit:
                raise RuntimeError(f"{process.command} read {samples[-1][1]} of {reading.total}:\n{process.output[-3000:]}")
        done = kafka.committed(reading.group, reading.topic, reading.partitions)
        samples.append((time.monotonic(), done, sum(cpu_s(one) for one in watched)))
        rss = max(rss, sum(one.memory_info().rss for one in watched))
        time.sleep(EVERY_S)
    return _cost(samples[0], [s for s in _steps(samples) if s[1] >= FROM * reading.total], reading.total, rss)


def cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _steps(samples: list[Sample]) -> list[Sample]:
    """Return the first sample at each committed offset: between commits the processor works on what is not committed yet."""
    return [now for before, now in itertools.pairwise(samples) if now[1] > before[1]]


def _cost(first: Sample, span: list[Sample], total: int, rss: int) -> Cost:
    inner = [sample for sample in span if sample[1] <= TO * total]
    if len(inner) < 2:  # too few commits to leave the start out: it counts too
        inner = [first, span[-1]]
    (began, done, cpu), (ended, last, cpu_end) = inner[0], inner[-1]
    seconds, used, count = ended - began, cpu_end - cpu, last - done
    return Cost(used / count * 1e6, count / seconds, used / seconds, rss / 2**20)
