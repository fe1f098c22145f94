"""Where the group is in the partitions it has just been given: aiokafka would ask for one after the other."""

import asyncio
from collections.abc import Collection
from types import SimpleNamespace
from typing import Any, cast

from aiokafka.consumer.fetcher import OffsetResetStrategy
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import TopicPartitionState
from aiokafka.structs import OffsetAndMetadata

from stream.runtime.thread import ask_at_once

NEVER = -1


class Assignment:
    """Partitions with what the group has committed of them; aiokafka's own coordinator answers what is asked."""

    def __init__(self, **committed: int) -> None:
        self._committed, self.questions = committed, list[set[str]]()
        self.commit_refresh_needed, self.was_asked = asyncio.Event(), asyncio.Event()
        self.states = {tp: TopicPartitionState(self) for tp in committed}

    def state_value(self, tp: str) -> TopicPartitionState:
        return self.states[tp]

    def requesting_committed(self) -> list[str]:
        return [tp for tp, state in self.states.items() if state._committed_futs]

    async def answer(self, coordinator: Any) -> None:
        while True:
            await self.commit_refresh_needed.wait()
            self.commit_refresh_needed.clear()
            await GroupCoordinator._maybe_refresh_commit_offsets(coordinator, self)

    async def asked(self, tps: Collection[str]) -> dict[str, OffsetAndMetadata]:
        self.questions.append(set(tps))
        self.was_asked.set()
        await asyncio.sleep(0)
        return {tp: OffsetAndMetadata(self._committed[tp], "") for tp in tps if self._committed[tp] != NEVER}


async def _positions(assignment: Assignment) -> dict[str, int | str]:
    """Return what aiokafka finds where its own questions would begin: a position, or `reset` to the first offset there is."""
    found: dict[str, int | str] = {}

    async def update(_assignment: Any, _node: int, tps: Collection[str]) -> bool:
        for tp in tps:
            state = assignment.states[tp]
            found[tp] = "reset" if state.awaiting_reset else cast("int", state.position)
        return True

    fetcher = SimpleNamespace(_update_fetch_positions=update, _default_reset_strategy=OffsetResetStrategy.EARLIEST)
    ask_at_once(fetcher)
    answering = asyncio.ensure_future(assignment.answer(SimpleNamespace(_do_fetch_commit_offsets=assignment.asked)))
    assert await asyncio.wait_for(fetcher._update_fetch_positions(assignment, 1, list(assignment.states)), 5)
    answering.cancel()
    return found


async def test_one_question_is_asked_for_all() -> None:
    assignment = Assignment(a=7, b=NEVER, c=0)
    assert await _positions(assignment) == {"a": 7, "b": "reset", "c": 0}
    assert assignment.questions == [{"a", "b", "c"}]


async def test_who_was_put_somewhere_is_not_asked_for_and_stays_there() -> None:
    assignment = Assignment(a=7, b=8)
    assignment.states["a"].seek(3)
    assert await _positions(assignment) == {"a": 3, "b": 8}
    assert assignment.questions == [{"b"}]


async def test_who_is_put_somewhere_while_it_is_asked_stays_there() -> None:
    assignment = Assignment(a=7, b=NEVER)
    asking = asyncio.ensure_future(_positions(assignment))
    await assignment.was_asked.wait()
    for state in assignment.states.values():
        state.seek(3)
    assert await asking == {"a": 3, "b": 3}


async def test_a_question_that_is_called_off_is_no_error() -> None:
    assignment = Assignment(a=7)
    fetcher = SimpleNamespace(_update_fetch_positions=None, _default_reset_strategy=OffsetResetStrategy.EARLIEST)
    ask_at_once(fetcher)
    asking = asyncio.ensure_future(cast("Any", fetcher)._update_fetch_positions(assignment, 1, ["a"]))
    await asyncio.sleep(0)
    asking.cancel()
    assert await asking is False
