"""Where the keys of a TOML file stand: the parser of the standard library does not say."""

import re
import tomllib
from bisect import bisect_right
from collections.abc import Callable

Path = tuple[str | int, ...]
DEEPEST = 32
"""So deep may tables and lists stand inside one another, the file itself counted, as in an event."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)+")
_PART = re.compile(r"""[ \t]*("(?:\\.|[^"\\])*"|'[^']*'|[A-Za-z0-9_-]+)[ \t]*""")
_TEXT = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:"{0,2})' r"|'''.*?'''(?:'{0,2})" r'|"(?:\\.|[^"\\])*"' r"|'[^']*'",
    re.DOTALL,
)
_BARE = re.compile(r"[^,\]}#\n]+")
_BETWEEN = re.compile(r"""[^\[\]{}"'#\n]+""")


class Lines:
    """The line of every key and table header of a file that `tomllib` accepts."""

    def __init__(self, text: str) -> None:
        """Take the text; it is walked through when the first line is asked for: most files have no mistake."""
        self._text = text
        self._at = 0
        self._newlines: list[int] = []
        self._arrays: dict[Path, int] = {}
        self._known: dict[Path, int] = {}
        self._is_walked = False

    def of(self, path: Path) -> int:
        """Return the line of a path, or of the nearest thing around it that the file writes; 1 if there is none."""
        if not self._is_walked:
            self._is_walked = True
            self._newlines = [found.start() for found in re.finditer("\n", self._text)]
            self._document()
        while path and path not in self._known:
            path = path[:-1]
        return self._known.get(path, 1)

    def _document(self) -> None:
        table: Path = ()
        while self._skip():
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> Path:
        """Read `[table]` or `[[array]]`; a name on the way that is an array means its last element."""
        start, is_array = self._at, self._text.startswith("[[", self._at)
        self._at += 2 if is_array else 1
        path: Path = ()
        names = self._names()
        for number, name in enumerate(names, 1):
            path += (name,)
            self._note(path, start)
            if is_array and number == len(names):
                self._arrays[path] = self._arrays.get(path, -1) + 1
            if path in self._arrays:
                path += (self._arrays[path],)
        self._at += 2 if is_array else 1
        self._note(path, start)
        return path

    def _pair(self, table: Path) -> None:
        """Read `name = value`, where the name may be dotted."""
        start, path = self._at, table
        for name in self._names():
            path += (name,)
            self._note(path, start)
        self._at += 1
        self._value(path)

    def _value(self, path: Path) -> None:
        self._skip()
        opening = self._text[self._at]
        if opening in "{[" and len(path) >= DEEPEST:
            self._pass_by()
        elif opening == "{":
            self._enclosed("}", lambda _: self._pair(path))
        elif opening == "[":
            self._enclosed("]", lambda number: self._element((*path, number)))
        else:
            self._take(_TEXT, _BARE)

    def _element(self, path: Path) -> None:
        self._note(path, self._at)
        self._value(path)

    def _enclosed(self, closing: str, read: Callable[[int], None]) -> None:
        """Read what stands between brackets, separated by commas."""
        self._at += 1
        number = 0
        while self._skip() and self._text[self._at] != closing:
            read(number)
            number += 1
            self._skip()
            if self._text[self._at] == ",":
                self._at += 1
        self._at += 1

    def _pass_by(self) -> None:
        """Pass over what stands between brackets, without a step down for each: it is not looked into."""
        depth = 0
        while True:
            self._skip()
            sign = self._text[self._at]
            if sign in "[]{}":
                self._at += 1
                depth += 1 if sign in "[{" else -1
                if not depth:
                    return
            else:
                self._take(_TEXT, _BETWEEN)

    def _names(self) -> list[str]:
        names = [_unquoted(self._take(_PART))]
        while self._text[self._at] == ".":
            self._at += 1
            names.append(_unquoted(self._take(_PART)))
        return names

    def _skip(self) -> bool:
        """Pass over space and comments; tell whether anything is left."""
        self._take(_BLANK)
        return self._at < len(self._text)

    def _take(self, *patterns: re.Pattern[str]) -> str:
        """Pass over what the first pattern that fits matches here, and return its group; empty if none fits."""
        for pattern in patterns:
            if found := pattern.match(self._text, self._at):
                self._at = found.end()
                return found[found.lastindex or 0]
        return ""

    def _note(self, path: Path, offset: int) -> None:
        self._known.setdefault(path, bisect_right(self._newlines, offset - 1) + 1)


def _unquoted(name: str) -> str:
    return str(tomllib.loads(f"name = {name}")["name"]) if name.startswith(("'", '"')) else name
