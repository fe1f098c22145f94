"""Word lists: what is shipped with us or with a package, or the user's file of the same name."""

import logging
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from stream.lookups.errors import BadLookupFile
from stream.lookups.packaged import WORDS
from stream.lookups.ranges import read_text

logger = logging.getLogger(__name__)

NAMES = (
    "access-domains",
    "crawlers",
    "disposable-mail",
    "free-mail",
    "hosting-asns",
    "hosting-networks",
    "mail-scanners",
    "role-mailboxes",
    "vpn-networks",
)

_COMMENT = re.compile(r"(^|\s)#.*")


class Word(NamedTuple):
    """One entry, and where it stands."""

    text: str
    path: Path | str
    line: int

    def bad(self, what: str) -> BadLookupFile:
        """Return the error that names this entry's file and line."""
        return BadLookupFile(self.path, self.line, what)


class WordLists:
    """The lists of `NAMES`; a file `NAME.txt` in the folder replaces the shipped one.

    One entry a line; `#` at the start of a line or after a space begins a comment. Raises BadLookupFile where the
    folder is none; a `.txt` file of another name there is a line in the log.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder, self._theirs = folder, frozenset[str]()
        if folder is None:
            return
        try:
            there = sorted(path for path in folder.iterdir() if path.suffix == ".txt")
        except OSError as error:
            raise BadLookupFile(folder, None, f"is no folder of word lists that can be read ({error.strerror})") from error
        for path in there:
            if path.stem not in NAMES:
                logger.warning("%s: is no word list of ours and not read; there are %s", path, ", ".join(NAMES))
        self._theirs = frozenset(path.stem for path in there)

    def read(self, name: str) -> Iterator[Word]:
        """Yield the entries of a list: the user's, or else a package's and our own."""
        if self._folder is not None and self.replaces(name):
            path = self._folder / f"{name}.txt"
            yield from _words(path, read_text(path))
            return
        if name in WORDS:
            for number, text in enumerate(WORDS[name](), 1):
                yield Word(text, f"{name} of a package", number)
        shipped = files("stream.lookups") / "words" / f"{name}.txt"
        if shipped.is_file():
            yield from _words(f"{name}.txt", shipped.read_text(encoding="utf-8"))

    def replaces(self, name: str) -> bool:
        """Tell whether the user's file stands for the shipped list."""
        return name in self._theirs


def _words(path: Path | str, text: str) -> Iterator[Word]:
    for number, line in enumerate(text.splitlines(), 1):
        entry = _COMMENT.sub("", line).strip()
        if entry:
            yield Word(entry, path, number)
