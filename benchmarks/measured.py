"""What a process costs while it reads a topic: CPU time of all its threads against what its group has committed."""

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from benchmarks.bar import Bar
from benchmarks.kafka import Kafka
from tests.brokers import Process

FROM, HALF, TO = 0.05, 0.5, 0.97
"""The span that counts: behind the start, before the end waits for its last commit; what comes behind HALF is warm."""
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
    """What a run took; `cpu_us` is user + system time an event, `warm_us` that of the second half."""

    cpu_us: float
    warm_us: float
    per_second: float
    cores: float
    rss_mb: float


def until_read(kafka: Kafka, processes: Sequence[Process], reading: Reading, limit_s: float = 900) -> Cost:
    """Watch processes until their group has committed everything; raises where one ends before."""
    bar = Bar(reading.group, reading.total)
    watched, rss = [psutil.Process(process.pid) for process in processes], 0
    samples = [(time.monotonic(), 0, sum(cpu_s(one) for one in watched))]
    limit = time.monotonic() + limit_s
    while samples[-1][1] < reading.total:
        for process in processes:
            if process.exit_code is not None or time.monotonic() > limit:
                raise RuntimeError(f"{process.command} read {samples[-1][1]} of {reading.total}:\n{process.output[-3000:]}")
        done = kafka.committed(reading.group, reading.topic, reading.partitions)
        samples.append((time.monotonic(), done, sum(cpu_s(one) for one in watched)))
        rss = max(rss, sum(one.memory_info().rss for one in watched))
        bar.at(done)
        time.sleep(EVERY_S)
    bar.end()
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
    warm = [sample for sample in inner if sample[1] >= HALF * total]
    cpu_us, per_second, cores = _between(inner[0], inner[-1])
    return Cost(cpu_us, _between(warm[0], warm[-1])[0] if len(warm) > 1 else cpu_us, per_second, cores, rss / 2**20)


def _between(before: Sample, after: Sample) -> tuple[float, float, float]:
    """Return CPU us an event, events a second and cores."""
    seconds, count, used = (late - early for early, late in zip(before, after, strict=True))
    return used / count * 1e6, count / seconds, used / seconds
