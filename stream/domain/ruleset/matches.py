"""Reads `match` tables: which keys may stand in them, and what their values may be."""

import string
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from stream.domain.conditions import Conditions, Pair, Wanted, is_number
from stream.domain.globs import glob
from stream.domain.places import instead, is_doubtful
from stream.domain.ruleset.table import Table, one_of

TYPES = ("track", "page", "screen", "identify", "group", "alias")
EMAIL_KINDS = ("role", "disposable", "free", "business")
PHONE_KINDS = ("mobile", "fixed", "invalid")
INTENTS = ("direct", "contextual")
JOURNEYS = ("awareness", "consideration", "decision")
VALUE = "text, a number, true or false, a list of these, or { gte = NUMBER, lte = NUMBER }"
NO_PLACE = "addresses have no scheme, query, fragment or closing slash here (search asks for the query)"
RANGE = frozenset({"gte", "lte"})
ADDRESSES = frozenset({"url", "referrer"})
COMPARISONS = frozenset({"gt", "lt", "ge", "le", "min", "max"})


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys that a `match` table may have: plain ones, and ones that go on with a name (`properties.NAME`).

    `words` are the only values that a key ever has; a condition that fits none of them is a mistake.
    """

    plain: tuple[str, ...]
    named: tuple[str, ...]
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def knows(self, key: str) -> bool:
        """Tell whether a key may stand in the table."""
        first, dot, name = key.partition(".")
        return bool(first in self.named and name) if dot else key in self.plain

    def shown(self) -> tuple[str, ...]:
        """Return the keys as mistakes list them."""
        return (*self.plain, *(f"{name}.NAME" for name in self.named))


KINDS = {"email_kind": EMAIL_KINDS, "phone_kind": PHONE_KINDS}
EVENT_KEYS = Keys(
    plain=("type", "event", "title", "search", "url", "channel", "referrer", "email_kind", "phone_kind"),
    named=("campaign", "properties", "traits", "company"),
    words={"type": TYPES, **KINDS},
)
FIT_KEYS = Keys(plain=("email_kind", "phone_kind"), named=("traits", "company"), words=KINDS)


def route_keys(stages: tuple[str, ...], grades: tuple[str, ...]) -> Keys:
    """Return the keys of [[routes]]: those of [fit], and what has been decided about the lead."""
    return Keys(
        plain=(*FIT_KEYS.plain, "stage", "grade", "intent", "journey"),
        named=FIT_KEYS.named,
        words={**KINDS, "stage": stages, "grade": grades, "intent": INTENTS, "journey": JOURNEYS},
    )


def read_conditions(table: Table, keys: Keys) -> Conditions:
    """Read the `match` of a table, which must have one."""
    table.need("match", 'the conditions, like match = { url = "*/pricing*" }')
    return Conditions(read_match(table, keys))


def read_match(table: Table, keys: Keys) -> tuple[Pair, ...]:
    """Read the `match` of a table as keys with what they allow; none: everything matches."""
    match = table.table("match")
    pairs = []
    for parts, value in _flat(match.values, keys.named):
        key, where = ".".join(parts), Table({}, (*match.path, *parts[:-1]), table.mistakes)
        if not keys.knows(key):
            table.mistakes.unknown((*match.path, *parts), keys.shown())
        elif len(parts) > 2 and parts[-1] in COMPARISONS:
            where.wrong(parts[-1], f"{VALUE}; a field that is really called so: write the key in quotes")
        else:
            pairs.append((key, _wanted(where, parts[-1], value, keys.words.get(key))))
    return tuple(pairs)


def _flat(values: Mapping[str, Any], tables: Iterable[str]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield keys and values; `traits.bant.budget = true` without quotes is a table in a table, and means the same."""
    for key, value in values.items():
        if isinstance(value, dict) and value and key in tables and not RANGE.intersection(value):
            for parts, inner in _flat(value, value):
                yield (key, *parts), inner
        else:
            yield (key,), value


def _wanted(table: Table, key: str, value: Any, words: tuple[str, ...] | None) -> Wanted:
    if isinstance(value, dict):
        return _range(Table(value, (*table.path, key), table.mistakes))
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(each, str | bool) or _finite(each) for each in values):
        table.wrong(key, VALUE)
        return Wanted()
    if words is not None:
        for each in values:
            if not isinstance(each, str) or not any(map(glob(each), map(str.lower, words))):
                table.wrong(key, one_of(each, list(words)))
    if key in ADDRESSES:
        _look_at_addresses(table, key, [each for each in values if isinstance(each, str)])
    return Wanted.any_of(values)


def _look_at_addresses(table: Table, key: str, patterns: Iterable[str]) -> None:
    """Ask about patterns that no address matches as browsers send them."""
    for pattern in patterns:
        if not pattern.isascii():
            sent = quote(pattern, safe=string.punctuation)
            table.mistakes.doubt((*table.path, key), f'browsers send it as "{sent}": should a list have both?')
        better = instead(pattern) if key == "url" else None
        if better is not None:
            told = f'write "{better}"' if better.strip("*") else 'a start page is its host alone, like "www.example.com"'
            table.mistakes.doubt((*table.path, key), f"{NO_PLACE}, so this never matches: {told}")
        elif key == "url" and is_doubtful(pattern):
            table.mistakes.doubt((*table.path, key), f'{NO_PLACE}, and "?" is any one sign: is {pattern!r} meant so?')


def _range(table: Table) -> Wanted:
    table.only("gte", "lte")
    bounds = {}
    for key in ("gte", "lte"):
        bounds[key] = table.values.get(key)
        if key in table and not _finite(bounds[key]):
            table.wrong(key, "a finite number")
            return Wanted()
    if not table.values:
        table.wrong("gte", "NUMBER, or lte = NUMBER, or both")
    low, high = bounds["gte"], bounds["lte"]
    if low is not None and high is not None and low > high:
        table.wrong("lte", f"a number not below gte ({low})")
    return Wanted(low=low, high=high)


def _finite(value: Any) -> bool:
    return is_number(value) and abs(value) <= sys.float_info.max
