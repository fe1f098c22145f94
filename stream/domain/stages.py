"""The stage machine: where a lead (or an account) stands, when the engine moves it, and when it would if nobody came.

Promote to the highest engine stage above whose `enter` holds; else, where the present stage's `exit` holds and its dwell is
over, demote to the nearest lower one that stands. Exit thresholds lie below enter thresholds (hysteresis). A stage that the
CRM owns, or holds, is not the engine's to move. One change at a time; between events the engine only demotes.
"""

from collections.abc import Sequence

import msgspec

from stream.domain.crossing import END
from stream.domain.ruleset.model import Stage
from stream.domain.scoring import Score

VISITOR = Stage("visitor", 0)


class Standing(msgspec.Struct, frozen=True, gc=False):
    """The present stage, when it was entered and until when the CRM holds it (ms; -1: never)."""

    stage: Stage
    entered_at: int
    hold_until: int

    @property
    def free_at(self) -> int:
        """Return the first instant at which the engine may demote."""
        return max(self.hold_until, self.entered_at + self.stage.dwell_ms)


class Move(msgspec.Struct, frozen=True, gc=False):
    """A change of stage at an instant, and the code of its reason."""

    to: Stage
    at: int
    code: str


def judge(ladder: Sequence[Stage], now: Standing, score: Score, at: int) -> Move | None:
    """Return what the engine changes at an event."""
    if now.stage.owner == "crm" or at < now.hold_until:
        return None
    for stage in reversed(ladder[now.stage.order :]):
        if stage.owner == "engine" and score.holds(stage.enter or {}, at) and not _leaves(stage, score, at):
            return Move(stage, at, "threshold_up")
    if at >= now.free_at and _leaves(now.stage, score, at):
        return Move(_landing(ladder, now.stage, score, at), at, "threshold_down")
    return None


def next_due(ladder: Sequence[Stage], now: Standing, score: Score, after: int) -> Move | None:
    """Return the next change if no event comes: a crossing, the end of a dwell or a hold, a full idle period."""
    leave = now.stage.exit
    if now.stage.owner == "crm" or leave is None:
        return None
    at = score.first_fall(leave, max(after + 1, now.free_at))
    if at is None or at > END:
        return None
    full = score.periods(at)
    idled = full > score.periods(at - 1) and not score.falls(leave, at, full - 1)
    return Move(_landing(ladder, now.stage, score, at), at, "idle" if idled else "decay")


def _leaves(stage: Stage, score: Score, at: int) -> bool:
    return stage.exit is not None and score.falls(stage.exit, at)


def _landing(ladder: Sequence[Stage], left: Stage, score: Score, at: int) -> Stage:
    for stage in reversed(ladder[: left.order - 1]):
        if stage.owner == "engine" and not _leaves(stage, score, at):
            return stage
    return VISITOR
