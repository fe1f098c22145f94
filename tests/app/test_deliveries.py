"""What the consumer hands on: records that follow what was read, never others."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import faust
import pytest
from faust.transport.conductor import Conductor, ConductorCompiler
from faust.types import TP
from mode import Service
from mode.utils.queues import FlowControlEvent, FlowControlQueue

from stream.runtime.batches import ALL, Batch, fingerprint, unpack
from stream.runtime.consumer import BatchConsumer
from stream.runtime.fatal import Gap
from stream.runtime.resume import Mark, Resume
from tests.unit.test_batches import SIZE, fetched

EVENTS = TP("events", 0)


class Delivering:
    """A consumer that read up to 100."""

    def __init__(self) -> None:
        self.handed: list[Batch] = []
        self.flow_active, self._seeks = True, 7
        self._read_offset = {EVENTS: 100}
        self._twice: set[TP] = set()
        self.flow = SimpleNamespace(life=1)
        self.overtaken = False
        self.suspend_flow = SimpleNamespace(wait=lambda: None, is_set=lambda: False)
        self._proven = lambda batch: batch

    async def _hand_on(self, batch: Batch) -> bool:
        self.handed.append(batch)
        if self.overtaken:  # the group assigned anew and everything was sought, before what is handed on is read
            self.flow.life, self._seeks, self._read_offset[EVENTS] = 2, 9, 100
        return True


async def deliver(start: int, to: int, seeks: int = 7, one: Delivering | None = None) -> list[tuple[int, int]]:
    one = one or Delivering()
    records: Any = [SimpleNamespace(offset=offset) for offset in range(start, to)]
    batches: Any = [Batch(EVENTS, start, to, records)]
    await BatchConsumer._deliver(cast("BatchConsumer", one), batches, seeks)
    return [(batch.start, batch.next) for batch in one.handed]


async def test_what_follows_is_handed_on() -> None:
    assert await deliver(100, 120) == [(100, 120)]


async def test_what_was_read_is_cut_off() -> None:
    assert await deliver(90, 120) == [(100, 120)]


async def test_a_hole_ends_the_worker() -> None:
    with pytest.raises(Gap, match=r"events-0: expected offset 100, got 101\.\.120"):
        await deliver(101, 120)


async def test_a_topic_that_begins_again_while_it_is_read_ends_the_worker() -> None:
    with pytest.raises(Gap, match="events-0: was read up to 100, now it goes on at 0"):
        await deliver(0, 50)


@pytest.mark.parametrize(("start", "to"), [(0, 50), (150, 160)])
async def test_what_was_fetched_before_a_seek_is_fetched_again(start: int, to: int) -> None:
    assert await deliver(start, to, seeks=6) == []


async def test_what_was_handed_on_while_the_group_assigned_anew_is_read_again() -> None:
    one = Delivering()
    one.overtaken = True
    assert await deliver(100, 120, one=one) == [(100, 120)]
    one.overtaken = False
    assert await deliver(100, 120, seeks=9, one=one) == [(100, 120), (100, 120)]


async def test_what_was_fetched_before_a_seek_and_follows_may_come_twice() -> None:
    one = Delivering()
    assert await deliver(100, 120, seeks=6, one=one) == [(100, 120)]
    assert await deliver(100, 120, one=one) == [(100, 120)]
    assert await deliver(120, 130, one=one) == [(100, 120), (120, 130)]
    with pytest.raises(Gap):
        await deliver(0, 50, one=one)


async def test_what_was_read_to_prove_the_last_record_is_handed_on() -> None:
    unread = unpack(EVENTS, fetched(1), ALL)
    last = next(unpack(EVENTS, fetched(1), ALL).records())
    proof = Resume(0, 1, Mark(last=0, print=fingerprint(last)))
    one: Any = SimpleNamespace(_proofs={EVENTS: proof})
    found: Any = BatchConsumer._proven(one, unread)
    assert (found.start, found.next, [record.offset for record in found.records]) == (1, SIZE, [*range(1, SIZE)])


class Channel:
    """What an agent reads, as Faust's conductor sees it."""

    key_type = value_type = None

    def __init__(self, queue: "FlowControlQueue[Batch]") -> None:
        self.queue, self.put = queue, queue.put

    async def decode(self, message: Any, **_: Any) -> Batch:
        return cast("Batch", message.value)


