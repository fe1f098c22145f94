"""Conditions: what a `match` table asks of one value, and of everything that is known."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fnmatch import translate
from typing import Any, TypeGuard

Scalar = str | int | float | bool
Glob = Callable[[str], bool]
SPECIAL = re.compile(r"[*?\[]")


def glob(pattern: str) -> Glob:
    """Return a test of lower-cased text against an `fnmatch` pattern; one that ends in `/*` also matches without it.

    >>> glob("*/Products/*")("shop.example/products"), glob("trial *")("trial started"), glob("a?")("a")
    (True, True, False)
    """
    pattern = pattern.lower()
    test = _glob(pattern)
    if not pattern.endswith("/*"):
        return test
    shorter = _glob(pattern[:-2])
    return lambda text: test(text) or shorter(text)


def _glob(pattern: str) -> Glob:
    """Choose the cheapest test: most patterns in a ruleset are a plain word with a star at one end or at both."""
    bare = pattern.strip("*")
    if SPECIAL.search(bare):
        full = re.compile(translate(pattern)).match
        return lambda text: full(text) is not None
    if not bare:
        return _stars(pattern)
    starts, ends = not pattern.startswith("*"), not pattern.endswith("*")
    if starts and ends:
        return bare.__eq__
    if starts:
        return lambda text: text.startswith(bare)
    if ends:
        return lambda text: text.endswith(bare)
    return lambda text: bare in text


def _stars(pattern: str) -> Glob:
    """Test a pattern of nothing but stars: without one it is the empty text, else anything."""
    return (lambda _: True) if pattern else (lambda text: not text)


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
