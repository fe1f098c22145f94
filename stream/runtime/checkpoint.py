"""The checkpoint: outputs acknowledged, then the changelog, then the source offsets committed; or the process ends."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping

from faust.types import TP

from stream.runtime.deadline import Deadline
from stream.runtime.fatal import die
from stream.runtime.work import Part, Position, Work

Step = Callable[[str], Awaitable[None]]
Parts = Callable[[], Iterable[Part]]
Done = Callable[[list[Work], float], None]


class Checkpoint:
    """Makes durable what the partitions owe; Faust calls it wherever it commits: timer, revoke, stop.

    Strictly in this order, so that whatever the moment of a crash: a committed record's rows are in the changelog, and a row
    in the changelog has all its outputs in Kafka. What is repeated after a crash is skipped by the position in the row.
    """

    def __init__(
        self,
        parts: Parts,
        append: Callable[[Work], Awaitable[None]],
        commit: Callable[[Mapping[TP, Position]], Awaitable[None]],
        reach: Step,
        done: Done,
        deadline: Deadline,
    ) -> None:
        self._parts, self._append, self._commit, self._reach, self._done = parts, append, commit, reach, done
        self._deadline = deadline
        self.lock = asyncio.Lock()

    async def run(self) -> bool:
        """Make a checkpoint, also if the caller is cancelled; tell whether there was anything to do."""
        return await asyncio.shield(asyncio.ensure_future(self._guarded(self._parts, self._done)))

    async def write(self, some: Parts) -> bool:
        """Make one of some partitions only: nothing that is promised binds two of them together. `done` hears of whole ones."""
        return await asyncio.shield(asyncio.ensure_future(self._guarded(some, _told_nobody)))

    async def _guarded(self, parts: Parts, done: Done) -> bool:
        async with self.lock:
            try:
                return await self._deadline.hold(asyncio.ensure_future(self._run(parts, done)))
            except BaseException as cause:  # noqa: BLE001 - not to be survived, whatever it is: rows were taken and are nowhere
                die(cause)

    async def _run(self, parts: Parts, done: Done) -> bool:
        began = time.perf_counter()
        works = []
        for part in list(parts()):
            if part.owes:
                works.append(part.take())
                await asyncio.sleep(0)  # encoding rows is the loop's longest work: consistency is per partition only
        if not works:
            return False

        await self._reach("outputs")
        for work in works:
            for acknowledged in work.outputs:
                await acknowledged

        await self._reach("changelog")
        await asyncio.gather(*(self._append(work) for work in works))

        await self._reach("commit")
        await self._commit({tp: position for work in works for tp, position in work.positions.items()})

        await self._reach("done")
        done(works, time.perf_counter() - began)
        return True


def _told_nobody(_works: list[Work], _seconds: float) -> None:
    """Do nothing."""
