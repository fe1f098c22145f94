"""Where partitions go on is decided once an assignment, whoever asks at the same time."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from faust.types import TP

from stream.runtime.consumer import BatchConsumer
from stream.runtime.resume import Resume

FIRST, SECOND = TP("events", 0), TP("events", 1)


class Seeking:
    """As much of a consumer as seeks; deciding takes a turn of the loop."""

    _seek_those, _put = BatchConsumer._seek_those, BatchConsumer._put

    def __init__(self, *, overtaken: bool = False) -> None:
        self.moved: list[TP] = []
        self._overtaken = overtaken
        self._seeks, self._read_offset, self._proofs, self._seeking = 0, dict[TP, int](), dict[TP, Resume](), asyncio.Lock()
        self.flow = SimpleNamespace(sought=set(), positions=self, assigned=True, life=1)
        self._thread: Any = self

    async def decide(self, tps: set[TP]) -> dict[TP, Resume]:
        await asyncio.sleep(0)
        return {tp: Resume(7, 7) for tp in tps}

    async def move(self, positions: dict[TP, int]) -> None:
        self.moved += positions
        if self._overtaken:
            self.flow.life += 1

    def waiting(self) -> set[TP]:
        return {FIRST, SECOND}

    async def seek(self, only: set[TP] | None = None) -> None:
        await BatchConsumer.perform_seek(cast("BatchConsumer", self), only)


async def test_a_partition_that_went_on_is_not_put_back_by_the_end_of_the_recovery() -> None:
    consumer = Seeking()

    await asyncio.gather(consumer.seek({FIRST}), consumer.seek())

    assert sorted(consumer.moved) == [FIRST, SECOND]


async def test_a_seek_that_a_rebalance_overtakes_says_nothing_of_the_next_assignment() -> None:
    consumer = Seeking(overtaken=True)

    await consumer.seek()

    assert (consumer.flow.sought, consumer._read_offset) == (set(), {})
