"""`python -m tests.kafka.hanging WHAT worker`: a worker in which something will hang, once the file `_HANG` is there.

From then on the lookout's patience is short: how long it really is is tested apart.
"""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from aiokafka.conn import AIOKafkaConnection
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.producer.sender import Sender
from faust.transport.consumer import Consumer
from faust.types import TP

from stream.cli import main
from stream.runtime import stalls
from stream.runtime.changelog import Changelogs
from stream.runtime.consumer import BatchConsumer
from stream.runtime.faults import Faults
from stream.runtime.flow import Flow
from stream.runtime.lanes import Lane
from stream.runtime.recovery import BatchRecovery
from stream.runtime.thread import BatchThread

SHORT_S = 9.0
LATE_S = 0.7
TRIGGER = Path(os.environ.get("_HANG", "/nonexistent"))


def _due() -> bool:
    return TRIGGER.exists()


async def _until_due() -> None:
    while not _due():  # noqa: ASYNC110 - a file tells no event
        await asyncio.sleep(0.2)


async def _for_ever(*_: Any, **__: Any) -> Any:
    await asyncio.Event().wait()


def _hangs(owner: Any, name: str) -> None:
    """Let calls of a coroutine hang for ever."""
    real = getattr(owner, name)

    async def hanging(*args: Any, **kwargs: Any) -> Any:
        return await (_for_ever() if _due() else real(*args, **kwargs))

    setattr(owner, name, hanging)


def _ends(owner: Any, name: str, what: Callable[[], None] = lambda: None) -> None:
    """Let the task that runs a coroutine end without a word."""
    real = getattr(owner, name)

    async def ending(*args: Any, **kwargs: Any) -> Any:
        run = asyncio.ensure_future(real(*args, **kwargs))
        while not run.done():
            if _due():
                run.cancel()
                what()
                return None
            await asyncio.wait({run}, timeout=0.2)
        return run.result()

    setattr(owner, name, ending)


def fetcher_ends() -> None:
    _ends(Fetcher, "_fetch_requests_routine")


def fetch_is_never_answered() -> None:
    _hangs(Fetcher, "_proc_fetch_request")


def coordinator_ends() -> None:
    _ends(GroupCoordinator, "_coordination_routine")


def heartbeats_stop() -> None:
    _ends(GroupCoordinator, "_heartbeat_routine")


def heartbeat_is_never_answered() -> None:
    _hangs(GroupCoordinator, "_do_heartbeat")


def sender_ends() -> None:
    _ends(Sender, "_sender_routine")


def outputs_are_never_acknowledged() -> None:
    _hangs(Lane, "_send_all")


def rows_are_never_acknowledged() -> None:
    _hangs(Changelogs, "append")


def commit_hangs() -> None:
    _hangs(BatchThread, "write_offsets")


def commits_are_made_no_more() -> None:
    _ends(BatchConsumer, "commit")
    _hangs(BatchConsumer, "commit")


def delivery_ends() -> None:
    """End the task that takes batches out of the consumer thread."""
    _ends(BatchConsumer, "_drain_messages")


def thread_takes_nothing() -> None:
    _hangs(BatchThread, "_fetch_records")


def flow_stays_suspended() -> None:
    """Suspend delivery as a rebalance does, and never resume it."""
    real = BatchThread._turn

    async def turning(self: BatchThread) -> None:
        loop = self.parent_loop

        async def suspend() -> None:
            await _until_due()
            loop.call_soon_threadsafe(self.consumer.stop_flow)

        suspending = asyncio.ensure_future(suspend())
        await real(self)
        await suspending

    BatchThread._turn = turning  # type: ignore[method-assign]


def agent_ends() -> None:
    """Let an agent take a batch and never come back for the next."""
    _hangs(Flow, "room")


def thread_blocks() -> None:
    """Block the loop of the consumer thread."""
    real = BatchThread._turn

    async def turning(self: BatchThread) -> None:
        async def block() -> None:
            await _until_due()
            time.sleep(1000)  # noqa: ASYNC251 - that is what it is about

        blocking = asyncio.ensure_future(block())
        await real(self)
        await blocking

    BatchThread._turn = turning  # type: ignore[method-assign]


