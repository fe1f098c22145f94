"""Every condition a bit: a key's value says which of its conditions hold, and the answer is remembered."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from stream.domain.conditions import Pair, Wanted

REMEMBERED = 4096
LONGEST_TEXT = 512


@dataclass(slots=True)
class Column:
    """The conditions on one key, a bit each."""

    wanted: list[tuple[int, Wanted]] = field(default_factory=list)
    memo: dict[str, int] = field(default_factory=dict)

    def bits(self, value: Any) -> int:
        """Return the bits of the conditions that a value meets; a list meets what any of its elements meets."""
        if isinstance(value, str):
            bits = self.memo.get(value)
            return self._learn(value) if bits is None else bits
        if isinstance(value, (list, tuple)):
            bits = 0
            for element in value:
                bits |= self.bits(element)
            return bits
        return self._test(value)

    def _learn(self, text: str) -> int:
        bits = self._test(text)
        if len(text) <= LONGEST_TEXT:
            if len(self.memo) >= REMEMBERED:
                self.memo.clear()
            self.memo[text] = bits
        return bits

    def _test(self, value: Any) -> int:
        return sum(bit for bit, wanted in self.wanted if wanted.accepts(value))


class Columns:
    """Gives every different condition its bit."""

    def __init__(self, keys: Iterable[str] = ()) -> None:
        """Start with keys that are read whether a condition asks for them or not."""
        self.by_key: dict[str, Column] = {key: Column() for key in keys}
        self._bits: dict[Pair, int] = {}

    def mask(self, pairs: Iterable[Pair]) -> int:
        """Return the bits of all conditions of a `match` table."""
        mask = 0
        for key, wanted in pairs:
            bit = self._bits.setdefault((key, wanted), 1 << len(self._bits))
            column = self.by_key.setdefault(key, Column())
            if (bit, wanted) not in column.wanted:
                column.wanted.append((bit, wanted))
            mask |= bit
        return mask
