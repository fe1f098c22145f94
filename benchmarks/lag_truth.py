"""How true the lag is: a simulated log, reader and monitor, against what the simulation itself knows.

    python -m benchmarks.lag_truth            # every scenario, a line each; exit 1 where one is off
    python -m benchmarks.lag_truth --seeds 20

Bound: the lag in seconds is never off by more than 2 s or 5 %, whichever is more; a quiet topic never alarms; what stops is seen
within two commit intervals, what is stuck within a minute.
"""

import argparse
import random
import sys
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from stream.ops.commits import Commit, Ring
from stream.ops.evaluator import Status, Window, evaluate
from stream.ops.history import LogEnds

PLACE = ("group", "topic", 0)
LOOK_MS, JITTER_MS = 1_000, 400
COMMIT_MS = 1_000
HOUR_MS, DAY_MS = 3_600_000, 86_400_000


@dataclass
class World:
    """What happens: when each record is appended, how much is read a second, and when the reader or the monitor is disturbed.

    `stops` are spans in which nothing is read, nor committed unless `commits_while_stopped`; `rewinds` set the reader back by so
    many records; `restarts` make the monitor forget all.
    """

    appended: list[int]
    length_ms: int
    rate_per_s: float = 1e9
    stops: list[tuple[int, int]] = field(default_factory=list)
    rewinds: dict[int, int] = field(default_factory=dict)
    restarts: list[int] = field(default_factory=list)
    commits_while_stopped: bool = False
    late_stamps_ms: int = 300
    """Producers stamp a record up to so long before it is appended."""


@dataclass(frozen=True)
class Look:
    """What the monitor says at a moment, and what is true."""

    at_ms: int
    status: Status
    seconds: float
    true_seconds: float

    @property
    def error(self) -> float:
        """How far off, as a part of what is allowed."""
        return abs(self.seconds - self.true_seconds) / max(2.0, 0.05 * self.true_seconds)


def looks(world: World, seed: int, *, ours: bool = True) -> Iterator[Look]:
    """Run a world and yield each look of the monitor."""
    chance, ends, ring = random.Random(seed), LogEnds(), Ring()  # noqa: S311 - a simulation
    stamps = [at - chance.randrange(world.late_stamps_ms + 1) for at in world.appended]
    rewinds, restarts = sorted(world.rewinds.items()), sorted(world.restarts)
    offset, committed, commit_at, now, look_at = 0.0, 0, 0, 0, 0
    while now < world.length_ms:
        now = min(look_at, commit_at + COMMIT_MS)
        end = bisect_left(world.appended, now)
        stopped = any(begin <= now < until for begin, until in world.stops)
        if now >= commit_at + COMMIT_MS:
            if not stopped:
                offset = min(end, offset + world.rate_per_s * (now - commit_at) / 1000)
                while rewinds and rewinds[0][0] <= now:
                    offset = max(0, offset - rewinds.pop(0)[1])
            if int(offset) != committed or (stopped and world.commits_while_stopped):
                committed = int(offset)
                ring.note(Commit(PLACE, committed, now))
            commit_at = now
        if now < look_at:
            continue
        while restarts and restarts[0] <= now:
            restarts.pop(0)
            ends, ring = LogEnds(), Ring()
        look_at = now + LOOK_MS + chance.randrange(JITTER_MS)
        ends.note(end, now)
        ring.looked(PLACE, committed, now)
        unread = committed < end
        since = ends.waits_since(committed, stamps[committed]) if unread else None
        window = Window(ring.samples(ends.end_at), end, since, COMMIT_MS if ours else None)
        truth = (now - world.appended[committed]) / 1000 if unread else 0.0
        yield Look(now, evaluate(window, now), (now - since) / 1000 if since is not None else 0.0, truth)


def steady(chance: random.Random) -> World:
    """Make ten records a second for an hour, read as they come."""
    return World(_poisson(chance, 10, HOUR_MS), HOUR_MS)


def backlog(chance: random.Random) -> World:
    """Make more than is read, for three hours, then less."""
    appended = _poisson(chance, 8, 3 * HOUR_MS) + [3 * HOUR_MS + at for at in _poisson(chance, 1, 6 * HOUR_MS)]
    return World(appended, 9 * HOUR_MS, rate_per_s=5)


