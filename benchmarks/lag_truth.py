"""How true the lag is: a simulated log, reader and monitor, against what the simulation itself knows.

    python -m benchmarks.lag_truth            # every scenario, a line each; exit 1 where one is off
    python -m benchmarks.lag_truth --seeds 20

Bound: the lag in seconds is never off by more than 2 s or 5 %, whichever is more; a quiet topic never alarms; what stops is seen
within two commit intervals, what is stuck within a minute.
"""

import argparse
import random
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from stream.ops.commits import Commit
from stream.ops.evaluator import Status, evaluate, stops_at
from stream.ops.history import LogEnds
from stream.ops.lag import Report
from stream.ops.meter import ON_ITS_WAY_MS
from stream.ops.reader import Reader, Unread

PLACE = ("group", "topic", 0)
LOOK_MS, LASTS_MS = 500, (10, 100)
"""How often the monitor looks, and how long a look takes until it is told."""
COMMIT_MS, TIMER_MS, CHECKPOINT_MS = 1_000, 900, (5, 300)
"""A worker's commits are at most so far apart: its timer, and how long a checkpoint takes."""
HOUR_MS, DAY_MS = 3_600_000, 86_400_000


@dataclass
class World:
    """What happens: when each record is appended, how much is read a second, and when the reader or the monitor is disturbed.

    `stops` are spans in which nothing is read, nor committed unless `commits_while_stopped`; `rewinds` set the reader back by so
    many records, `jumps` forward; `restarts` make the monitor forget all, in `blind` spans it cannot look. `gaps` are offsets
    that hold no record: markers of transactions, what compaction took; `cuts` move the log's beginning to an offset; `steps` set
    the monitor's clock by so much (ms), where nobody else's changes.
    """

    appended: list[int]
    length_ms: int
    rate_per_s: float = 1e9
    stops: list[tuple[int, int]] = field(default_factory=list)
    rewinds: dict[int, int] = field(default_factory=dict)
    jumps: dict[int, int] = field(default_factory=dict)
    restarts: list[int] = field(default_factory=list)
    blind: list[tuple[int, int]] = field(default_factory=list)
    commits_while_stopped: bool = False
    late_stamps_ms: int = 300
    """Producers stamp a record up to so long before it is appended."""
    gaps: set[int] = field(default_factory=set)
    cuts: dict[int, int] = field(default_factory=dict)
    steps: dict[int, int] = field(default_factory=dict)
    compacted: bool = False
    skips: bool = False
    """Leave out looks while all is read and nothing comes: one is as the other."""


@dataclass(frozen=True)
class Look:
    """What the monitor says at a moment, when it has said it, and what is true."""

    at_ms: int
    told_ms: int
    status: Status
    seconds: float
    true_seconds: float

    @property
    def error(self) -> float:
        """How far off, as a part of what is allowed."""
        return abs(self.seconds - self.true_seconds) / max(2.0, 0.05 * self.true_seconds)


class Log:
    """The simulated log: what Kafka would answer."""

    def __init__(self, world: World, chance: random.Random) -> None:
        self._world = world
        self._stamps = [at - chance.randrange(world.late_stamps_ms + 1) for at in world.appended]
        self._cuts = sorted(world.cuts.items())

    def bounds(self, now_ms: int) -> tuple[int, int]:
        """Return where it begins and ends."""
        end = bisect_left(self._world.appended, now_ms)
        done = bisect_right(self._cuts, (now_ms, sys.maxsize))
        return (min(end, max(offset for _, offset in self._cuts[:done])) if done else 0), end

    def next_ms(self, now_ms: int) -> int:
        """Return when the next record comes (ms)."""
        following = bisect_left(self._world.appended, now_ms)
        return self._world.appended[following] if following < len(self._world.appended) else self._world.length_ms

    def first(self, start: int, end: int) -> int | None:
        """Return the offset of the first record at or behind one."""
        return next((offset for offset in range(start, end) if offset not in self._world.gaps), None)

    def read(self, start: int, end: int, now_ms: int) -> Unread:
        """Answer a read."""
        offset = self.first(start, end)
        if offset is None:
            return Unread(start, end, now_ms, None)
        gaps = any(later in self._world.gaps for later in range(offset, min(end, offset + 200)))
        return Unread(start, end, now_ms, offset, self._stamps[offset], gaps)

    def since(self, at_ms: int, start: int, end: int) -> tuple[int, int] | None:
        """Answer a search by time with offset and timestamp; what lies far before the place that matters is left out."""
        found = next((offset for offset in range(max(0, start - 200), end) if self._stamps[offset] >= at_ms), None)
        return None if found is None else (found, self._stamps[found])


