"""What is asked of Kafka while the group takes partitions away, or the worker ends, comes to nothing and stops nobody."""

import asyncio
from collections import Counter
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.structs import OffsetAndMetadata
from faust.types import TP

from stream.agents import forgetting
from stream.agents.forgetting import Forgetting
from stream.runtime import positions as positions_module
from stream.runtime.fatal import Misfit
from stream.runtime.flow import Flow
from stream.runtime.positions import Positions
from stream.runtime.resume import MARK_KEY, Mark, mark_row, read_mark, write_mark
from stream.runtime.work import Position

EVENTS, LOG = TP("events", 0), TP("log", 0)
MARK = Mark(changelog=5, partitions=2)
COMMITTED = OffsetAndMetadata(10, write_mark(MARK))


class Asked:
    """A flow whose changelog is forgotten while it asks: `life` says whether the group has assigned anew."""

    changelog_of = Flow.changelog_of

    def __init__(self, *, overtaken: bool) -> None:
        self.life, self.assigned, self.building = 1, True, 0
        self.sources, self.folds, self.counts = {"events": ("log", 2)}, set[str](), Counter({"events": 2})
        self.progress: dict[TP, Any] = {}
        self.faults = SimpleNamespace(reach=_nothing)
        self.changelogs = SimpleNamespace(last=lambda _: -1)
        self.tables = {"log": SimpleNamespace(position=lambda _: setattr(self, "life", self.life + overtaken))}
        self.consumer = SimpleNamespace(_thread=SimpleNamespace(committed=self._committed, ends=self._ends))
        self.asked: list[set[TP]] = []

    def producer(self) -> Any:
        return SimpleNamespace(partitions_for=_two)

    def stores(self) -> Any:
        return {"log": SimpleNamespace(part=lambda _: {MARK_KEY + b"events": mark_row(10, MARK)})}

    async def _committed(self, tps: set[TP]) -> Any:
        self.asked.append(tps)
        return dict.fromkeys(tps, COMMITTED)

    async def _ends(self, tps: set[TP]) -> Any:
        return dict.fromkeys(tps, (0, 10))


async def _nothing(_: str) -> None: ...


async def _two(_: str) -> int:
    return 2


def positions_of(asked: Asked) -> Positions:
    return Positions(cast("Flow", asked), lambda _tp, _position: ("", 0))


async def test_a_rebalance_while_it_is_asked_where_to_go_on_is_no_lost_changelog() -> None:
    assert await positions_of(Asked(overtaken=True)).decide({EVENTS}) == {}


async def test_a_lost_changelog_is_told_where_nothing_came_between() -> None:
    with pytest.raises(Misfit):
        await positions_of(Asked(overtaken=False)).decide({EVENTS})


async def test_a_partition_that_the_producer_has_not_heard_of_yet_is_one_too_many() -> None:
    with pytest.raises(Misfit, match="events has 4 partitions, there must be 2"):
        await positions_of(Asked(overtaken=False)).decide({EVENTS, TP("events", 3)})


async def test_what_was_asked_of_all_sources_is_not_asked_again_of_each() -> None:
    flow = Asked(overtaken=False)
    flow.changelogs, others = SimpleNamespace(last=lambda _: 5), {EVENTS, TP("events", 1)}
    positions = positions_of(flow)
    positions.ask(others)
    assert (await positions.decide({EVENTS}))[EVENTS].seek == 10
    assert flow.asked == [others]


async def test_behind_a_transaction_the_last_record_is_still_the_mark() -> None:
    """Kafka's own mark of a commit is fetched alone, and is no record; so it is after a start, too."""
    flow = Asked(overtaken=False)
    flow.changelogs = SimpleNamespace(last=lambda _: 5)
    known = OffsetAndMetadata(10, write_mark(Mark(changelog=5, partitions=2, last=8, print="of 8")))
    flow.consumer._thread.committed = lambda _: _answer({EVENTS: known})
    positions = positions_of(flow)
    found = (await positions.decide({EVENTS}))[EVENTS]
    flow.progress[EVENTS] = SimpleNamespace(history_until=0)
    assert (found.mark and found.mark.last, _mark(positions, Position(10))) == (8, (8, "of 8"))
    assert _mark(positions, Position(11, 10, "of 10")) == (10, "of 10")
    assert _mark(positions, Position(12)) == (10, "of 10")


def _mark(positions: Positions, at: Position) -> tuple[int, str]:
    mark = read_mark(positions.offsets({EVENTS: at})[EVENTS][1])
    assert mark is not None
    return mark.last, mark.print


async def _answer(found: Any) -> Any:
    return found


@pytest.mark.parametrize("stale", ["another life", "another source", "long ago"])
async def test_an_old_answer_does_not_count(monkeypatch: pytest.MonkeyPatch, stale: str) -> None:
    flow = Asked(overtaken=False)
    flow.changelogs = SimpleNamespace(last=lambda _: 5)
    positions = positions_of(flow)
    positions.ask({TP("events", 1)} if stale == "another source" else {EVENTS})
    if stale == "another life":
        flow.life += 1
    elif stale == "long ago":
        monkeypatch.setattr(positions_module, "FRESH_S", -1.0)
    assert EVENTS in await positions.decide({EVENTS})
    assert flow.asked[1:] == [{EVENTS}]


async def test_a_question_that_fails_stops_who_wants_to_know_the_answer_and_nobody_else() -> None:
    flow = Asked(overtaken=False)
    flow.sources["events"] = ("log", 3)  # there are two partitions of each
    positions = positions_of(flow)
    positions.ask({EVENTS})
    await asyncio.sleep(0.01)  # whoever asked goes on
    with pytest.raises(Misfit, match="has 2 partitions"):
        await positions.decide({EVENTS})


@pytest.mark.parametrize("rest_s", [0.0, 30.0], ids=["while it asks", "while it rests"])
async def test_housekeeping_ends_with_its_worker_though_kafka_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, rest_s: float
) -> None:
    asked = asyncio.Event()

    async def beginnings(_: Any) -> Any:
        asked.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(forgetting, "REST_S", rest_s)
    monkeypatch.setattr(forgetting, "ANSWER_S", 0.1)
    flow = SimpleNamespace(running={EVENTS}, beginnings=beginnings)
    async with Forgetting(cast("Flow", flow), cast("Any", None), "events"):
        if not rest_s:
            await asked.wait()
    assert asked.is_set() == (not rest_s), "a worker that ends asks nothing more"
