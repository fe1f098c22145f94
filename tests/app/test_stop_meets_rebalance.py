"""A stop that meets a rebalance hangs up in the thread that reads: in another, uvloop reads what is freed."""

import asyncio
import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest
from faust.transport.consumer import ThreadDelegateConsumer
from faust.transport.drivers import aiokafka as driver

from stream.runtime.consumer import BatchConsumer
from stream.runtime.member import Member
from stream.runtime.thread import BatchThread
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
            await asyncio.sleep(0.05 if name == "coordinator" else 0)  # it tells the group
            self.done.append((name, threading.get_ident()))
            if name == "client":
                raise ConnectionError

        return SimpleNamespace(close=close)

    def end(self) -> None:
        self.thread_loop.call_soon_threadsafe(self.thread_loop.stop)
        self.runs.join()
        self.thread_loop.close()


def test_connections_are_closed_by_the_thread_that_reads_from_them_once_the_group_knows() -> None:
    reading = Reading()
    try:
        for _ in range(2):
            Member.close(cast("Member", reading))
        wait_until(lambda: len(reading.done) >= 3, 10, "all of it")
    finally:
        reading.end()
    assert [name for name, _ in reading.done] == ["coordinator", "client", "fetcher"]
    assert {thread for _, thread in reading.done} == {reading.runs.ident}
    assert reading._consumer._closed


def test_a_thread_that_has_ended_has_nothing_to_close() -> None:
    reading = Reading()
    reading.end()
    Member.close(cast("Member", reading))
    assert reading.done == []


async def test_a_thread_ends_once_what_it_began_to_close_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def stop(_: object) -> None:
        told.append("thread")

    async def close() -> None:
        await asyncio.sleep(0)
        told.append("closed")

    told: list[str] = []
    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "on_thread_stop", stop)
    thread = Member.__new__(Member)
    thread._closing = asyncio.ensure_future(close())
    await thread.on_thread_stop()
    assert told == ["closed", "thread"]


async def test_a_thread_that_has_not_begun_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    async def stop(_: object) -> None:
        told.append("thread")

    told: list[str] = []
    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "on_thread_stop", stop)
    await BatchThread.__new__(BatchThread).on_thread_stop()
    assert told == ["thread"]


def test_what_faust_closes_is_closed_so() -> None:
    assert BatchThread.close is Member.close
    assert BatchConsumer.close is ThreadDelegateConsumer.close, "it closes its thread"


@pytest.mark.parametrize(("instance", "told"), [("one", ["left", "forgotten"]), (None, ["aiokafka"])])
async def test_a_static_member_leaves_where_aiokafka_lets_others_leave(instance: str | None, told: list[str]) -> None:
    """That is once its tasks have ended: none of them can join again."""
    done: list[str] = []

    class Leaving(Member):
        def __init__(self) -> None: ...

        def _ensure_consumer(self) -> Any:
            return SimpleNamespace(_coordinator=coordinator)

        async def _leave_group(self) -> None:
            done.append("left")

    async def usual() -> None:
        done.append("aiokafka")

    coordinator = SimpleNamespace(
        _group_instance_id=instance, _maybe_leave_group=usual, reset_generation=lambda: done.append("forgotten")
    )
    Leaving().says_goodbye(coordinator)
    await coordinator._maybe_leave_group()
    assert done == told
