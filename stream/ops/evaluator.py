"""Whether a consumer keeps up with a partition, by Burrow's rules: https://github.com/linkedin/Burrow/wiki/Consumer-Lag-Evaluation-Rules."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from math import inf

LENGTH, SPAN_MS = 10, 45_000
"""A window is complete with so many commits, or when it spans so long: what stands still is seen within a minute."""
ALLOWED_MS = 10_000
"""A partition whose oldest unread record lies there for less is well."""
SLOWEST_MS = 30_000
"""A group that commits less often is judged as if it committed so often."""
MISSING = 1.6
"""After so many commit intervals one commit is missing and the next is all but: said now, it is known within two of them."""


class Status(StrEnum):
    """Of a partition, from well to worst; `UNKNOWN`: Kafka does not tell; `ERR` only of a group."""

    OK = "OK"
    WARN = "WARN"
    STALL = "STALL"
    REWIND = "REWIND"
    STOP = "STOP"
    UNKNOWN = "UNKNOWN"
    ERR = "ERR"


@dataclass(frozen=True, slots=True)
class Sample:
    """A commit: the next offset to be read, the moment (ms), the log's end at that moment (None: not known)."""

    offset: int
    at_ms: int
    end: int | None = None

    @property
    def lag(self) -> int | None:
        """How many records lay behind it."""
        return None if self.end is None else self.end - self.offset


@dataclass(frozen=True, slots=True)
class Window:
    """What is known of a group at a partition.

    `commits` are the last ones, oldest first, at least one: of a group that has committed nothing, where it would begin.
    `end` is the log's present end, `waiting_ms` since when the oldest unread record lies there (None: not known),
    `interval_ms` how often the group commits, `members` how many are in it, where that is known; `latest_ms` since when the
    oldest unread record lies there at the latest, where `waiting_ms` is a guess between two looks.
    """

    commits: Sequence[Sample]
    end: int
    waiting_ms: float | None = None
    interval_ms: int | None = None
    members: int | None = None
    latest_ms: float | None = None


def evaluate(window: Window, now_ms: float) -> Status:  # noqa: PLR0911 - a ladder of rules
    """Return the status of a partition: the first rule that speaks."""
    if all_is_read(window):  # 1: nothing to do is well, however long it is
        return Status.OK
    if is_abandoned(window) or has_stopped(window, now_ms):  # 2: it had something to commit, and time for it
        return Status.STOP
    if has_rewound(window):  # 3: it reads again what it had done
        return Status.REWIND
    if is_young(window, now_ms):  # 4: behind, but not for long
        return Status.OK
    if had_caught_up(window):  # 5: behind, but it was not a moment ago
        return Status.OK
    if stands_still(window):  # 6: it commits, and does not move
        return Status.STALL
    if falls_behind(window):  # 7: it moves, and the end moves away
        return Status.WARN
    return Status.OK  # it is catching up


def all_is_read(window: Window) -> bool:
    """Tell whether the newest commit is at the log's end."""
    return window.commits[-1].offset >= window.end


def is_abandoned(window: Window) -> bool:
    """Tell whether nobody is there to read."""
    return window.members == 0


def has_stopped(window: Window, now_ms: float) -> bool:
    """Tell whether commits are missing: nothing committed that long, though a record lay there all the time."""
    return now_ms > stops_at(window)


def stops_at(window: Window) -> float:
    """Return the moment (ms) behind which a partition has stopped, if it commits nothing before; inf: not known."""
    since = window.waiting_ms if window.latest_ms is None else window.latest_ms
    return max(window.commits[-1].at_ms, inf if since is None else since) + MISSING * commit_interval(window)


def has_rewound(window: Window) -> bool:
    """Tell whether an offset went back and has not come back to where it was."""
    return any(sample.offset > window.commits[-1].offset for sample in window.commits)


def is_young(window: Window, now_ms: float) -> bool:
    """Tell whether the oldest unread record lies there for a moment only."""
    return window.waiting_ms is not None and now_ms - window.waiting_ms <= ALLOWED_MS


def had_caught_up(window: Window) -> bool:
    """Tell whether a commit of the window was at the log's end."""
    return any(sample.lag is not None and sample.lag <= 0 for sample in window.commits)


def stands_still(window: Window) -> bool:
    """Tell whether a complete window shows one offset only."""
    return completeness(window) >= 1 and len({sample.offset for sample in window.commits}) == 1


def falls_behind(window: Window) -> bool:
    """Tell whether the lag, where it is known, never became smaller from one commit to the next."""
    lags = [sample.lag for sample in window.commits if sample.lag is not None]
    return all(now >= before for before, now in pairwise(lags))


def commit_interval(window: Window) -> int:
    """Return how often the group commits (ms): as known, else the longest time between two commits seen, within bounds."""
    if window.interval_ms is not None:
        return window.interval_ms
    gaps = [now.at_ms - before.at_ms for before, now in pairwise(window.commits)]
    return min(max(gaps), SLOWEST_MS) if len(gaps) > 1 else SLOWEST_MS


def completeness(window: Window) -> float:
    """Return how much of a window is known, from 0 to 1."""
    span_ms = window.commits[-1].at_ms - window.commits[0].at_ms
    return min(1.0, max(len(window.commits) / LENGTH, span_ms / SPAN_MS))


def rolled_up(statuses: Iterable[Status]) -> Status:
    """Return a group's status: the worst; what needs somebody now is an error, and what cannot be read or told does.

    >>> rolled_up([Status.OK, Status.WARN]), rolled_up([Status.STALL, Status.OK]), rolled_up([])
    (<Status.WARN: 'WARN'>, <Status.ERR: 'ERR'>, <Status.OK: 'OK'>)
    """
    worst = max(statuses, key=list(Status).index, default=Status.OK)
    return worst if worst in {Status.OK, Status.WARN} else Status.ERR
