"""What comes last keeps nobody waiting: a source that is patient, as `events` is."""

import asyncio
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.structs import TopicPartition
from faust.types import TP

from stream.runtime.patience import Patience
from stream.runtime.thread import BatchThread
from tests.app.test_answers_freed import answer

PEOPLE = TP("people", 0)
EVENTS = {TP("events", number) for number in range(4)}


class Agent:
    """The agent of `events`: for so many batches there is room in its queue, and so many wait."""

    def __init__(self, size: int, waiting: int) -> None:
        self.queue: asyncio.Queue[int] = asyncio.Queue(size)
        for number in range(waiting):
            self.queue.put_nowait(number)
        self.looks = 0
        self.patience = Patience(lambda: frozenset({"events"}), lambda tp: [self] if tp in EVENTS else [], self.look)

    def look(self) -> None:
        self.looks += 1

    def take(self) -> None:
        self.queue.get_nowait()
        self.patience.on_taken()


@pytest.mark.parametrize(
    ("waiting", "size", "events"),
    [
        pytest.param(0, 8, 4, id="an empty queue"),
        pytest.param(4, 8, 4, id="room for a batch of each"),
        pytest.param(5, 8, 0, id="not until half of the queue is free"),
        pytest.param(8, 8, 0, id="a full queue"),
        pytest.param(0, 3, 3, id="fewer places than partitions"),
        pytest.param(2, 3, 1, id="half of these is free"),
    ],
)
def test_events_wait_for_room_and_nobody_else_does(waiting: int, size: int, events: int) -> None:
    found = Agent(size, waiting).patience.wanted(EVENTS | {PEOPLE})
    assert PEOPLE in found
    assert len(found & EVENTS) == events


def test_a_fetch_that_waits_takes_events_as_soon_as_there_is_room() -> None:
    agent = Agent(8, waiting=8)
    fetching = agent.patience.wanted(EVENTS | {PEOPLE})
    for _ in range(3):
        agent.take()
    assert (fetching, agent.looks) == ({PEOPLE}, 0)
    agent.take()
    assert (fetching, agent.looks) == (EVENTS | {PEOPLE}, 1)
    agent.take()
    assert agent.looks == 1


def test_a_fetch_that_is_over_is_left_alone() -> None:
    agent = Agent(8, waiting=8)
    agent.patience.wanted(EVENTS | {PEOPLE})
    agent.patience.fetched()
    for _ in range(8):
        agent.take()
    assert agent.looks == 0


def fetched(topic: str) -> Any:
    one: Any = SimpleNamespace(_partition_records=answer(TopicPartition(topic, 0)))
    one.check_assignment, one._update_position = lambda _: True, lambda: None
    one.has_more = lambda: one._partition_records is not None
    return one


class Fetching:
    """A consumer's thread, and aiokafka's fetcher that holds answers of these topics."""

    _take, look_again, _look = BatchThread._take, BatchThread.look_again, BatchThread._look

    def __init__(self, *topics: str) -> None:
        flow = SimpleNamespace(patient=frozenset({"events"}))
        self.consumer = SimpleNamespace(_is_changelog_tp=lambda _: False, flow=flow, flow_active=True)
        self._records = {TopicPartition(topic, 0): fetched(topic) for topic in topics}
        self._fetch_waiters: set[asyncio.Future[None]] = set()
        self._closed, self._wait_consume_future = False, None
        self._subscriptions = SimpleNamespace(
            fetch_context=nullcontext, reassignment_in_progress=False, is_assigned=lambda _: True
        )
        self._consumer = SimpleNamespace(_fetcher=self, _closed=False)
        self.thread_loop: Any = None

    def _create_fetch_waiter(self) -> "asyncio.Future[None]":
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._fetch_waiters.add(waiter)
        return waiter

    def _notify(self, waiter: "asyncio.Future[None] | None") -> None:
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def fetch(self, wanted: set[TopicPartition]) -> list[str]:
        this: Any = self
        found = await BatchThread._fetch_records(this, self._consumer, wanted, 60)
        return [batch.tp.topic for batch in found]


async def test_what_comes_last_is_handed_on_last() -> None:
    fetching = Fetching("events", "people", "wakes")
    assert await fetching.fetch(set(fetching._records)) == ["people", "wakes", "events"]


async def test_a_fetch_that_waits_looks_again_at_what_is_here_when_there_is_room_for_it() -> None:
    fetching, wanted = Fetching("events"), set[TopicPartition]()
    fetching.thread_loop = asyncio.get_running_loop()
    waiting = asyncio.ensure_future(fetching.fetch(wanted))
    await asyncio.sleep(0)
    wanted.add(TopicPartition("events", 0))
    this: Any = fetching
    BatchThread.look_again(this)
    assert await asyncio.wait_for(waiting, 10) == ["events"]


def test_room_for_a_thread_that_has_ended_is_no_failure() -> None:
    fetching: Any = Fetching("events")
    fetching.thread_loop = asyncio.new_event_loop()
    fetching.thread_loop.close()
    BatchThread.look_again(fetching)
