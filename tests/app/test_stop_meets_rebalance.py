"""A stop that meets a rebalance hangs up in the thread that reads: in another, uvloop reads what is freed."""

import asyncio
import threading
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any, cast

from stream.runtime.thread import BatchThread
from tests.brokers import wait_until


class Reading:
    """As much of a consumer thread as closing touches, on a loop that runs in a thread of its own."""

    _close = staticmethod(BatchThread._close)

    def __init__(self) -> None:
        self.thread_loop = asyncio.new_event_loop()
        self.runs = threading.Thread(target=self.thread_loop.run_forever)
        self.closed_in: dict[str, int | None] = {}
        parts = {f"_{name}": self._part(name) for name in ("client", "coordinator", "fetcher")}
        self._consumer = SimpleNamespace(_closed=False, **parts)
        self.runs.start()

    def _part(self, name: str) -> SimpleNamespace:
        async def close() -> None:
            self.closed_in[name] = threading.get_ident()
            if name == "client":
                raise ConnectionError

        return SimpleNamespace(close=close)

    def add_future(self, closing: Coroutine[Any, Any, None]) -> None:
        self.closing = asyncio.ensure_future(closing)

    def end(self) -> None:
        self.thread_loop.call_soon_threadsafe(self.thread_loop.stop)
        self.runs.join()
        self.thread_loop.close()


async def test_connections_are_closed_by_the_thread_that_reads_from_them() -> None:
    reading = Reading()
    try:
        BatchThread.close(cast("BatchThread", reading))
        wait_until(lambda: len(reading.closed_in) == 3, 10, "all three parts closed")
    finally:
        reading.end()
    assert set(reading.closed_in.values()) == {reading.runs.ident}
    assert reading._consumer._closed


def test_a_thread_that_has_ended_has_nothing_to_close() -> None:
    reading = Reading()
    reading.end()
    BatchThread.close(cast("BatchThread", reading))
    assert reading.closed_in == {}
