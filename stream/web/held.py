"""What this worker holds, and may answer for without asking another."""

import time

from faust.types import TP

from stream.agents.leadstream import Leadstream
from stream.agents.rules import RULESET_KEY
from stream.domain import visitor
from stream.domain.editions import loaded, read
from stream.domain.people import People
from stream.domain.ruleset.model import Ruleset
from stream.domain.state import State


class Held:
    """A worker's rows and people, as far as it may speak for them: restored, and in the group."""

    def __init__(self, worker: Leadstream) -> None:
        self._worker = worker

    def place_of(self, node: str) -> TP:
        """Return the partition that holds an identity's row."""
        return TP(self._worker.topics.events, self._worker.partition_of(node))

    @property
    def people_place(self) -> TP:
        """The partition that holds the people."""
        return TP(self._worker.topics.people, 0)

    def holds(self, tp: TP) -> bool:
        """Tell whether this worker may answer for a partition; one that was frozen finds out that it may not."""
        return tp in self._worker.flow.running and self._worker.flow.alive

    def visitor(self, node: str, at: int | None = None) -> tuple[State, Ruleset] | None:
        """Return what an identity that is held here did, and the rules it is seen under; None: nothing, or forgotten by `at`."""
        data = self._worker.row_of(node)
        if data is None or self._worker.visitors is None:
            return None
        row = visitor.decode(data)
        part = self._worker.visitors.table.open(self._worker.partition_of(node))
        rules = loaded(read(part.stored[RULESET_KEY]).newest.text)
        if not row.state.events or (at is not None and visitor.is_forgotten(row, at, rules)):
            return None
        return row.state, rules

    @property
    def people(self) -> People | None:
        """The people, where this worker may answer for them; to read only."""
        return self._worker.people if self.holds(self.people_place) else None

    def rows(self) -> dict[str, int]:
        """Return how many rows of each table are here, the rows being restored included."""
        return {name: len(table.data) for name, table in self._worker.flow.app.tables.items()}


def now_ms() -> int:
    """Return the wall clock."""
    return int(time.time() * 1000)
