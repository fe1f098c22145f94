"""What this worker holds, and may answer for without asking another."""

import time

from faust.types import TP

from stream.agents.leadstream import Leadstream
from stream.domain import visitor
from stream.domain.accounts.fold import Accounts
from stream.domain.people import People
from stream.domain.ruleset.model import Ruleset
from stream.domain.state import State
from stream.domain.visitor import Visitor
from stream.web.answers import NotNow


class Held:
    """A worker's rows and people, as far as it may speak for them: restored, and in the group."""

    def __init__(self, worker: Leadstream) -> None:
        self._worker = worker

    def place_of(self, node: str) -> TP:
        """Return the partition that holds an identity's row."""
        return TP(self._worker.topics.events, self._worker.partition_of(node))

    @property
    def phone_region(self) -> str | None:
        """The country of telephone numbers that name none."""
        return self._worker.settings.phone_region

    @property
    def people_place(self) -> TP:
        """The partition that holds the people."""
        return TP(self._worker.topics.people, 0)

    def holds(self, tp: TP) -> bool:
        """Tell whether this worker may answer for a partition; one that was frozen finds out that it may not."""
        return tp in self._worker.flow.running and self._worker.flow.alive

    def behind(self, tp: TP) -> int:
        """Return how many records there are that whoever held a partition before may have known, and this worker not yet."""
        progress = self._worker.flow.progress.get(tp)
        return 0 if progress is None else progress.behind

    def require_read(self, tp: TP) -> None:
        """Raise `NotNow` as long as a worker that held a partition before may have known more than this one."""
        behind = self.behind(tp)
        if behind:
            what = f"partition {tp.partition} of {tp.topic}"
            raise NotNow(f"this worker took over {what} and has {behind} records to read of it: ask again in a moment")

    def visitor(self, node: str, at: int | None = None) -> tuple[State, Ruleset] | None:
        """Return what an identity that is held here did, and the rules it is seen under; None: nothing, or forgotten by `at`."""
        known = self.row(node)
        if known is None:
            return None
        row, rules = known
        if not row.state.events or (at is not None and visitor.is_forgotten(row, at, rules)):
            return None
        return row.state, rules

    def row(self, node: str) -> tuple[Visitor, Ruleset] | None:
        """Return the whole row of an identity that is held here, and the rules it is seen under."""
        data = self._worker.row_of(node)
        if data is None:
            return None
        return visitor.decode(data), self._worker.visitors.ruleset(self._worker.partition_of(node))

    @property
    def people(self) -> People | None:
        """The people, where this worker may answer for them; to read only."""
        return self._worker.people if self.holds(self.people_place) else None

    def account_place(self, id_: str) -> TP:
        """Return the partition that holds an account."""
        return self.accounts_place(self._worker.partition_of(id_))

    def accounts_place(self, partition: int) -> TP:
        """Return a partition of accounts."""
        return TP(self._worker.topics.members, partition)

    def accounts(self, tp: TP) -> Accounts | None:
        """Return the accounts of a partition, where this worker may answer for them; to read only."""
        return self._worker.accounts_log.table.open(tp.partition).fold if self.holds(tp) else None

    def rows(self) -> dict[str, int]:
        """Return how many rows of each table are here, the rows being restored included."""
        return {name: len(table.data) for name, table in self._worker.flow.app.tables.items()}


def now_ms() -> int:
    """Return the wall clock."""
    return int(time.time() * 1000)
