"""What the lookout sees of what takes long and goes on: rows of a slow checkpoint that Kafka acknowledges, a ruleset's steps."""

import asyncio
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import pytest
from faust.types import TP

from stream.runtime.checkpoint import Checkpoint
from stream.runtime.consumer import BatchConsumer
from stream.runtime.deadline import Deadline
from stream.runtime.flow import Flow
from stream.runtime.lookout import Lookout
from stream.runtime.quota import Quota
from stream.runtime.work import Work


class Worker:
    """As much of a flow as is looked at; its changelog acknowledges one batch of each append."""

    _append = Flow._append

    def __init__(self) -> None:
        never: Any = None
        self.deadline = Deadline(5.0)
        self.checkpoint = Checkpoint(never, never, never, never, never, self.deadline)
        self.changelogs, self.positions, self.faults = self, SimpleNamespace(rows=lambda _: []), self
        self.prepared = self.life = self.restored_rows = self.building = self.checkpoints = 0
        self.assigned = self.ready = self.owes = True
        self.running, self.progress = set[TP](), dict[TP, Any]()
        self.outbox, self.quota = SimpleNamespace(waiting=0, acknowledged=0), Quota()
        thread = SimpleNamespace(dead=lambda: "", turned_at=0.0, buffered=list)
        consumer = SimpleNamespace(_thread=thread, answers={}, heartbeat_at=0.0)
        self.app = SimpleNamespace(_consumer=consumer, _producer=None, should_stop=False)

    async def append(self, _work: Work, goes_on: Callable[[], None]) -> None:
        goes_on()

    async def reach(self, _step: str) -> None: ...

    async def write(self) -> None:
        await Flow._append(cast("Flow", self), Work(TP("log", 0)))


@pytest.mark.parametrize("slow", [True, False])
async def test_that_kafka_acknowledges_rows_is_seen_where_a_checkpoint_lasts_long(*, slow: bool) -> None:
    worker = Worker()
    worker.deadline._long_at = -1.0 if slow else float("inf")
    lookout = Lookout(cast("Flow", worker))
    before = lookout.signs(1.0).at_work
    await worker.write()
    assert (lookout.signs(2.0).at_work != before) == slow


def test_that_a_ruleset_is_prepared_is_seen() -> None:
    worker = Worker()
    lookout = Lookout(cast("Flow", worker))
    before = lookout.signs(1.0).at_work
    worker.prepared += 1
    assert lookout.signs(2.0).at_work != before


def test_that_kafka_said_to_wait_is_seen_as_long_as_it_said() -> None:
    worker = Worker()
    lookout = Lookout(cast("Flow", worker))
    worker.quota.until = 10.0
    told = [lookout.signs(now).told for now in (1.0, 2.0, 9.0, 10.0, 11.0)]
    assert len(set(told)) == 4
    assert told[-1] == told[-2]


@pytest.mark.parametrize("slow", [True, False])
async def test_a_checkpoint_that_a_quota_makes_long_goes_on(*, slow: bool) -> None:
    """Not a short one: an agent that stands still must be seen all the same where a quota makes others wait a little."""
    worker = Worker()
    worker.quota.until = 10.0
    worker.deadline._long_at = 0.5 if slow else float("inf")
    lookout = Lookout(cast("Flow", worker))
    assert lookout.signs(1.0).at_work == lookout.signs(2.0).at_work
    async with worker.checkpoint.lock:
        assert (lookout.signs(1.0).at_work != lookout.signs(2.0).at_work) == slow
        assert lookout.signs(11.0).at_work == lookout.signs(12.0).at_work


async def test_faust_logs_nothing_of_commits_that_are_not_its_own() -> None:
    asked = SimpleNamespace(verify_event_path=lambda *_: pytest.fail("Faust looked"))
    never = SimpleNamespace(sleep=asyncio.sleep, should_stop=False, assignment=lambda: {TP("people", 0)}, _thread=asked)
    never.verify_event_path = partial(BatchConsumer.verify_event_path, cast("BatchConsumer", never))
    await BatchConsumer.verify_all_partitions_active(cast("BatchConsumer", never))
