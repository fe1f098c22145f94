"""What happens to whom, and when: a list of blows, a function of the seed."""

from dataclasses import dataclass, field
from random import Random
from typing import Literal

Kind = Literal["kill", "fault", "stop", "scale", "freeze", "broker", "network", "bounce", "deploy"]
STEPS = {
    "decoded": "after decode",
    "applied": "after apply",
    "outputs": "before outputs are acknowledged",
    "changelog": "after outputs",
    "appended": "after changelog",
    "commit": "before commit",
    "done": "after commit",
    "seek": "before the first read",
    "recovery": "during recovery",
    "revoke": "during revoke",
}
"""Where a worker may be told to end itself by SIGKILL; `revoke` is reached when another joins or leaves."""
AT_START = frozenset({"seek", "recovery", "revoke"})
OFTEN = frozenset({"decoded", "applied"})
"""Reached with every batch, not only once a checkpoint."""
NETWORK = ("delay", "stall", "deaf", "cut", "errors")
WEIGHTS: dict[Kind, float] = {"kill": 3, "fault": 4, "stop": 1, "scale": 1, "freeze": 1.5, "broker": 1, "network": 2}
TAKES_S: dict[Kind, float] = {
    "kill": 1.5, "fault": 3, "stop": 2, "scale": 1, "freeze": 1, "broker": 3, "network": 1, "bounce": 15, "deploy": 1,
}  # fmt: skip
"""About how long a blow takes besides its pause: events must still be coming at the last one."""
BROKERS_EVERY = 20
"""The last of so many schedules has three brokers."""
FROZEN = 2.0
"""Session timeouts that a worker stands still."""


@dataclass(frozen=True)
class Blow:
    """One thing that goes wrong `after_s` the last; `pause_s` passes before it is put right."""

    kind: Kind
    after_s: float
    pause_s: float
    slot: int
    what: str = ""
    nth: int = 1


@dataclass(frozen=True)
class Schedule:
    """One run: `static` members come back under their name; `drag_s` slows each step of a checkpoint."""

    seed: str
    workers: int
    brokers: int
    static: bool
    drag_s: float
    blows: list[Blow] = field(default_factory=list)

    @property
    def spread_s(self) -> float:
        """About how long all of it takes."""
        return sum(blow.after_s + TAKES_S[blow.kind] + (0 if blow.kind == "freeze" else blow.pause_s) for blow in self.blows)


def schedule(seed: int, name: int | str, blows: int, session_s: float) -> Schedule:
    """Return the schedule of this number, or a named one: the same for the same seed.

    The steps of faults follow each other from one schedule to the next, so that a few schedules meet them all.
    """
    chance, number = Random(f"{seed}-{name}"), name if isinstance(name, int) else 0  # noqa: S311 - no secret
    brokers = 3 if number % BROKERS_EVERY == BROKERS_EVERY - 1 else 1
    kinds = list(WEIGHTS)
    chosen: list[Kind] = ["kill", "fault", *chance.choices(kinds, [WEIGHTS[kind] for kind in kinds], k=blows - 2)]
    if brokers > 1:
        chosen = ["bounce", *chosen[: blows - 1]]
    chance.shuffle(chosen)
    if chance.random() < 0.7:
        chosen.insert(len(chosen) // 2, "deploy")
    named = list(STEPS)
    steps = iter([named[(3 * number + 7 * nth) % len(named)] for nth in range(len(chosen))])
    whats = [next(steps) if kind == "fault" else chance.choice(NETWORK) if kind == "network" else "" for kind in chosen]
    workers = max(chance.choice((1, 2, 2, 3)), 2 if "revoke" in whats else 1)
    made = Schedule(f"{seed}-{name}", workers, brokers, chance.random() < 0.5, chance.choice((0.0, 0.05, 0.15)))
    for kind, what in zip(chosen, whats, strict=True):
        made.blows.append(_blow(chance, kind, what, workers, session_s))
    return made


def _blow(chance: Random, kind: Kind, what: str, workers: int, session_s: float) -> Blow:
    pause = chance.uniform(0, 1.0)
    if kind == "freeze":
        pause = session_s * FROZEN
    elif kind == "network":
        pause = chance.uniform(0.5, 2.0) if what != "stall" else session_s * chance.uniform(0.2, 1.2)
    nth = chance.randrange(1, 3 if what in AT_START else 12 if what in OFTEN else 6)
    return Blow(kind, chance.uniform(0.2, 2.0), pause, chance.randrange(workers), what, nth)
