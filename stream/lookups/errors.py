"""What can be wrong with a look-up file, said in one line."""

from pathlib import Path

from stream.errors import UsageError


class BadLookupFile(UsageError):  # noqa: N818 - what is bad is the file; the name says so
    """A look-up file cannot be used; `line` counts from 1 (None: the file as a whole).

    >>> str(BadLookupFile("ranges.csv", 3, "'10.0.0.1/8' has host bits"))
    "ranges.csv:3: '10.0.0.1/8' has host bits"
    """

    def __init__(self, path: Path | str, line: int | None, what: str) -> None:
        self.path = str(path)
        self.line = line
        self.what = what
        super().__init__(f"{path}: {what}" if line is None else f"{path}:{line}: {what}")


class CorruptDatabase(BadLookupFile):
    """A MaxMind database whose tree or records cannot be read."""