class Consuming:
    """The simulated reader of a log: it reads at its rate, and commits when something has changed."""

    def __init__(self, world: World, log: Log, chance: random.Random) -> None:
        self._world, self._log, self._chance = world, log, chance
        self._moves = sorted([*((at, -n) for at, n in world.rewinds.items()), *world.jumps.items()])
        self._offset, self._at = 0.0, 0
        self.committed = 0
        self.next_ms = TIMER_MS

    def commit(self) -> Commit | None:
        """Do what it does at `next_ms`."""
        now, world = self.next_ms, self._world
        self.next_ms = now + TIMER_MS + self._chance.randrange(*CHECKPOINT_MS)
        stopped = any(begin <= now < until for begin, until in world.stops)
        if not stopped:
            first, end = self._log.bounds(now)
            self._offset = max(first, min(end, self._offset + world.rate_per_s * (now - self._at) / 1000))
            while self._moves and self._moves[0][0] <= now:
                self._offset = max(first, min(end, self._offset + self._moves.pop(0)[1]))
            while self._offset == int(self._offset) and int(self._offset) - 1 in world.gaps and self._offset > self.committed:
                self._offset -= 1  # clients stand behind the last record, not behind what follows it
        self._at = now
        if world.skips and self._offset == self._log.bounds(now)[1]:
            self.next_ms += max(0, self._log.next_ms(now) - self.next_ms) // TIMER_MS * TIMER_MS
        if int(self._offset) == self.committed and not (stopped and world.commits_while_stopped):
            return None
        self.committed = int(self._offset)
        return Commit(PLACE, self.committed, now)


