"""The idle horizon: who did nothing for so long, and is nobody's, begins anew; and the removal that nobody can tell."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaError
from faust.types import TP

from stream.agents import forgetting
from stream.agents.forgetting import Forgetting
from stream.agents.rules import RULESET_KEY, RulesInForce
from stream.agents.topics import Topics
from stream.agents.visitors import Visitors
from stream.domain import visitor
from stream.domain.event import Company
from stream.domain.log import BY_ITSELF
from stream.domain.visitor import Visitor, is_forgotten, seems_forgotten
from stream.intake import Intake
from stream.lookups import Lookups
from stream.ops.metrics import Metrics
from stream.runtime.quota import Quota
from stream.runtime.rows import RowTable
from stream.runtime.ticks import Progress
from tests.app.test_partstore import store
from tests.told import BEHAVIOURS, DAY, LADDER, START, happened, rules

A, USER = "anon::a", "user::1"
HORIZON = 100 * DAY
RULES = rules(BEHAVIOURS + LADDER + '[visitors]\nidle_horizon = "100d"\n')
PLAIN = rules()
EVENTS = TP("events", 0)


def seen(at: int = START, node: str = A, **more: Any) -> Visitor:
    row = visitor.apply(None, happened("page", node, at, **more), 1, RULES).row
    assert row is not None
    return row


# -- the rule


@pytest.mark.parametrize(
    ("after", "events"),
    [pytest.param(HORIZON, 2, id="at the horizon"), pytest.param(HORIZON + 1, 1, id="a millisecond behind it")],
)
def test_who_comes_back_behind_the_horizon_is_new(after: int, events: int) -> None:
    row = visitor.apply(seen(), happened("Asked", A, START + after), 2, RULES).row

    assert row is not None
    assert (row.state.events, row.position) == (events, 2)
    assert row.state.first_seen == (START if events == 2 else START + after)


def test_without_a_horizon_nobody_is_new() -> None:
    row = visitor.apply(seen(), happened("page", A, START + 9999 * DAY), 2, PLAIN).row

    assert row is not None
    assert row.state.events == 2


def test_who_is_listened_to_is_never_forgotten() -> None:
    for known in (seen(node=USER), seen(links=(USER,)), visitor.wake(seen(), A, START, RULES)[0]):
        row = visitor.apply(known, happened("page", A, START + 2 * HORIZON), 2, RULES).row
        assert row is not None
        assert row.state.events == 2
        assert not is_forgotten(row, START + 9 * HORIZON, RULES)


def test_a_late_event_is_measured_by_when_it_was_received() -> None:
    row = visitor.apply(seen(), happened("page", A, START - 2 * HORIZON, r=START + DAY), 2, RULES).row

    assert row is not None
    assert row.state.events == 2


def test_what_was_taken_by_other_ways_is_not_forgotten() -> None:
    row = visitor.apply(None, happened("page", A, START), 1, RULES, forwarded=(3, 7), replayed=("dead", 0, 5)).row
    again = happened("page", A, START + 2 * HORIZON)

    assert visitor.apply(row, again, 2, RULES, forwarded=(3, 7)).verdict == "duplicate"
    assert visitor.apply(row, again, 3, RULES, replayed=("dead", 0, 5)).verdict == "duplicate"


def test_a_message_id_of_the_former_life_is_taken_again() -> None:
    first = happened("page", A, START)
    row = visitor.apply(None, first, 1, RULES).row
    again = happened("page", A, START + HORIZON + 1, message=first.message)

    assert visitor.apply(row, again, 2, RULES).verdict == "applied"


@pytest.mark.parametrize(("after", "events"), [(HORIZON, 1), (HORIZON + 1, 0)])
def test_a_wake_does_not_bring_in_what_is_forgotten(after: int, events: int) -> None:
    row, snapshot = visitor.wake(seen(), A, START + after, RULES)

    assert (row.listened, row.position, row.state.events) == (True, 1, events)
    assert (snapshot.version, snapshot.r, snapshot.state.events) == (1, START + after, events)


def test_a_stored_row_tells_without_being_read() -> None:
    listened, _ = visitor.wake(seen(), A, START, RULES)

    assert seems_forgotten(visitor.encode(seen()), START + HORIZON + 1, RULES)
    assert not seems_forgotten(visitor.encode(seen()), START + HORIZON, RULES)
    assert not seems_forgotten(visitor.encode(listened), START + 9 * HORIZON, RULES)


# -- removal


class Worker:
    """A worker with one partition; Kafka has deleted the events below `first`, and ticks have said `told`."""

    def __init__(self, *known: Visitor, first: int = 10, told: int | None = START + HORIZON + 1) -> None:
        self.kept: Any = store()
        for number, row in enumerate(known):
            self.kept.part(0)[f"anon::{number}".encode()] = visitor.encode(row)
        self.progress = Progress(0)
        self.progress._told = told
        self.first, self.failing, self.assigned = first, 0, True
        self.rounds = 0
        """How many have begun."""
        flow: Any = SimpleNamespace(
            running={EVENTS, TP("people", 0)}, progress={EVENTS: self.progress}, beginnings=self.beginnings,
            base=lambda _: 0, quota=Quota(),
        )  # fmt: skip
        self.flow = flow
        table = RowTable(lambda: self.kept, "log", visitor.decode, visitor.encode)
        lookups = Lookups()
        self.visitors = Visitors(
            flow, table, Topics.of(""), lambda stages: Intake(lookups, None, stages), RulesInForce(RULES), Metrics()
        )
        self.part = table.open(0)
        self.part.put_raw(RULESET_KEY, RulesInForce(RULES).row())
        self.part.take()

    @property
    def keys(self) -> set[bytes]:
        return set(self.part.stored) - {RULESET_KEY}

    async def beginnings(self, tps: set[TP]) -> dict[TP, int]:
        self.rounds += 1
        if self.failing:
            self.failing -= 1
            raise KafkaError
        return dict.fromkeys(tps, self.first)

    async def round(self) -> None:
        self.flow.assigned = self.assigned
        await Forgetting(self.flow, self.visitors, "events")._round(EVENTS, self.first)


@pytest.fixture(autouse=True)
def _no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forgetting, "EVERY_S", 0)
    monkeypatch.setattr(forgetting, "REST_S", 0)


async def test_a_row_behind_the_horizon_leaves_memory_and_gets_a_null() -> None:
    worker = Worker(seen(), seen(START + DAY), visitor.wake(seen(), A, START, RULES)[0])

    await worker.round()

    assert worker.keys == {b"anon::1", b"anon::2"}
    assert worker.part.take().rows == [[(b"anon::0", None)]]
    assert worker.part.get(b"anon::0") is None
    assert not worker.part.owes


async def test_it_leaves_its_account_by_time_alone_and_lets_no_clock_run() -> None:
    row = seen()
    row.state.account = Company("Acme", "acme.example", "business", 1.0, "ranges", "192.0.2.0/24", "")
    worker = Worker(row)

    await worker.round()

    [left] = worker.visitors._anonymous._waiting[0].left
    assert (left.account, left.r, left.code) == ("account::acme.example", row.state.as_of, BY_ITSELF)


async def test_a_row_that_was_written_a_moment_ago_and_is_still_decoded_leaves_too() -> None:
    worker = Worker()
    worker.part.put(b"anon::0", seen())
    await worker.round()
    assert not worker.keys, "it is not written yet"
    worker.part.take()

    await worker.round()

    assert worker.part.get(b"anon::0") is None


async def test_who_comes_back_before_the_null_is_written_gets_a_row() -> None:
    worker = Worker(seen())
    await worker.round()
    worker.part.put(b"anon::0", seen(START + 2 * HORIZON))

    [[(key, value)]] = worker.part.take().rows

    assert key == b"anon::0"
    assert value is not None
    assert worker.keys == {b"anon::0"}


@pytest.mark.parametrize(
    "where",
    [
        pytest.param({"first": 0}, id="its last event can still be read"),
        pytest.param({"told": None}, id="no tick has said how far it is"),
        pytest.param({"told": START + HORIZON}, id="the ticks are not so far"),
    ],
)
async def test_a_row_stays_while_something_it_knows_may_still_come(where: dict[str, Any]) -> None:
    worker = Worker(seen(), **where)

    await worker.round()

    assert worker.keys == {b"anon::0"}


async def test_a_row_that_changes_stays() -> None:
    worker = Worker(seen())
    worker.part.put(b"anon::0", seen())

    await worker.round()

    assert worker.keys == {b"anon::0"}


async def test_where_kafka_has_nothing_more_to_delete_a_row_goes_when_its_time_has_come() -> None:
    worker = Worker(seen(), told=START + HORIZON - 2 * DAY)
    worker.flow.assigned = True
    looking = Forgetting(worker.flow, worker.visitors, "events")
    rounds = asyncio.ensure_future(looking._rounds.fun(looking))
    for told, keys in (
        (START + HORIZON - 2 * DAY, {b"anon::0"}),
        (START + HORIZON - 1, {b"anon::0"}),
        (START + HORIZON + DAY, set()),
    ):
        worker.progress._told = told
        before = worker.rounds
        async with asyncio.timeout(10):
            while worker.rounds < before + 3:  # noqa: ASYNC110 - two of them whole ones; what is tested sets no event
                await asyncio.sleep(0.001)
        assert worker.keys == keys
    rounds.cancel()


async def test_nothing_is_removed_while_the_group_takes_partitions_away() -> None:
    worker = Worker(seen())
    worker.assigned = False

    await worker.round()

    assert worker.keys == {b"anon::0"}


async def test_without_a_horizon_no_row_is_looked_at() -> None:
    worker = Worker(seen())
    worker.part.put_raw(RULESET_KEY, RulesInForce(PLAIN).row())

    await worker.round()

    assert worker.keys == {b"anon::0"}


async def test_it_goes_round_and_a_kafka_that_does_not_answer_is_asked_again() -> None:
    worker = Worker(seen())
    worker.failing, worker.flow.assigned = 1, True
    service = Forgetting(worker.flow, worker.visitors, "events")

    async with asyncio.timeout(10):
        await service.start()
        while worker.keys:  # noqa: ASYNC110 - what is tested sets no event
            await asyncio.sleep(0.01)
    await service.stop()

    assert worker.failing == 0
