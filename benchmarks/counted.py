"""A worker whose tables count how often somebody walks through their rows: `python -m benchmarks.counted worker`.

`SCANS` names the file it writes each half second: how many walks there were, how many rows there are, and whether all rows
lie in counted tables. A look at one key is no walk, nor is `len`.
"""

import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from stream.cli import main
from stream.runtime import partstore

EVERY_S, SETTLED_S = 0.5, 2.0
stores: list[partstore.PartStore] = []


class Counted(dict[bytes, bytes]):
    """A partition's rows, counting every way to see all of them."""

    scans = 0

    def __iter__(self) -> Iterator[bytes]:
        Counted.scans += 1
        return super().__iter__()

    def __reversed__(self) -> Iterator[bytes]:
        Counted.scans += 1
        return super().__reversed__()

    def keys(self) -> Any:
        Counted.scans += 1
        return super().keys()

    def values(self) -> Any:
        Counted.scans += 1
        return super().values()

    def items(self) -> Any:
        Counted.scans += 1
        return super().items()

    def copy(self) -> dict[bytes, bytes]:
        Counted.scans += 1
        return super().copy()

    def __or__(self, other: Any) -> Any:
        Counted.scans += 1
        return super().__or__(other)


class Scans(NamedTuple):
    """What such a worker wrote."""

    scans: int
    rows: int
    whole: bool


def read(path: Path) -> Scans:
    """Return what a counted worker wrote last."""
    scans, rows, whole = path.read_text().split()
    return Scans(int(scans), int(rows), whole == "True")


def settled(path: Path) -> Scans:
    """Return what was counted once nobody walks any more: a new installation's first tick tells accounts of everybody, once."""
    known, since = read(path), time.monotonic()
    while time.monotonic() - since < SETTLED_S:
        time.sleep(EVERY_S)
        if (now := read(path)).scans != known.scans:
            known, since = now, time.monotonic()
    return known


def count() -> None:
    """Let every table be made of counted rows, and say again and again what was counted."""
    made, store = partstore.PartStore.__init__, partstore.PartStore

    def init(self: partstore.PartStore, *args: Any, **kwargs: Any) -> None:
        made(self, *args, **kwargs)
        stores.append(self)

    def part(self: partstore.PartStore, partition: int) -> partstore.Rows:
        rows = self.parts.get(partition)
        if rows is None:
            rows = self.parts[partition] = Counted()
        return rows

    store.__init__, store.part = init, part  # type: ignore[method-assign]
    threading.Thread(target=_tell, args=(Path(os.environ["SCANS"]),), daemon=True).start()


def _tell(path: Path) -> None:
    while True:
        parts = [rows for store in list(stores) for rows in list(store.parts.values())]
        told = f"{Counted.scans} {sum(map(len, parts))} {all(type(rows) is Counted for rows in parts)}"
        part = path.with_suffix(".part")
        part.write_text(told)
        part.rename(path)
        time.sleep(EVERY_S)


if __name__ == "__main__":
    count()
    sys.exit(main())