@dataclass
class Monitor:
    """What looks: it forgets all at a restart, and its clock is set now and then."""

    interval_ms: int | None
    compacted: bool
    ahead_ms: int = 0
    """Its clock, before the true one."""
    heard_ms: int = -(10**12)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget all."""
        self.ends, self.heard_ms = LogEnds(), -(10**12)
        self.reader = Reader(PLACE, self.ends, self.interval_ms)

    def set_clock(self, step_ms: int) -> None:
        """Set its clock, which it hears of."""
        self.ahead_ms += step_ms
        self.heard_ms += step_ms
        self.ends.shift(step_ms)
        self.reader.shift(step_ms)

    def hear(self, commit: Commit, now_ms: int) -> None:
        """Hear of a commit, dated by the true clock."""
        self.reader.heard(commit, self.heard_ms - ON_ITS_WAY_MS, now_ms + self.ahead_ms)


def looks(world: World, seed: int, *, ours: bool = True) -> Iterator[Look]:
    """Run a world and yield each look of the monitor."""
    chance = random.Random(seed)  # noqa: S311 - a simulation
    log, restarts, steps = Log(world, chance), sorted(world.restarts), sorted(world.steps.items())
    consuming, monitor = Consuming(world, log, chance), Monitor(COMMIT_MS if ours else None, world.compacted)
    now = 0
    while now < world.length_ms:
        now = next((until for begin, until in world.blind if begin <= now < until), now)
        while steps and steps[0][0] <= now:
            monitor.set_clock(steps.pop(0)[1])
        while consuming.next_ms <= now:
            commit = consuming.commit()
            if commit is not None:
                monitor.hear(commit, now)
        monitor.heard_ms = now + monitor.ahead_ms
        while restarts and restarts[0] <= now:
            restarts.pop(0)
            monitor.restart()
        look, due_ms = _look(world, log, consuming.committed, monitor, now, chance)
        yield look
        now = look.told_ms + int(1000 * Report(due_ms=due_ms - monitor.ahead_ms).rest_s(LOOK_MS / 1000, look.told_ms))
        if world.skips and not monitor.reader.is_behind:
            now = max(now, log.next_ms(look.at_ms) - chance.randrange(LOOK_MS))


def _look(world: World, log: Log, committed: int, monitor: Monitor, now: int, chance: random.Random) -> tuple[Look, float]:
    """Do what the meter does, and compare with what is true."""
    first, end = log.bounds(now)
    reader, at = monitor.reader, now + monitor.ahead_ms
    monitor.ends.note(end, at)
    monitor.ends.has_gaps |= monitor.compacted
    reader.looked(committed, first, end, at)
    if reader.must_read(at):
        reader.found(log.read(reader.reads(at), end, at))
    asked = reader.asks_from(at)
    if asked is not None:
        reader.dated(log.since(asked, reader.start, end))
    window = reader.window()
    status = evaluate(window, at)
    if reader.is_doubtful(status, at):
        reader.found(log.read(reader.reads(at), end, at))
        window = reader.window()
        status = evaluate(window, at)
    oldest, since = log.first(reader.start, end), reader.since_ms
    due_ms = stops_at(window) if reader.is_behind and status is not Status.STOP else float("inf")
    told = 0.0 if since is None else (at - since) / 1000
    true = 0.0 if oldest is None else (now - world.appended[oldest]) / 1000
    return Look(now, now + chance.randrange(*LASTS_MS), status, max(0.0, told), true), due_ms


def steady(chance: random.Random) -> World:
    """Make ten records a second for an hour, read as they come."""
    return World(_poisson(chance, 10, HOUR_MS), HOUR_MS)


def backlog(chance: random.Random) -> World:
    """Make more than is read, for an hour and a half, then less."""
    half = HOUR_MS // 2
    appended = _poisson(chance, 8, 3 * half) + [3 * half + at for at in _poisson(chance, 1, 4 * half)]
    return World(appended, 7 * half, rate_per_s=5)


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
    return World(_poisson(chance, 1 / 600, DAY_MS), DAY_MS, stops=[(8 * HOUR_MS, 9 * HOUR_MS)], skips=True)


def rewinds(chance: random.Random) -> World:
    """Make a reader that is set back, by a few and by many."""
    at = {n * HOUR_MS + chance.randrange(HOUR_MS): chance.choice([1, 50, 5_000, 50_000]) for n in range(1, 4)}
    return World(_poisson(chance, 5, 4 * HOUR_MS), 4 * HOUR_MS, rate_per_s=40, rewinds=at)


def reader_restarts(chance: random.Random) -> World:
    """Make a reader that stands for seconds, minutes, hours."""
    stops = [(n * HOUR_MS, n * HOUR_MS + chance.choice([5_000, 90_000, 1_500_000, 2 * HOUR_MS])) for n in (1, 4)]
    return World(_poisson(chance, 3, 7 * HOUR_MS), 7 * HOUR_MS, rate_per_s=50, stops=stops)


def monitor_restarts(chance: random.Random) -> World:
    """Make the same, and the monitor is started anew in the middle."""
    world = reader_restarts(chance)
    world.restarts = sorted(chance.randrange(world.length_ms) for _ in range(30))
    return world


def gaps(chance: random.Random) -> World:
    """Make transactions of some records each, with a marker behind, and a reader that stands before it."""
    appended, markers, at = list[int](), set[int](), 0.0
    while at < 4 * HOUR_MS:
        at += chance.choice([300, 2_000, 600_000]) * chance.expovariate(1)
        appended += [int(at)] * chance.randrange(1, 5)
        markers.add(len(appended))
        appended.append(int(at) + 20)
    return World(appended, 4 * HOUR_MS, gaps=markers, stops=[(HOUR_MS, 2 * HOUR_MS)], rate_per_s=50)


def compaction(chance: random.Random) -> World:
    """Make a log whose old part has lost nearly all, and a reader that begins at its beginning, again and again."""
    count = 3 * HOUR_MS // 1_000
    lost = {offset for offset in range(count) if offset < count // 3 and chance.random() < 0.999}
    back = {n * HOUR_MS: chance.choice([1_000, 10**9]) for n in range(1, 3)}
    return World([n * 1_000 for n in range(count)], 3 * HOUR_MS, gaps=lost, rewinds=back, rate_per_s=40, compacted=True)


def retention(chance: random.Random) -> World:
    """Make a log that is cut every few minutes, in front of the reader and behind it."""
    appended = _poisson(chance, 2, 5 * HOUR_MS)
    cuts = {at: bisect_left(appended, at - chance.choice([0, 60_000, HOUR_MS])) for at in range(HOUR_MS, 5 * HOUR_MS, 7 * 60_000)}
    return World(
        appended, 5 * HOUR_MS, cuts=cuts, rate_per_s=3, stops=[(HOUR_MS, 3 * HOUR_MS), (4 * HOUR_MS, 4 * HOUR_MS + 90_000)]
    )


def clock_steps(chance: random.Random) -> World:
    """Make bursts, and a monitor whose clock is set forward and back, by a second and by an hour.

    It is not started anew meanwhile: what came before its first look is dated by its wrong clock, and nobody could tell.
    """
    world = bursts(chance)
    world.rate_per_s = 5
    sizes = [-HOUR_MS, -30_000, -5_000, -1_000, 1_000, 5_000, 30_000, HOUR_MS]
    world.steps = {chance.randrange(world.length_ms): chance.choice(sizes) for _ in range(40)}
    return world


def anything(chance: random.Random) -> World:
    """Make hours of whatever may happen, one on top of the other."""
    length = chance.choice([HOUR_MS, 4 * HOUR_MS])
    appended, at = list[int](), 0.0
    while at < length:
        pace = chance.choice([5, 100, 1_000, 30_000, 900_000])
        for _ in range(chance.randrange(1, 300)):
            at += pace * chance.expovariate(1)
            appended += [int(at)] * chance.choice([1, 1, 1, 1, 40])
    appended = [at for at in appended if at < length]

    def moments(most: int) -> list[int]:
        return sorted(chance.randrange(length) for _ in range(chance.randrange(most + 1)))

    def spans(most: int, longest: int) -> list[tuple[int, int]]:
        return [(at, at + chance.randrange(1, longest)) for at in moments(most)]

    return World(
        appended, length, rate_per_s=chance.choice([2, 50, 1e6]), stops=spans(4, length // 8), restarts=moments(4),
        rewinds={at: chance.choice([1, 50, 5_000]) for at in moments(2)},
        jumps={at: chance.choice([50, 10**9]) for at in moments(2)},
        blind=spans(2, 300_000), gaps={n for n in range(len(appended)) if chance.random() < chance.choice([0.0, 0.1])},
        cuts={at: bisect_left(appended, at - chance.choice([0, 60_000, HOUR_MS])) for at in moments(3)},
        commits_while_stopped=chance.random() < 0.3, late_stamps_ms=chance.choice([0, 300, 1_500]),
        steps={at: chance.choice([-400, 400]) for at in moments(2)},
    )  # fmt: skip


SCENARIOS: tuple[Callable[[random.Random], World], ...] = (
    steady, backlog, bursts, idle, rewinds, reader_restarts, monitor_restarts, gaps, compaction, retention,
    clock_steps, anything,
)  # fmt: skip


def worst_error(scenario: Callable[[random.Random], World], seed: int) -> tuple[float, int]:
    """Return the largest error of a scenario as a part of what is allowed, and of how many looks."""
    errors = [look.error for look in looks(scenario(random.Random(seed)), seed)]  # noqa: S311 - a simulation
    return max(errors), len(errors)


def alarms_of_a_quiet_topic(seed: int, days: int = 7) -> list[Look]:
    """Return the looks that were not OK while a record came every ten minutes or so and was read at once."""
    world = World(_poisson(random.Random(seed), 1 / 600, days * DAY_MS), days * DAY_MS, skips=True)  # noqa: S311 - a simulation
    return [look for look in looks(world, seed) if look.status is not Status.OK]


def seen_after_s(seed: int, *, stuck: bool, per_s: float = 10) -> tuple[Status, float]:
    """Return what is said of a reader that stops, or is stuck and commits on, and how long after that it is told.

    It stops when the first record comes that it does not read.
    """
    chance = random.Random(seed)  # noqa: S311 - a simulation
    begin, length = 600_000 + chance.randrange(5_000), 900_000 + int(20_000 / per_s)
    world = World(_poisson(chance, per_s, length), length, stops=[(begin, length)], commits_while_stopped=stuck)
    wanted = Status.STALL if stuck else Status.STOP
    stopped = world.appended[bisect_left(world.appended, begin)]
    found = next(look for look in looks(world, seed, ours=not stuck) if look.at_ms > begin and look.status is wanted)
    return found.status, (found.told_ms - stopped) / 1000


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
    stopped = [seen_after_s(seed, stuck=False, per_s=per_s)[1] for seed in seeds for per_s in (100, 10, 0.05)]
    stuck = [seen_after_s(seed, stuck=True)[1] for seed in seeds]
    print(f"quiet for 7 days   {sum(quiet)} alarms")
    print(f"stopped            seen after {max(stopped):.1f} s at most")
    print(f"stuck              seen after {max(stuck):.1f} s at most")
    good &= not any(quiet) and max(stuck) <= 60 and max(stopped) <= 2 * COMMIT_MS / 1000
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
