"""Mistakes in a ruleset file: where, which key, and what is allowed there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from stream.domain.ruleset.lines import Lines, Path


def in_one_line(text: str) -> str:
    """Return a text with a space for each sign that ends a line, or cannot be seen."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake: the line (from 1), the key, and what is allowed."""

    line: int
    key: str
    allowed: str

    def told(self, name: str) -> str:
        """Return the mistake as one line; `name` is the file's.

        >>> Mistake(7, "decay.max_tags", "a whole number").told("rules.toml")
        'rules.toml:7: decay.max_tags: a whole number'
        """
        return in_one_line(f"{name}:{self.line}: {self.key}: {self.allowed}")


class RulesetError(Exception):
    """A ruleset that cannot be used, with all its mistakes by line; its text has one line for each."""

    def __init__(self, name: str, mistakes: Sequence[Mistake]) -> None:
        """Take the file's name and what is wrong in it."""
        self.name = name
        self.mistakes = sorted(mistakes, key=lambda mistake: mistake.line)
        super().__init__("\n".join(each.told(name) for each in self.mistakes))


class Mistakes:
    """Gathers mistakes while a file is read, so that all are told at once."""

    def __init__(self, document: dict[str, Any], lines: Lines) -> None:
        """Take the parsed file, to name array elements, and where its keys stand."""
        self.found: list[Mistake] = []
        self.doubts: list[Mistake] = []
        self._document = document
        self._lines = lines
        self._told: set[Path] = set()

    def add(self, path: Path, allowed: str) -> None:
        """Note that something is wrong at a path, unless that has been told of it, or of what it stands in."""
        if not self._told.isdisjoint(path[:length] for length in range(len(path) + 1)):
            return
        self._told.add(path)
        self.found.append(self._mistake(path, allowed))

    def doubt(self, path: Path, told: str) -> None:
        """Note what is well written and does nothing, or mostly not what is meant: asked about, never refused."""
        self.doubts.append(self._mistake(path, told))

    def unknown(self, path: Path, allowed: Iterable[str]) -> None:
        """Note a key or a name that does not exist, with the one that was probably meant."""
        names = sorted(allowed)
        self.add(path, f"unknown key{did_you_mean(str(path[-1]), names)}; allowed: {', '.join(names)}")

    def _mistake(self, path: Path, allowed: str) -> Mistake:
        return Mistake(self._lines.of(path), self._key(path), allowed)

    def _key(self, path: Path) -> str:
        """Write a path as people say it: an element of an array by its `name`, else by its number from 1."""
        text, value = "", self._document
        for part in path:
            value = _step(value, part)
            if isinstance(part, str):
                text += f".{part}" if text else part
            elif isinstance(value, dict) and isinstance(value.get("name"), str):
                text += f".{value['name']}"
            else:
                text += f"[{part + 1}]"
        return text


def _step(value: Any, part: str | int) -> Any:
    try:
        return value[part]
    except (KeyError, IndexError, TypeError):
        return None


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """Return a hint at the nearest name, empty if none is near.

    >>> did_you_mean("half_live", ["half_life", "points"])
    ' (did you mean half_life?)'
    """
    near = get_close_matches(word, list(names), n=1)
    return f" (did you mean {near[0]}?)" if near else ""
