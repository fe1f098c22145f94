"""Reads a ruleset file: all of it is checked, all mistakes are told at once, then it is compiled."""

from hashlib import sha256
from zoneinfo import ZoneInfo

from stream.domain.decay import FAR
from stream.domain.ruleset.committee import read_committee
from stream.domain.ruleset.days import days_of, zone_of
from stream.domain.ruleset.durations import UNITS_MS
from stream.domain.ruleset.fitting import Fitting
from stream.domain.ruleset.freshness import read_freshness
from stream.domain.ruleset.horizon import read_horizon
from stream.domain.ruleset.interest import (
    LONGEST,
    read_behaviours,
    read_dwell,
    read_floor,
    read_idle,
    read_sequences,
    read_timing,
    with_longest,
)
from stream.domain.ruleset.ladder import FIRST, read_account_stages, read_stages
from stream.domain.ruleset.matcher import Matcher
from stream.domain.ruleset.mistakes import RulesetError
from stream.domain.ruleset.model import Accounts, Behaviour, Ruleset, Sequence
from stream.domain.ruleset.profile import GRADES, read_fit, read_grades, read_routes
from stream.domain.ruleset.table import HALF_LIFE, Table
from stream.domain.ruleset.toml import opened
from stream.domain.ruleset.topics import Source, Tag, read_tags, read_where

SECTIONS = (
    *("ruleset", "decay", "where", "behaviours", "tags", "dwell", "timing", "sequences", "interest", "idle"),
    *("fit", "grades", "stages", "crm", "routes", "identity", "visitors", "accounts", "events"),
    *("committee", "freshness"),
)
DAY_MS = UNITS_MS["d"]
ACCOUNT_KINDS = ("business", "education", "government")
TRAITS_OUT = ("email", "phone", "name", "title", "company")


def load(text: bytes, name: str = "ruleset") -> Ruleset:
    """Read a ruleset from the bytes of its file; `name` is what mistakes call the file.

    Raises RulesetError with every mistake.
    """
    root = opened(text, name)
    root.only(*SECTIONS)
    ruleset = _read(root, text)
    if root.mistakes.found:
        raise RulesetError(name, root.mistakes.found)
    return ruleset


DEEPEST = 10_000
"""How many idle periods may lie between no interest and the floor: an account looks at each of its members'."""


def _read(root: Table, text: bytes) -> Ruleset:
    head, decay, identity = root.table("ruleset"), root.table("decay"), root.table("identity")
    head.only("id", "timezone")
    decay.only(*HALF_LIFE, "max_tags")
    identity.only("max_members", "typed_email", "trusted_only")
    half_life_ms = decay.half_life(14.0 * DAY_MS)
    behaviours = read_behaviours(root, half_life_ms)
    tags, sources = read_tags(root, half_life_ms)
    names = [behaviour.name for _, behaviour in behaviours]
    sequences = read_sequences(root, names, half_life_ms)
    points: list[Behaviour | Sequence] = [behaviour for _, behaviour in behaviours]
    points += sequences.values()
    topics: list[Tag | Source] = [*tags, *sources]
    longest_ms = max(half_life_ms, LONGEST, *(rule.half_life_ms or LONGEST for rule in (*points, *topics)))
    behaviours = tuple((pairs, with_longest(behaviour, longest_ms)) for pairs, behaviour in behaviours)
    own_ms = [behaviour.half_life_ms for _, behaviour in behaviours] + [topic.half_life_ms or half_life_ms for topic in topics]
    grades = read_grades(root)
    letters = (*(letter for letter, _ in grades), GRADES[-1])
    stages = read_stages(root, letters)
    zone = _zone(head)
    floor, idle = read_floor(root), read_idle(root)
    if idle is not None and idle.points < 0 and floor < DEEPEST * idle.points:
        root.table("interest").wrong("floor", f"{DEEPEST * idle.points:g} or more: {DEEPEST} times the points of [idle]")
    fit, routes = read_fit(root), read_routes(root, (FIRST, *dict.fromkeys(stage.name for stage in stages)), letters)
    return Ruleset(
        id=head.text("id", "ruleset"),
        hash=sha256(text).hexdigest()[:16],
        text=text,
        timezone=zone.key,
        half_life_ms=half_life_ms,
        longest_half_life_ms=longest_ms,
        far_ms=FAR * min([half_life_ms, *own_ms]),
        max_tags=decay.whole("max_tags", 64, 1, 1000),
        behaviours={behaviour.name: behaviour for _, behaviour in behaviours},
        tag_order={tag.name: position for position, tag in enumerate(tags)},
        timing=read_timing(root),
        sequences={name: with_longest(sequence, longest_ms) for name, sequence in sequences.items()},
        floor=floor,
        idle=idle,
        fit=fit,
        grades=grades,
        stages=stages,
        hold_ms=_hold(root),
        routes=routes,
        fitting=Fitting([*(rule.match.pairs for rule in fit.values()), *(route.match.pairs for route in routes)]),
        max_members=identity.whole("max_members", 64, 1, 1000),
        typed_email=identity.choice("typed_email", ("B", "C"), "B"),
        accounts=_accounts(root),
        traits_out=_traits_out(root),
        dwell=read_dwell(root),
        match=Matcher(read_where(root), behaviours, tags, sources, half_life_ms).match,
        day_of=days_of(zone),
        sequenced=frozenset(step for sequence in sequences.values() for step in sequence.steps),
        direct=frozenset(behaviour.name for _, behaviour in behaviours if behaviour.intent == "direct"),
        committee=read_committee(root),
        freshness=read_freshness(root),
        idle_horizon_ms=read_horizon(root, longest_ms),
        trusted_only=identity.truth("trusted_only", default=False),
        doubts=tuple(root.mistakes.doubts),
    )


def _zone(head: Table) -> ZoneInfo:
    zone = zone_of(head.text("timezone", "UTC"))
    if zone is None:
        head.wrong("timezone", 'a time zone by its IANA name, like "UTC" or "Europe/Berlin"')
        zone = ZoneInfo("UTC")
    return zone


def _hold(root: Table) -> int:
    table = root.table("crm")
    table.only("hold")
    return table.duration("hold", 14 * DAY_MS, zero=True)


def _accounts(root: Table) -> Accounts:
    table = root.table("accounts")
    table.only("kinds", "min_confidence", "anonymous", "stages")
    return Accounts(
        kinds=frozenset(table.texts("kinds", ("business",), ACCOUNT_KINDS)),
        min_confidence=table.number("min_confidence", 0.6, low=0.0, high=1.0),
        anonymous=table.number("anonymous", 0.5, low=0.0),
        stages=read_account_stages(table),
    )


def _traits_out(root: Table) -> tuple[str, ...]:
    table = root.table("events")
    table.only("traits")
    return table.texts("traits", TRAITS_OUT)