def bursts(chance: random.Random) -> World:
    """Make nothing, and then some thousand records within a few milliseconds, again and again."""
    appended: list[int] = []
    for begin in range(60_000, 6 * HOUR_MS, 900_000):
        size = chance.randrange(500, 4_000)
        appended += sorted(begin + chance.randrange(120_000) + chance.choice([0, 0, 0, chance.randrange(50)]) for _ in range(3))
        appended += [begin + 121_000 + n // 200 for n in range(size)]
    return World(sorted(appended), 6 * HOUR_MS, rate_per_s=chance.choice([5, 20, 1000]))


def idle(chance: random.Random) -> World:
    """Make a record now and then, of a reader that stops for an hour."""
    return World(_poisson(chance, 1 / 600, DAY_MS), DAY_MS, stops=[(8 * HOUR_MS, 9 * HOUR_MS)])


def rewinds(chance: random.Random) -> World:
    """Make a reader that is set back, by a few and by many."""
    at = {n * HOUR_MS + chance.randrange(HOUR_MS): chance.choice([1, 50, 5_000, 50_000]) for n in range(1, 7)}
    return World(_poisson(chance, 5, 8 * HOUR_MS), 8 * HOUR_MS, rate_per_s=40, rewinds=at)


def reader_restarts(chance: random.Random) -> World:
    """Make a reader that stands for seconds, minutes, hours."""
    stops = [(n * HOUR_MS, n * HOUR_MS + chance.choice([5_000, 90_000, 1_500_000, 2 * HOUR_MS])) for n in range(1, 9, 3)]
    return World(_poisson(chance, 3, 12 * HOUR_MS), 12 * HOUR_MS, rate_per_s=50, stops=stops)


def monitor_restarts(chance: random.Random) -> World:
    """Make the same, and the monitor is started anew in the middle."""
    world = reader_restarts(chance)
    world.restarts = sorted(chance.randrange(world.length_ms) for _ in range(30))
    return world


SCENARIOS: tuple[Callable[[random.Random], World], ...] = (
    steady, backlog, bursts, idle, rewinds, reader_restarts, monitor_restarts,
)  # fmt: skip


def worst_error(scenario: Callable[[random.Random], World], seed: int) -> tuple[float, int]:
    """Return the largest error of a scenario as a part of what is allowed, and of how many looks."""
    errors = [look.error for look in looks(scenario(random.Random(seed)), seed)]  # noqa: S311 - a simulation
    return max(errors), len(errors)


def alarms_of_a_quiet_topic(seed: int, days: int = 7) -> list[Look]:
    """Return the looks that were not OK while a record came every ten minutes or so and was read at once."""
    world = World(_poisson(random.Random(seed), 1 / 600, days * DAY_MS), days * DAY_MS)  # noqa: S311 - a simulation
    return [look for look in looks(world, seed) if look.status is not Status.OK]


def seen_after_s(seed: int, *, stuck: bool) -> tuple[Status, float]:
    """Return what is said of a reader that stops, or is stuck and commits on, and how long after that."""
    chance = random.Random(seed)  # noqa: S311 - a simulation
    begin = 600_000 + chance.randrange(5_000)
    world = World(_poisson(chance, 10, 900_000), 900_000, stops=[(begin, 900_000)], commits_while_stopped=stuck)
    wanted = Status.STALL if stuck else Status.STOP
    found = next(look for look in looks(world, seed, ours=not stuck) if look.at_ms > begin and look.status is wanted)
    return found.status, (found.at_ms - begin) / 1000


def _poisson(chance: random.Random, per_s: float, length_ms: int) -> list[int]:
    appended, at = [], chance.expovariate(per_s / 1000)
    while at < length_ms:
        appended.append(int(at))
        at += chance.expovariate(per_s / 1000)
    return appended


def main() -> int:
    """Print a line a scenario; return 1 where a bound is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    seeds = range(parser.parse_args().seeds)
    good = True
    for scenario in SCENARIOS:
        runs = [worst_error(scenario, seed) for seed in seeds]
        worst = max(error for error, _ in runs)
        good &= worst <= 1
        print(
            f"{scenario.__name__:<18} {sum(count for _, count in runs):>8} looks   largest error {worst:6.1%} of what is allowed"
        )
    quiet = [len(alarms_of_a_quiet_topic(seed)) for seed in seeds]
    stopped = [seen_after_s(seed, stuck=False)[1] for seed in seeds]
    stuck = [seen_after_s(seed, stuck=True)[1] for seed in seeds]
    print(f"quiet for 7 days   {sum(quiet)} alarms")
    print(f"stopped            seen after {max(stopped):.1f} s at most")
    print(f"stuck              seen after {max(stuck):.1f} s at most")
    good &= not any(quiet) and max(stuck) <= 60
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
