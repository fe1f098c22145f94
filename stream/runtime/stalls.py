"""What of a worker stands still though it should not: the ways in which it would hang for ever without a word."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field

from faust.types import TP

LIMIT_S = 45.0
"""So long nothing need happen where something should: a rebalance may take 30 s, and an end within 60 s is promised."""
DEAD_S = 5.0
"""After so long a part of a client that has ended ends the worker, if nothing else did."""


class Stalled(Exception):  # noqa: N818 - the word for it
    """Something in this process stands still."""


@dataclass(frozen=True, slots=True)
class Signs:
    """What can be seen of a worker at a moment; instants are seconds of `time.monotonic()`.

    `dead` names a part of a client that has ended. `thread_at` is when the consumer thread's loop turned last, `beat_at` when
    the group answered last (0: never yet). `life` counts the assignments. `restored` changes while a recovery goes on.
    `fetched` says when each partition that runs was last answered, `ends` where Kafka said that it ends, `applied` how far it
    is applied, `buffered` which of them wait in memory. `owes` tells whether a checkpoint has something to do, `checkpoints`
    counts them, `at_work` changes while something that takes long goes on: a checkpoint whose rows Kafka acknowledges or that
    it told to wait, a ruleset that is prepared. `unsent` is what Kafka has not acknowledged, `acknowledged` counts what it has,
    `told` changes while it has told us to wait.
    """

    now: float
    dead: str = ""
    thread_at: float = 0.0
    beat_at: float = 0.0
    life: int = 0
    assigned: bool = False
    ready: bool = False
    restored: Hashable = 0
    fetched: Mapping[TP, float] = field(default_factory=dict)
    ends: Mapping[TP, int] = field(default_factory=dict)
    applied: Mapping[TP, int] = field(default_factory=dict)
    buffered: frozenset[TP] = frozenset()
    owes: bool = False
    checkpoints: int = 0
    at_work: Hashable = 0
    unsent: int = 0
    acknowledged: int = 0
    told: Hashable = 0


class Stalls:
    """Judges signs as they come, once a second or so; what it remembers is since when a value is what it is."""

    def __init__(self) -> None:
        self._held: dict[Hashable, tuple[Hashable, float]] = {}
        self._rules: tuple[Callable[[Signs], str | None], ...] = (
            self._dead, self._thread, self._group, self._rebalance, self._recovery, self._fetches, self._records,
            self._checkpoints, self._outputs,
        )  # fmt: skip

    def reason(self, signs: Signs) -> str | None:
        """Return why this worker should end; None: all goes on."""
        return next((reason for rule in self._rules if (reason := rule(signs)) is not None), None)

    def _still(self, what: Hashable, value: Hashable, now: float) -> float:
        """Return for how many seconds a value has been the same."""
        held = self._held.get(what)
        if held is None or held[0] != value:
            held = self._held[what] = (value, now)
        return now - held[1]

    def _dead(self, signs: Signs) -> str | None:
        dead_s = self._still("dead", signs.dead, signs.now)
        return f"{signs.dead} has ended by itself" if signs.dead and dead_s > DEAD_S else None

    def _thread(self, signs: Signs) -> str | None:
        stood = signs.now - signs.thread_at
        return f"the consumer thread has stood still for {stood:.0f} s" if signs.thread_at and stood > LIMIT_S else None

    def _group(self, signs: Signs) -> str | None:
        silent = signs.now - signs.beat_at
        return f"the group has not answered for {silent:.0f} s" if signs.beat_at and silent > LIMIT_S else None

    def _rebalance(self, signs: Signs) -> str | None:
        waited = self._still("assigned", (signs.assigned, signs.life), signs.now)
        return None if signs.assigned or waited <= LIMIT_S else f"the group has assigned nothing for {waited:.0f} s"

    def _recovery(self, signs: Signs) -> str | None:
        stood = self._still("restored", (signs.life, signs.ready, signs.restored), signs.now)
        if not signs.assigned or signs.ready or stood <= LIMIT_S:
            return None
        return f"the recovery has stood still for {stood:.0f} s"

    def _fetches(self, signs: Signs) -> str | None:
        for tp in signs.applied:
            stood = self._still(("fetched", tp), (signs.life, signs.fetched.get(tp), tp in signs.buffered), signs.now)
            if tp not in signs.buffered and stood > LIMIT_S:
                return f"nothing has been fetched of {tp.topic}-{tp.partition} for {stood:.0f} s"
        return None

    def _records(self, signs: Signs) -> str | None:
        for tp, applied in signs.applied.items():
            behind = tp in signs.buffered or signs.ends.get(tp, 0) > applied
            stood = self._still(("applied", tp), (signs.life, applied, behind, signs.at_work), signs.now)
            if behind and stood > LIMIT_S:
                return f"records of {tp.topic}-{tp.partition} have waited for {stood:.0f} s, and none was applied"
        return None

    def _checkpoints(self, signs: Signs) -> str | None:
        waited = self._still("checkpoints", (signs.owes, signs.checkpoints, signs.at_work), signs.now)
        return f"no checkpoint has ended for {waited:.0f} s" if signs.owes and waited > LIMIT_S else None

    def _outputs(self, signs: Signs) -> str | None:
        waited = self._still("outputs", (signs.unsent > 0, signs.acknowledged, signs.told), signs.now)
        return f"Kafka has acknowledged no output for {waited:.0f} s" if signs.unsent and waited > LIMIT_S else None
