"""Reads [where] and [tags]: what an event is about, and how much its touch point counts."""

from dataclasses import dataclass

from stream.domain.conditions import Pair
from stream.domain.ruleset.matches import EVENT_KEYS, read_conditions, read_match
from stream.domain.ruleset.table import HALF_LIFE, Table


@dataclass(frozen=True, slots=True)
class Where:
    """A touch point: what it matches and its weight."""

    pairs: tuple[Pair, ...]
    weight: float


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag of the file; `half_life_ms` None: not its own."""

    name: str
    pairs: tuple[Pair, ...]
    half_life_ms: float | None


@dataclass(frozen=True, slots=True)
class Source:
    """A `from` rule: the value at `key` names tags, where `pairs` hold."""

    key: str
    pairs: tuple[Pair, ...]
    half_life_ms: float


def read_where(root: Table) -> tuple[Where, ...]:
    """Read the touch points in file order."""
    found = []
    for _, table in root.tables("where"):
        table.only("match", "weight")
        found.append(Where(read_conditions(table, EVENT_KEYS).pairs, table.number("weight", 1.0)))
    return tuple(found)


def read_tags(root: Table, default_ms: float) -> tuple[tuple[Tag, ...], tuple[Source, ...]]:
    """Read the tags and the `from` rules, each in file order."""
    tags, sources = [], []
    for name, table in root.tables("tags"):
        table.only("match", "from", *HALF_LIFE)
        if "from" in table:
            sources.append(Source(_path(table), read_match(table, EVENT_KEYS), table.half_life(default_ms)))
            continue
        own = table.half_life(default_ms) if any(key in table for key in HALF_LIFE) else None
        tags.append(Tag(name, _match(table), own))
    for name in [tag.name for tag in tags] if sources else ():
        given = name.strip().lower()
        if given != name:
            told = f"tags that come by `from` are in lower case, so {name!r} is another tag than {given!r}: is that meant?"
            root.mistakes.doubt(("tags", name), told)
    return tuple(tags), tuple(sources)


def _match(table: Table) -> tuple[Pair, ...]:
    table.need("match", 'the conditions, or from = "properties.NAME"')
    return read_match(table, EVENT_KEYS)


def _path(table: Table) -> str:
    key = table.text("from", "properties.topics")
    if not EVENT_KEYS.knows(key):
        table.wrong("from", f"where in an event the tags stand: one of {', '.join(EVENT_KEYS.shown())}")
    return key
