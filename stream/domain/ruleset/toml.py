"""Opens a TOML file of ours, a ruleset or one of write keys; where it is none, one mistake says so with its line."""

import codecs
import tomllib
from collections.abc import Iterator
from typing import Any

from stream.domain.ruleset.hints import kindly, line_of
from stream.domain.ruleset.lines import DEEPEST, Lines, Path
from stream.domain.ruleset.mistakes import Mistake, Mistakes, RulesetError
from stream.domain.ruleset.table import Table


def opened(text: bytes, name: str) -> Table:
    """Return the tables of a TOML file, to be read with all their mistakes; raises RulesetError where it is none."""
    try:
        decoded = text.removeprefix(codecs.BOM_UTF8).decode()
        document = tomllib.loads(decoded)
    except (ValueError, RecursionError) as error:
        raise RulesetError(name, [_unreadable(text, error)]) from error
    mistakes = Mistakes(document, Lines(decoded))
    deep = _too_deep(document)
    if deep is not None:
        mistakes.add(deep, f"tables and lists inside one another are at most {DEEPEST} deep")
        raise RulesetError(name, mistakes.found)
    return Table(document, (), mistakes)


def _unreadable(text: bytes, error: Exception) -> Mistake:
    """Say where a file is no TOML, and what would be."""
    if isinstance(error, UnicodeDecodeError):
        return Mistake(text.count(b"\n", 0, error.start) + 1, "encoding", "UTF-8 text")
    if not isinstance(error, tomllib.TOMLDecodeError):
        return Mistake(1, "TOML", "fewer brackets inside brackets, and numbers of at most 4300 digits")
    decoded = text.removeprefix(codecs.BOM_UTF8).decode()
    return Mistake(line_of(str(error), decoded), "TOML", kindly(str(error), decoded))


def _too_deep(document: dict[str, Any]) -> Path | None:
    """Return where a file nests deeper than anything in it may, so that whoever reads it further can recurse; None: nowhere."""
    level: list[tuple[Path, Any]] = [((), document)]
    for _ in range(DEEPEST):
        level = [inner for path, value in level for inner in _inside(path, value)]
    return level[0][0] if level else None


def _inside(path: Path, value: Any) -> Iterator[tuple[Path, Any]]:
    """Yield the tables and lists that stand right inside one."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(inner, dict | list):
            yield (*path, key), inner
