"""Conditions: what a `match` table asks of one value, and of everything that is known."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from stream.domain.globs import Glob, glob

Scalar = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one key of a `match` table allows: any of some texts, numbers and booleans, or a range of numbers.

    Each kind matches its own kind only: `true` is not 1, `"5"` is not 5.
    """

    texts: tuple[str, ...] = ()
    numbers: tuple[float, ...] = ()
    flags: frozenset[bool] = frozenset()
    low: float | None = None
    high: float | None = None
    globs: tuple[Glob, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compile the patterns."""
        object.__setattr__(self, "globs", tuple(glob(text) for text in self.texts))

    @classmethod
    def any_of(cls, values: Iterable[Scalar]) -> "Wanted":
        """Allow each of the values."""
        values = list(values)
        return cls(
            texts=tuple(value for value in values if isinstance(value, str)),
            numbers=tuple(value for value in values if is_number(value)),
            flags=frozenset(value for value in values if isinstance(value, bool)),
        )

    def accepts(self, value: Any) -> bool:
        """Tell whether a value, or for a list any element of it, is allowed; null and objects never are."""
        if isinstance(value, str):
            text = value.lower()
            for test in self.globs:  # noqa: SIM110 - half the time of a generator
                if test(text):
                    return True
            return False
        if isinstance(value, bool):
            return value in self.flags
        if isinstance(value, (int, float)):
            return value in self.numbers or self._within(value)
        if isinstance(value, (list, tuple)):
            return any(self.accepts(element) for element in value)
        return False

    def _within(self, number: float) -> bool:
        if self.low is None and self.high is None:
            return False
        return (self.low is None or number >= self.low) and (self.high is None or number <= self.high)


def is_number(value: Any) -> TypeGuard[float]:
    """Tell numbers from everything else, booleans included."""
    return isinstance(value, int | float) and not isinstance(value, bool)


Pair = tuple[str, Wanted]


@dataclass(frozen=True, slots=True)
class Conditions:
    """A `match` table: every key must hold."""

    pairs: tuple[Pair, ...]

    def holds(self, get: Callable[[str], Any]) -> bool:
        """Tell whether every key holds; `get` gives the value of a key (`traits.bant.budget`), None: absent."""
        for key, wanted in self.pairs:
            value = get(key)
            if value is None or not wanted.accepts(value):  # most of what a ruleset asks for is not known
                return False
        return True
