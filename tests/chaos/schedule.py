"""What happens to whom, and when: a list of blows, a function of the seed."""

from dataclasses import dataclass, field
from random import Random
from typing import Literal

Kind = Literal["kill", "fault", "stop", "freeze", "broker"]
STEPS = ("applied", "outputs", "changelog", "commit", "done", "seek", "recovery", "revoke")
"""Where a worker may be told to end itself by SIGKILL; `revoke` is reached when another joins or leaves."""
WEIGHTS: dict[Kind, float] = {"kill": 3, "fault": 4, "stop": 1.5, "freeze": 1, "broker": 1}


@dataclass(frozen=True)
class Blow:
    """One thing that goes wrong `after_s` the last; `pause_s` passes before it is put right."""

    kind: Kind
    after_s: float
    pause_s: float
    slot: int
    step: str = ""
    nth: int = 1


@dataclass(frozen=True)
class Schedule:
    """One run: `static` members come back under their name; `drag_s` slows each step of a checkpoint."""

    seed: str
    workers: int
    static: bool
    drag_s: float
    blows: list[Blow] = field(default_factory=list)


def schedule(seed: int, number: int, blows: int, session_s: float) -> Schedule:
    """Return the schedule of this number: the same for the same seed."""
    chance = Random(f"{seed}-{number}")  # noqa: S311 - no secret
    workers = chance.choice((1, 2, 2, 3))
    made = Schedule(f"{seed}-{number}", workers, chance.random() < 0.5, chance.choice((0.0, 0.05, 0.15)))
    kinds = list(WEIGHTS)
    chosen: list[Kind] = ["kill", *chance.choices(kinds, [WEIGHTS[kind] for kind in kinds], k=blows - 1)]
    chance.shuffle(chosen)
    for kind in chosen:
        made.blows.append(_blow(chance, kind, workers, session_s))
    return made


def _blow(chance: Random, kind: Kind, workers: int, session_s: float) -> Blow:
    pause = chance.uniform(0, 1.5)
    if kind == "freeze":
        pause = session_s * chance.uniform(1.1, 2)
    step = chance.choice(STEPS if workers > 1 else STEPS[:-1]) if kind == "fault" else ""
    nth = chance.randrange(1, 3 if step in {"seek", "recovery", "revoke"} else 5)  # the first revoke comes before the first join
    return Blow(kind, chance.uniform(0.3, 4), pause, chance.randrange(workers), step, nth)