class Handing(Service):
    """A consumer whose agent's queue has room for some batches; it is Faust that puts them there."""

    _message, _is_over, _has_room = BatchConsumer._message, BatchConsumer._is_over, BatchConsumer._has_room

    def __init__(self, room: int) -> None:
        super().__init__()
        self.suspend_flow, self.flow_control = asyncio.Event(), FlowControlEvent(initially_suspended=False)
        self.queue = FlowControlQueue[Batch](room, flow_control=self.flow_control, clear_on_resume=True)
        self.on_buffer_full = self.on_buffer_drop = lambda _: None
        ignored: Any = SimpleNamespace(buffer=SimpleNamespace(wait_until_ebb=_at_once), on_topic_buffer_full=lambda _: None)
        self.app = SimpleNamespace(
            consumer=self, flow_control=self.flow_control, producer=ignored, sensors=ignored, consumer_generation_id=1,
            conf=faust.App("handing").conf,
        )  # fmt: skip
        channels: Any = {Channel(self.queue)}
        self.app.topics = SimpleNamespace(_tp_index={EVENTS: channels})
        conductor: Any = SimpleNamespace(app=self.app, _compiler=ConductorCompiler())
        self.callback: Any = Conductor._build_handler(conductor, EVENTS, channels)

    async def hand_on(self, number: int) -> bool:
        return await BatchConsumer._hand_on(cast("BatchConsumer", self), Batch(EVENTS, number, number + 1, []))


async def _at_once() -> None:
    pass


async def nobody_is_at_work() -> None:
    """Wait until no task is left that could still put something."""
    async with asyncio.timeout(10):
        while left := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(left)


async def test_a_batch_waits_for_room() -> None:
    one = Handing(room=1)
    assert await one.hand_on(1)
    waiting = asyncio.ensure_future(one.hand_on(2))
    assert one.queue.qsize() == 1
    assert [(await one.queue.get()).start, await waiting, (await one.queue.get()).start] == [1, True, 2]


async def test_what_waits_for_room_while_the_queue_is_cleared_does_not_come_behind_a_hole() -> None:
    one = Handing(room=2)
    for number in (1, 2):
        await one.hand_on(number)
    waiting = asyncio.ensure_future(one.hand_on(3))
    await asyncio.sleep(0.02)
    assert (await one.queue.get()).start == 1  # whoever reads is at work on it while the group takes the partition away
    one.suspend_flow.set()
    one.flow_control.suspend()
    one.flow_control.clear()
    assert not await waiting
    await nobody_is_at_work()
    assert one.queue.empty()


@pytest.mark.parametrize("end", ["suspend", "cancel", "crash"])
async def test_what_had_no_room_when_the_flow_ended_is_never_handed_on(end: str) -> None:
    one = Handing(room=1)
    await one.hand_on(1)
    waiting = asyncio.ensure_future(one.hand_on(2))
    await asyncio.sleep(0)
    ends: dict[str, Any] = {"suspend": one.suspend_flow.set, "cancel": waiting.cancel, "crash": one._crashed.set}
    ends[end]()
    if end == "cancel":
        with pytest.raises(asyncio.CancelledError):
            await waiting
    else:
        assert not await waiting
    await one.queue.get()
    await nobody_is_at_work()
    assert one.queue.empty()


async def test_a_consumer_that_ends_is_told_at_once() -> None:
    one = Handing(room=2)
    one._stopped.set()
    assert not await one.hand_on(1)


async def test_what_cannot_be_handed_on_ends_the_worker() -> None:
    one = Handing(room=2)

    async def broken(_: Batch) -> None:
        await one.queue.put(one.queue.get_nowait())

    one.callback = broken
    with pytest.raises(asyncio.QueueEmpty):
        await one.hand_on(1)
