"""What a worker owes is written by it or by who takes over, never by both; and is committed though nothing more comes."""

from collections import Counter
from types import SimpleNamespace
from typing import Any, cast

import pytest
from faust.types import TP

from stream.runtime import flow as module
from stream.runtime.flow import Flow
from stream.runtime.member import Member
from stream.runtime.positions import Positions
from stream.runtime.resume import MARK_KEY, Mark, mark_row
from stream.runtime.watchdog import Stale
from stream.runtime.work import Position

EVENTS, LOG = TP("events", 0), TP("log", 0)


class Leaving:
    """As much of a flow as a revocation touches."""

    def __init__(self, *, owes: bool) -> None:
        self.owes, self.ready, self.assigned = owes, True, True
        self.running, self.sought, self.written = {EVENTS}, {EVENTS}, 0
        self.faults = SimpleNamespace(reach=self._pass)
        self.checkpoint = SimpleNamespace(run=self._write)

    async def _pass(self, _: str) -> None: ...

    async def _write(self) -> None:
        self.written += 1


@pytest.mark.parametrize(
    ("let_go", "owes", "written", "ends"),
    [(False, True, 1, False), (False, False, 1, False), (True, True, 0, True), (True, False, 1, False)],
)
async def test_who_was_let_go_writes_nothing_of_what_it_owes(
    monkeypatch: pytest.MonkeyPatch, *, let_go: bool, owes: bool, written: int, ends: bool
) -> None:
    def die(cause: BaseException) -> None:
        raise cause

    monkeypatch.setattr(module, "die", die)
    leaving, ended = Leaving(owes=owes), False
    try:
        await Flow.on_revoked(cast("Flow", leaving), let_go=let_go)
    except Stale:
        ended = True
    assert (leaving.written, ended, leaving.assigned) == (written, ends, False)


@pytest.mark.parametrize(
    ("generation", "left", "let_go"), [(7, False, False), (0, False, False), (-1, False, True), (-1, True, False)]
)
def test_a_worker_knows_that_the_group_does_not_know_it(generation: int, *, left: bool, let_go: bool) -> None:
    thread = SimpleNamespace(left=left, _consumer=SimpleNamespace(_coordinator=SimpleNamespace(generation=generation)))
    assert Member.is_let_go(cast("Member", thread)) is let_go


class TakenOver:
    """A flow of one source that is read to its end: its table says so, and no commit."""

    changelog_of = Flow.changelog_of

    def __init__(self) -> None:
        self.life, self.assigned, self.building, self.restored_rows = 1, True, 0, 0
        self.sources, self.folds, self.counts = {"events": ("log", 1)}, set[str](), Counter({"events": 1})
        self.progress: dict[TP, Any] = {}
        self.running, self.restoring_since, self.stood = {EVENTS}, 0.0, list[tuple[TP, Position]]()
        self.faults = SimpleNamespace(reach=self._pass)
        self.changelogs = SimpleNamespace(last=lambda _: 5)
        part = SimpleNamespace(stands=lambda tp, at: self.stood.append((tp, at)))
        self.tables = {"log": SimpleNamespace(position=lambda _: None, open=lambda _: part)}
        self.consumer = SimpleNamespace(_thread=SimpleNamespace(committed=self._committed, ends=self._ends))
        self.positions = Positions(cast("Flow", self), lambda _tp, _position: ("", 0))

    def producer(self) -> Any:
        return SimpleNamespace(partitions_for=self._one)

    def stores(self) -> Any:
        row = mark_row(10, Mark(changelog=5, partitions=1, last=9, print="ab"))
        return {"log": SimpleNamespace(part=lambda _: {MARK_KEY + b"events": row})}

    async def _pass(self, _: str) -> None: ...

    async def _one(self, _: str) -> int:
        return 1

    async def _committed(self, _: set[TP]) -> Any:
        return {}

    async def _ends(self, tps: set[TP]) -> Any:
        return dict.fromkeys(tps, (0, 10))


@pytest.mark.parametrize(("applied", "stood"), [(10, [(EVENTS, Position(10, 9, "ab"))]), (11, [])])
async def test_where_a_source_stands_by_its_table_alone_is_to_be_committed_unless_it_was_read_on(
    applied: int, stood: list[tuple[TP, Position]]
) -> None:
    flow = TakenOver()
    await flow.positions.decide({EVENTS})
    flow.progress[EVENTS].applied = applied
    for _ in range(2):  # once
        Flow.on_ready(cast("Flow", flow))
    assert flow.stood == stood
