"""Reads what earns interest and timing points: [behaviours], [sequences], [timing], [idle], [dwell]."""

from dataclasses import replace
from itertools import pairwise
from typing import Any, TypeVar

from stream.domain.conditions import Pair, is_number
from stream.domain.ruleset.matches import EVENT_KEYS, INTENTS, JOURNEYS, read_conditions
from stream.domain.ruleset.model import Behaviour, Dwell, Idle, Sequence
from stream.domain.ruleset.table import HALF_LIFE, LARGEST, Table

LONGEST = 0.0
"""Stands for the half-life of negative points until the whole file is read."""

Rule = TypeVar("Rule", Behaviour, Sequence)
Behaviours = tuple[tuple[tuple[Pair, ...], Behaviour], ...]


def read_behaviours(root: Table, default_ms: float) -> Behaviours:
    """Read the behaviours in file order, each with what it matches."""
    found = []
    for name, table in root.tables("behaviours"):
        table.only("match", "weight", "points", *HALF_LIFE, "cap", "intent", "journey")
        points = table.number("points", 0.0)
        behaviour = Behaviour(
            name=name,
            weight=table.number("weight", 1.0),
            points=points,
            half_life_ms=_half_life(table, points, default_ms),
            cap=_cap(table),
            intent=table.choice("intent", INTENTS, "contextual"),
            journey=table.choice("journey", JOURNEYS, JOURNEYS[0]) if "journey" in table else None,
        )
        found.append((read_conditions(table, EVENT_KEYS).pairs, behaviour))
    return tuple(found)


def read_sequences(root: Table, behaviours: list[str], default_ms: float) -> dict[str, Sequence]:
    """Read the sequences; their steps must be behaviours of the file."""
    found = {}
    for name, table in root.tables("sequences"):
        table.only("steps", "within", "points", *HALF_LIFE)
        steps = table.texts("steps", (), behaviours)
        if not steps:
            table.wrong("steps", 'the behaviours in their order, like ["viewed", "attended"]')
        table.need("within", 'the time from the first step to the last, like "30d"')
        points = table.number("points", 0.0)
        found[name] = Sequence(name, steps, table.duration("within", 1), points, _half_life(table, points, default_ms))
    return found


def with_longest(rule: Rule, longest_ms: float) -> Rule:
    """Give a behaviour or sequence of negative points the longest half-life of the file."""
    return replace(rule, half_life_ms=longest_ms) if rule.half_life_ms == LONGEST else rule


def read_timing(root: Table) -> dict[str, float]:
    """Read the points of each journey stage; not named: 0."""
    table = root.table("timing")
    table.only(*JOURNEYS)
    return {journey: table.number(journey, 0.0) for journey in JOURNEYS}


def read_floor(root: Table) -> float:
    """Read the points below which interest is never shown."""
    table = root.table("interest")
    table.only("floor")
    return table.number("floor", 0.0)


def read_idle(root: Table) -> Idle | None:
    """Read what an idle period costs; None: nothing."""
    if "idle" not in root:
        return None
    table = root.table("idle")
    table.only("after", "points")
    table.need("after", 'the length of one idle period, like "30d"')
    return Idle(table.duration("after", 1), table.number("points", 0.0, high=0.0))


def read_dwell(root: Table) -> Dwell | None:
    """Read the factors by seconds on the page; None: always 1."""
    if "dwell" not in root:
        return None
    table = root.table("dwell")
    table.only("property", "steps")
    return Dwell(table.text("property", "dwell_s"), _steps(table))


def _steps(table: Table) -> tuple[tuple[float, float], ...]:
    steps = table.values.get("steps")
    if not isinstance(steps, list) or not steps or not all(map(_is_step, steps)):
        table.wrong("steps", "[[SECONDS, FACTOR], …], each a finite number of at least 0")
        return ((0.0, 1.0),)
    if any(later[0] <= earlier[0] for earlier, later in pairwise(steps)):
        table.wrong("steps", "seconds that rise from step to step")
    return tuple((float(at), float(factor)) for at, factor in steps)


def _half_life(table: Table, points: float, default_ms: float) -> float:
    if points >= 0:
        return table.half_life(default_ms)
    table.forbid(HALF_LIFE, "not allowed: negative points fade with the longest half-life of the file")
    return LONGEST


def _cap(table: Table) -> float | None:
    if "cap" not in table:
        return None
    cap = table.table("cap")
    cap.only("points")
    points = cap.values.get("points")
    if is_number(points) and 0 < points <= LARGEST:
        return float(points)
    cap.wrong("points", f"a number above 0, at most {LARGEST:g}: the most points (of one sign) in one day")
    return None


def _is_step(step: Any) -> bool:
    return isinstance(step, list) and len(step) == 2 and all(is_number(n) and 0 <= n <= LARGEST for n in step)
