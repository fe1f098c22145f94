"""A stop that meets a rebalance hangs up in the thread that reads: in another, uvloop reads what is freed."""

import asyncio
import threading
from types import SimpleNamespace
from typing import cast

from stream.runtime.member import Member
from tests.brokers import wait_until


class Reading:
    """As much of a consumer thread as closing touches, on a loop that runs in a thread of its own."""

    _begin_to_close, _close, _closing = Member._begin_to_close, Member._close, None

    def __init__(self) -> None:
        self.thread_loop = asyncio.new_event_loop()
        self.runs = threading.Thread(target=self.thread_loop.run_forever)
        self.done: list[tuple[str, int | None]] = []
        parts = {f"_{name}": self._part(name) for name in ("client", "coordinator", "fetcher")}
        self._consumer = SimpleNamespace(_closed=False, **parts)
        self.runs.start()

    def _part(self, name: str) -> SimpleNamespace:
        async def close() -> None:
            self.done.append((name, threading.get_ident()))
            if name == "client":
                raise ConnectionError

        return SimpleNamespace(close=close)

    async def _leave_group(self) -> None:
        await asyncio.sleep(0.05)
        self.done.append(("left", threading.get_ident()))

    def end(self) -> None:
        self.thread_loop.call_soon_threadsafe(self.thread_loop.stop)
        self.runs.join()
        self.thread_loop.close()


async def test_connections_are_closed_by_the_thread_that_reads_from_them_once_the_group_knows() -> None:
    reading = Reading()
    try:
        for _ in range(2):
            Member.close(cast("Member", reading))
        wait_until(lambda: len(reading.done) >= 4, 10, "all of it")
    finally:
        reading.end()
    assert [name for name, _ in reading.done] == ["coordinator", "left", "client", "fetcher"]
    assert {thread for _, thread in reading.done} == {reading.runs.ident}
    assert reading._consumer._closed


def test_a_thread_that_has_ended_has_nothing_to_close() -> None:
    reading = Reading()
    reading.end()
    Member.close(cast("Member", reading))
    assert reading.done == []
