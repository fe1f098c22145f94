"""Why workers ended, counted in a file, since one that ends itself cannot be asked afterwards."""

import sys
from collections import Counter
from pathlib import Path

REASONS = ("second_writer", "stood_still", "hang", "kafka", "gap", "misfit", "bug")
_BY_CLASS = {
    "SecondWriter": "second_writer", "Stale": "stood_still", "Stalled": "hang", "TimeoutError": "kafka",
    "KafkaError": "kafka", "Gap": "gap", "Misfit": "misfit",
}  # fmt: skip


def reason_of(cause: BaseException | None) -> str:
    """Return the word for what ended a worker.

    >>> reason_of(TimeoutError()), reason_of(KeyError())
    ('kafka', 'bug')
    """
    names = (base.__name__ for base in type(cause).__mro__)
    return next((_BY_CLASS[name] for name in names if name in _BY_CLASS), "bug")


class Exits:
    """The file: one word a line; without a path nothing is kept."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def note(self, cause: BaseException | None) -> None:
        """Add a line; a worker that ends has other troubles than a file that cannot be written."""
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a") as file:
                file.write(f"{reason_of(cause)}\n")
        except OSError as error:
            (sys.__stderr__ or sys.stderr).write(f"leadstream: {self._path} cannot be written: {error}\n")

    def counts(self) -> Counter[str]:
        """Return how often each reason is in the file."""
        if self._path is None or not self._path.is_file():
            return Counter()
        return Counter(word for word in self._path.read_text().split() if word in REASONS)
