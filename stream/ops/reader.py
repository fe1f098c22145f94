"""One group at one partition: what it committed, what it reads next, and since when that lies there."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from aiokafka import TopicPartition

from stream.ops.commits import Commit, Place, Ring
from stream.ops.evaluator import Status, Window, commit_interval, evaluate
from stream.ops.history import APART_MS, OF_AGE, LogEnds
from stream.ops.setting import Setting

FRESH_MS = 20_000
"""So long the answer to a read behind a commit holds: compaction and retention go on."""

UNSURE_MS = 1_500
CUT_MS = 2_000
"""So long a log must have ended before a commit: a new leader may not know at once how much its former one had given out."""
FEW = 3
"""So few offsets at a log's end may be nothing but the marks of a transaction."""


@dataclass(frozen=True, slots=True)
class Unread:
    """What was found between a commit and the log's end: the first record, with its timestamp; `offset` None: gaps only.

    Gaps are the markers of transactions, and what compaction took; `has_gaps` where some are among the records that follow.
    """

    start: int
    end: int
    at_ms: int
    offset: int | None
    stamp: int | None = None
    has_gaps: bool = False

    def holds(self, start: int, end: int, now_ms: int) -> bool:
        """Tell whether it says something of the same commit still."""
        fresh = now_ms - self.at_ms <= FRESH_MS
        return start == self.start and fresh and (self.offset is not None or end <= self.end)


