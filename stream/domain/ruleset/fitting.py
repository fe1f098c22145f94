"""Which conditions of [fit] and [[routes]] hold for a person, as a number, and what was found for it before.

Most people are known in one of a few ways: asking every rule of each of them would be a third of what a change of stage costs.
"""

from collections.abc import Hashable, Iterable, Mapping
from typing import Any, Protocol, TypeVar

from stream.domain.conditions import Pair
from stream.domain.ruleset.columns import REMEMBERED, Column, Columns
from stream.domain.state import Trait

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Who(Protocol):
    """What is known of a person."""

    traits: dict[str, Trait]

    @property
    def is_placed(self) -> bool:
        """Whether a company or a group is known, so that `company.*` may be more than absent."""

    def get(self, key: str) -> Any:
        """Return the value of a condition's key; None when absent."""


class Fitting:
    """The conditions of some `match` tables, a bit each; `found` is what they led to, `routes` where.

    A key that is no person's (`stage`, `intent` ...) has no bit: whoever remembers a route remembers these beside.
    """

    def __init__(self, matches: Iterable[tuple[Pair, ...]] = ()) -> None:
        columns = Columns()
        for pairs in matches:
            columns.mask(pairs)
        self._traits: dict[str, Column] = {}
        self._company: list[tuple[str, Column]] = []
        self._kinds: list[tuple[str, Column]] = []
        self._split(columns.by_key)
        self._nowhere = sum(column.bits(False) for key, column in self._company if key == "company.known")
        self.found: dict[int, Any] = {}
        self.routes: dict[tuple[int, str, str | None, str], str] = {}

    def _split(self, by_key: Mapping[str, Column]) -> None:
        for key, column in by_key.items():
            head, _, name = key.partition(".")
            if head == "traits":
                self._traits[name] = column
            if head == "company" or key.startswith("traits.company."):
                self._company.append((key, column))
            elif key in ("email_kind", "phone_kind"):
                self._kinds.append((key, column))

    def of(self, who: Who) -> int:
        """Return the conditions that hold."""
        traits, columns = who.traits, self._traits
        mask = 0
        for path in columns.keys() & traits.keys() if traits else ():
            mask |= columns[path].bits(traits[path].value)
        asked = self._kinds
        if who.is_placed:
            asked = asked + self._company
        else:
            mask |= self._nowhere
        for key, column in asked:
            value = who.get(key)
            if value is not None:
                mask |= column.bits(value)
        return mask


def remember(memo: dict[K, V], key: K, value: V) -> V:
    """Remember what was found; a memo that is full begins anew."""
    if len(memo) >= REMEMBERED:
        memo.clear()
    memo[key] = value
    return value