def loop_blocks() -> None:
    """Block the loop of the app."""
    real = Flow.on_ready

    def ready(self: Flow) -> None:
        real(self)
        asyncio.get_running_loop().call_later(0.2, block)

    def block() -> None:
        if _due():
            time.sleep(1000)
        asyncio.get_running_loop().call_later(0.2, block)

    Flow.on_ready = ready  # type: ignore[method-assign]


def rebalance_never_ends() -> None:
    """Hang in the middle of a rebalance that comes out of nothing."""
    _hangs(GroupCoordinator, "_do_rejoin_group")
    real = GroupCoordinator._do_heartbeat

    async def rejoining(self: Any) -> bool:
        if _due():
            self.request_rejoin()
            return True
        good: bool = await real(self)
        return good

    GroupCoordinator._do_heartbeat = rejoining


def revoke_never_ends() -> None:
    """Hang in Faust's part of a revoke."""
    _hangs(Consumer, "wait_empty")
    rebalance_never_ends()


def recovery_never_ends() -> None:
    """Hang in a recovery: nothing is loaded."""
    BatchRecovery._load = lambda self, event: None  # type: ignore[method-assign]  # noqa: ARG005
    TRIGGER.touch()


def stop_never_ends() -> None:
    _hangs(BatchConsumer, "on_stop")


def nobody_reads_the_log() -> None:
    """Block whoever writes to stderr, and the loop with it."""
    real, loop_block = sys.stderr.write, threading.Event()

    def write(text: str) -> int:
        if _due():
            loop_block.wait()
        return real(text)

    sys.stderr.write = sys.__stderr__.write = write  # type: ignore[method-assign, union-attr]
    loop_blocks()


# -- and what is no hang


def nothing() -> None:
    """Do nothing."""


def kafka_is_slow() -> None:
    """Let every answer of Kafka come late."""
    real = AIOKafkaConnection.send

    def slow(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        answer = real(self, request, *args, **kwargs)

        async def late() -> Any:
            answered = await answer
            await asyncio.sleep(LATE_S if _due() else 0)
            return answered

        return asyncio.ensure_future(late())

    AIOKafkaConnection.send = slow


def recovery_is_slow() -> None:
    """Load a little, stand still for less than the patience, and so on."""
    real = BatchRecovery._load
    TRIGGER.touch()

    def load(self: BatchRecovery, event: Any) -> None:
        real(self, event)
        time.sleep(LATE_S)

    BatchRecovery._load = load  # type: ignore[method-assign]


def recovery_never_starts() -> None:
    _restore(lambda: False)


def recovery_waits() -> None:
    """Wait as soon as two changelogs of visitors are restored, whatever came before and between."""
    restored = set[TP]()
    real = BatchRecovery._load

    def load(self: BatchRecovery, event: Any) -> None:
        real(self, event)
        restored.update(tp for tp in self.active_tps if tp.topic.endswith("visitors-changelog") and not self._left(tp))

    BatchRecovery._load = load  # type: ignore[method-assign]
    _restore(lambda: len(restored) < 2)


def _restore(goes_on: Callable[[], bool]) -> None:
    """Load batches as long as that is to go on; then wait."""
    real = Faults.reach

    async def reach(self: Faults, step: str) -> None:
        await real(self, step)
        if step == "recovery" and not goes_on():
            await _until_due()

    Faults.reach = reach  # type: ignore[method-assign]


HANGS: Mapping[str, Callable[[], None]] = {
    hang.__name__: hang
    for hang in (
        fetcher_ends, fetch_is_never_answered, coordinator_ends, heartbeats_stop, heartbeat_is_never_answered, sender_ends,
        outputs_are_never_acknowledged, rows_are_never_acknowledged, commit_hangs, commits_are_made_no_more, delivery_ends,
        thread_takes_nothing, flow_stays_suspended, agent_ends, thread_blocks, loop_blocks, rebalance_never_ends,
        revoke_never_ends, recovery_never_ends, stop_never_ends, nobody_reads_the_log, nothing, kafka_is_slow, recovery_is_slow,
        recovery_never_starts, recovery_waits,
    )
}  # fmt: skip


def _hurry() -> None:
    while not _due():
        time.sleep(0.1)
    stalls.LIMIT_S = SHORT_S
    stalls.DEAD_S = 1.0


if __name__ == "__main__":
    HANGS[sys.argv[1]]()
    threading.Thread(target=_hurry, daemon=True).start()
    sys.argv = ["leadstream", *sys.argv[2:]]
    main()