class Reader:
    """Heard of by commits and by looks; what neither tells is asked of Kafka.

    Args:
        place: group, topic and partition.
        ends: the ends of that log, shared by all its readers.
        interval_ms: how often it commits, where that is known.
    """

    def __init__(self, place: Place, ends: LogEnds, interval_ms: int | None = None) -> None:
        self.ring = Ring()
        self.start = self.end = 0
        """Where it goes on, and the log's end."""
        self._place, self._ends, self._interval_ms = place, ends, interval_ms
        self._unread: Unread | None = None
        self._stamp: tuple[int, int | None] = -1, None
        self._read: tuple[int, int] = -1, 0
        self._stable: tuple[int, int, bool] = -1, -1, False
        self._cut_ms: int | None = None

    def heard(self, commit: Commit, after_ms: int, now_ms: int) -> None:
        """Hear of a commit, made between two moments by our clock; where the broker's, which dates it, is another, of now."""
        self.ring.note(commit if after_ms <= commit.at_ms <= now_ms else replace(commit, at_ms=now_ms))

    def shift(self, step_ms: int) -> None:
        """Hear that the clock was set; the log's ends hear it themselves."""
        self.ring.shift(step_ms)
        self._read = self._read[0], self._read[1] + step_ms
        self._cut_ms = None
        if self._unread is not None:
            self._unread = replace(self._unread, at_ms=self._unread.at_ms + step_ms)

    def looked(self, committed: int | None, first: int, end: int, now_ms: int) -> None:
        """Hear where it stands (None: nowhere yet), and where its log begins and ends."""
        self.start, self.end = max(first, committed or 0), end
        is_cut = committed is not None and committed > end  # which was asked for behind the commit
        self._cut_ms = (now_ms if self._cut_ms is None else self._cut_ms) if is_cut else None
        known = self.ring.commits[-1].offset if self.ring.commits else None
        if committed is None:
            committed = first if known is None else min(known, first)  # retention that goes on is no commit
        self.ring.looked(self._place, committed, now_ms)
        if self._unread is not None and not self._unread.holds(self.start, end, now_ms):
            self._unread, self._read = None, (-1, 0)

    def found(self, unread: Unread) -> None:
        """Hear what lies behind the commit."""
        if unread.start != self.start:
            return
        self._read = unread.start, unread.at_ms
        self._unread = unread
        self._ends.has_gaps |= unread.has_gaps or unread.offset != unread.start
        self._ends.read_at_ms = unread.at_ms

    def dated(self, found: tuple[int, int] | None) -> None:
        """Hear of the first record with a timestamp from the moment asked on: its offset and timestamp; None: there is none."""
        self._stamp = self.start, found[1] if found is not None and found[0] == self.start else None

    def is_cut(self, now_ms: int) -> bool:
        """Tell whether what it read is there no more: at more than one look the log ended before its commit."""
        return self._cut_ms is not None and now_ms - self._cut_ms >= CUT_MS

    @property
    def is_behind(self) -> bool:
        """Whether something lies there, as far as is known."""
        return self.start < self.end and not (self._unread is not None and self._unread.offset is None)

    @property
    def since_ms(self) -> float | None:
        """Since when the oldest unread record lies there; None: nothing does, or it is not known."""
        if not self.is_behind:
            return None
        if self._unread is not None and self._unread.offset is not None:
            return self._ends.waits_since(self._unread.offset, self._unread.stamp)
        return self._ends.waits_since(self.start, self._stamp[1] if self._stamp[0] == self.start else None)

    def must_read(self, now_ms: int) -> bool:
        """Tell whether only the record itself can say since when it lies there: nobody looked, or not for long, when it came."""
        if not self.is_behind or self._was_read(now_ms):
            return False
        beside = self._ends.looks_beside(self.start)
        return beside is None or beside[1] - beside[0] > max(APART_MS, OF_AGE * (now_ms - beside[1]))

    def reads(self, now_ms: int) -> int:
        """Return where it goes on, to be read from there now: what cannot be read is not tried all the time."""
        self._read = self.start, now_ms
        return self.start

    def _was_read(self, now_ms: int) -> bool:
        return self._read[0] == self.start and now_ms - self._read[1] <= FRESH_MS

    def asks_from(self, now_ms: int) -> int | None:
        """Return from which moment on (ms) the record's timestamp is asked for; None: looks and commits say enough.

        Asked for is what decides whether it has stopped.
        """
        beside = self._ends.looks_beside(self.start)
        if not self.is_behind or self._unread is not None or self._stamp[0] == self.start or beside is None:
            return None
        (before, after), committed = beside, self.ring.commits[-1].at_ms
        if after <= committed:
            return None
        interval_ms = commit_interval(self.window())
        decides = 2 * (now_ms - committed) > interval_ms and now_ms - after < 4 * interval_ms
        return max(before, committed) if decides else None

    def is_doubtful(self, status: Status, now_ms: int) -> bool:
        """Tell whether it must be read what lies there: before an alarm, and before it waits where gaps may be."""
        if not self.is_behind or self._was_read(now_ms):
            return False
        since = self.since_ms
        waits = since is None or now_ms - since > UNSURE_MS
        unsure = self._ends.has_gaps or self.end - self.start <= FEW or now_ms - self._ends.read_at_ms > FRESH_MS
        return status is not Status.OK or (waits and unsure)

    def knows_committed(self, stable: int) -> bool:
        """Tell whether it is known what is there for who reads committed records only; a record that is there stays there."""
        start, known, is_nothing = self._stable
        return start == self.start and (known == stable or not is_nothing)

    def heard_committed(self, stable: int, *, is_nothing: bool) -> None:
        """Hear whether something committed is there before the log's stable end: where the oldest open transaction begins."""
        self._stable = self.start, stable, is_nothing

    @property
    def is_held(self) -> bool:
        """Whether nothing is there for who reads committed records only, as far as is known."""
        return self._stable[0] == self.start and self._stable[2]

    @property
    def is_open(self) -> bool:
        """Whether that is because of a transaction that is open."""
        return self.is_held and self._stable[1] < self.end

    def end_at(self, at_ms: float) -> int | None:
        """Return the log's end at a moment, as far as looks tell."""
        return self._ends.end_at(at_ms)

    def window(self, end_at: Callable[[int], int | None] | None = None, members: int | None = None) -> Window:
        """Return what the evaluator judges."""
        samples, end = self.ring.samples(end_at or self._ends.end_at), self.end
        if not self.is_behind:  # gaps are nothing to read, and what was looked at may be newer than the last commit heard of
            end = min(end, self.start)
            samples[-1] = replace(samples[-1], offset=max(samples[-1].offset, end))
        return Window(samples, end, self.since_ms, self._interval_ms, members, self._latest_ms)

    @property
    def _latest_ms(self) -> float | None:
        """Since when the record lies there at the latest, where nobody looked for long when it came; None: as `since_ms` says."""
        unread = self._unread
        at, stamp = (self.start, self._stamp[1] if self._stamp[0] == self.start else None)
        if unread is not None and unread.offset is not None:
            at, stamp = unread.offset, unread.stamp
        before, after = self._ends.looks_beside(at) or (0, 0)
        told = stamp is not None and before < stamp <= after
        return after if after - before > UNSURE_MS and not told else None

    def status(self, now_ms: int, members: int | None = None) -> Status:
        """Return how it does by what is known."""
        if not self.is_behind:
            return Status.OK
        return evaluate(self.window(members=members), now_ms)


Read = tuple[str, TopicPartition]
"""A group and what it reads."""


@dataclass
class Known:
    """What looks have told so far; it outlives connections."""

    readers: dict[Read, Reader] = field(default_factory=dict)
    setting: Setting = field(default_factory=Setting)
    heard_ms: int = 0
    """When commits were heard of for the last time; 0: never."""
    ends: defaultdict[TopicPartition, LogEnds] = field(default_factory=lambda: defaultdict(LogEnds))

    def shift(self, step_ms: int) -> None:
        """Hear that the clock was set."""
        self.heard_ms += step_ms
        for ends in self.ends.values():
            ends.shift(step_ms)
        for reader in self.readers.values():
            reader.shift(step_ms)
