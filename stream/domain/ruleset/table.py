"""Reads one table of the file key by key; what is wrong is noted, a harmless value is given, and reading goes on."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from stream.domain.conditions import is_number
from stream.domain.ruleset.durations import duration_ms, half_life_of_retention
from stream.domain.ruleset.lines import Path
from stream.domain.ruleset.mistakes import Mistakes, did_you_mean

LARGEST = 1e12
HALF_LIFE = ("half_life", "retention")


class Table:
    """A table with its path in the file; only the keys named by `only` may stand in it."""

    def __init__(self, values: Mapping[str, Any], path: Path, mistakes: Mistakes) -> None:
        """Take the parsed table."""
        self.values = values
        self.path = path
        self.mistakes = mistakes

    def __contains__(self, key: str) -> bool:
        """Tell whether the file writes a key."""
        return key in self.values

    def only(self, *keys: str) -> None:
        """Note every other key as unknown."""
        for key in self.values:
            if key not in keys:
                self.mistakes.unknown((*self.path, key), keys)

    def wrong(self, key: str, allowed: str) -> None:
        """Note a mistake at a key of this table."""
        self.mistakes.add((*self.path, key), allowed)

    def need(self, key: str, allowed: str) -> None:
        """Note a key that is missing."""
        if key not in self.values:
            self.wrong(key, f"is missing: {allowed}")

    def forbid(self, keys: Iterable[str], why: str) -> None:
        """Note each of the keys that stands here."""
        for key in keys:
            if key in self.values:
                self.wrong(key, why)

    def number(self, key: str, default: float, *, low: float = -LARGEST, high: float = LARGEST) -> float:
        """Return a finite number."""
        value = self.values.get(key, default)
        if is_number(value) and low <= value <= high:
            return float(value)
        self.wrong(key, f"a finite number{_bounds(low, high)}")
        return default

    def whole(self, key: str, default: int, low: int, high: int) -> int:
        """Return an integer between two bounds."""
        value = self.values.get(key, default)
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        self.wrong(key, f"a whole number{_bounds(low, high)}")
        return default

    def truth(self, key: str, *, default: bool) -> bool:
        """Return true or false."""
        value = self.values.get(key, default)
        if isinstance(value, bool):
            return value
        self.wrong(key, "true or false")
        return default

    def text(self, key: str, default: str) -> str:
        """Return a text that is not empty."""
        value = self.values.get(key, default)
        if isinstance(value, str) and value.strip():
            return value
        self.wrong(key, "a text that is not empty")
        return default

    def choice(self, key: str, allowed: Iterable[str], default: str) -> str:
        """Return one of some words."""
        value = self.values.get(key, default)
        names = list(allowed)
        if isinstance(value, str) and value in names:
            return value
        self.wrong(key, one_of(value, names))
        return default

    def texts(self, key: str, default: Iterable[str], allowed: Iterable[str] | None = None) -> tuple[str, ...]:
        """Return a list of texts, of some words if they are given."""
        values = self.values.get(key)
        if values is None:
            return tuple(default)
        if not isinstance(values, list) or not all(isinstance(value, str) and value for value in values):
            self.wrong(key, "a list of texts")
            return tuple(default)
        names = None if allowed is None else list(allowed)
        for number, value in enumerate(values):
            if names is not None and value not in names:
                self.mistakes.add((*self.path, key, number), one_of(value, names))
        return tuple(values)

    def duration(self, key: str, default_ms: int, *, zero: bool = False) -> int:
        """Return a duration in milliseconds."""
        if key not in self.values:
            return default_ms
        value = self.values[key]
        found = duration_ms(value) if isinstance(value, str) else None
        if found is None or (found == 0 and not zero):
            self.wrong(key, 'a duration: a positive whole number and s, m, h or d, like "90s" or "14d"')
            return default_ms
        return found

    def half_life(self, default_ms: float) -> float:
        """Return `half_life`, or the one that `retention` means, in milliseconds."""
        if "retention" not in self.values:
            return float(self.duration("half_life", 0)) or default_ms
        if "half_life" in self.values:
            self.wrong("retention", "half_life or retention, not both")
        retention = self.table("retention")
        retention.only("after", "keep")
        retention.need("after", 'the time, like { after = "7d", keep = 0.7 }')
        keep = retention.values.get("keep")
        if not is_number(keep) or not 0 < keep < 1:
            retention.wrong("keep", "a number above 0 and below 1: the share that is left")
            return default_ms
        return half_life_of_retention(retention.duration("after", 1), keep)

    def table(self, key: str) -> "Table":
        """Return a table below this one, empty if it is not there."""
        value = self.values.get(key, {})
        if not isinstance(value, dict):
            self.wrong(key, f"a table: [{self._header(key)}] or {{ key = value }}")
            value = {}
        return Table(value, (*self.path, key), self.mistakes)

    def tables(self, key: str) -> Iterator[tuple[str, "Table"]]:
        """Yield the named tables below a key, in file order."""
        parent = self.table(key)
        for name, value in parent.values.items():
            if isinstance(value, dict):
                yield name, Table(value, (*parent.path, name), self.mistakes)
            else:
                parent.wrong(name, f"a table with a name of its own: [{self._header(key)}.NAME]")

    def array(self, key: str) -> Iterator["Table"]:
        """Yield the tables of an array of tables."""
        values = self.values.get(key, [])
        if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
            self.wrong(key, f"tables, each under its own [[{self._header(key)}]]")
            return
        for number, value in enumerate(values):
            yield Table(value, (*self.path, key, number), self.mistakes)

    def _header(self, key: str) -> str:
        """Return a key as the header of its table writes it."""
        return ".".join(part for part in (*self.path, key) if isinstance(part, str))


def one_of(value: Any, names: list[str]) -> str:
    """Say which words are allowed, and which was probably meant."""
    hint = did_you_mean(value, names) if isinstance(value, str) else ""
    return f"one of {', '.join(names)}{hint}"


def _bounds(low: float, high: float) -> str:
    if low == -LARGEST and high == LARGEST:
        return ""
    if high == LARGEST:
        return f" of at least {low:g}"
    if low == -LARGEST:
        return f" of at most {high:g}"
    return f" from {low:g} to {high:g}"
