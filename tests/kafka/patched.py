"""`python -m tests.kafka.patched WHAT,WHAT worker`: a worker with something taken out of it, or done to it. For tests only."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.producer.sender import SendProduceReqHandler
from faust.types import TP

from stream.agents.telling import Telling
from stream.cli import main
from stream.runtime.batches import Batch, Unread
from stream.runtime.changelog import Changelogs
from stream.runtime.consumer import BatchConsumer
from stream.runtime.flow import Flow
from stream.runtime.partstore import PartStore
from stream.runtime.thread import BatchThread
from stream.runtime.watchdog import Watchdog

LOST, FACTS = 3, 20
"""The batch that is lost, and how many facts are handed on before a worker freezes itself."""


def lose_a_batch() -> None:
    """Lose a batch of `events` between the fetch and its delivery, as Faust does with one of an older generation."""
    take, count = BatchThread._take, [0]

    def lossy(self: BatchThread, fetcher: Any, active: Any) -> list[Unread]:
        batches = take(self, fetcher, active)
        kept = []
        for batch in batches:
            count[0] += batch.tp.topic.endswith("events")
            if count[0] == LOST:
                count[0] += 1
                sys.stderr.write(f"lost {batch.tp.partition} {batch.start} {batch.next}\n")
                continue
            kept.append(batch)
        return kept

    BatchThread._take = lossy  # type: ignore[method-assign]


def stop_slowly() -> None:
    """Take a second between the consumer's end and its thread's, as on a busy machine: long enough for a few heartbeats."""
    stop = BatchConsumer.on_stop

    async def slow(self: BatchConsumer) -> None:
        await stop(self)
        await asyncio.sleep(1)

    BatchConsumer.on_stop = slow  # type: ignore[method-assign]


def any_position() -> None:
    """Take whatever comes, wherever it starts."""
    deliver, accept = BatchConsumer._deliver, Flow.accept

    async def trusting(self: BatchConsumer, batches: Iterable[Unread], seeks: int) -> None:
        for batch in batches:
            self._read_offset[batch.tp] = batch.start
            await deliver(self, [batch], seeks)

    def trusted(self: Flow, batch: Batch | Unread) -> Batch | None:
        self.progress[batch.tp].applied = batch.start
        return accept(self, batch)

    BatchConsumer._deliver, Flow.accept = trusting, trusted  # type: ignore[method-assign]


def no_look_at_the_changelog() -> None:
    """Never mind who else writes the changelog."""

    async def check(_self: Changelogs, _lock: asyncio.Lock, _owned: Any) -> None:
        """Look at nothing."""

    def follow(self: Changelogs, tp: TP, offset: int, count: int) -> None:
        self._stores()[tp.topic].at[tp] = offset + count - 1

    Changelogs.check, Changelogs._follow = check, follow  # type: ignore[assignment, method-assign]


def last_row_counts() -> None:
    """Let the last record of a key count, as every table does whose rows have no position."""

    def load(self: PartStore, partition: int, records: Iterable[Any]) -> int:
        rows, count = self.part(partition), 0
        self.loads[partition] = self.loads.get(partition, 0) + 1
        for count, record in enumerate(records, 1):  # noqa: B007 - the last one is returned
            if record.value is None:
                rows.pop(record.key, None)
            else:
                rows[record.key] = record.value
        return count

    PartStore.load = load  # type: ignore[method-assign]


def no_watchdog() -> None:
    """Send on, however long this process stood still."""
    for name in ("check", "_exit", "_watch"):
        setattr(Watchdog, name, lambda *_: None)


def freeze_with_facts() -> None:
    """Stand still (SIGSTOP) with facts that are decided and not sent; once, where a file of this name is there.

    No checkpoint is on its way then, and once awake it sends no facts of what it reads then: it would catch up. Whatever else
    could see that it is late does so two seconds behind the facts, or not at all: the group, who writes its changelogs,
    aiokafka's patience.
    """
    hand_on, trigger, count, woken = Telling.hand_on, Path(os.environ["_FREEZE"]), [0], asyncio.Event()

    def later(act: Callable[..., Awaitable[None]]) -> Any:
        async def acting(*args: Any, **kwargs: Any) -> None:
            if woken.is_set():
                await asyncio.sleep(2)
            await act(*args, **kwargs)

        return acting

    def handing_on(self: Telling, part: Any, outs: Any) -> None:
        if woken.is_set():
            return
        self._flow.producer()._ensure_producer()._request_timeout_ms = 60_000
        hand_on(self, part, outs)
        count[0] += len(outs)
        if count[0] >= FACTS and trigger.exists() and not self._flow.checkpoint.lock.locked():
            trigger.unlink()
            os.kill(os.getpid(), signal.SIGSTOP)
            woken.set()

    Telling.hand_on = handing_on  # type: ignore[method-assign]
    for where, name in (
        (Changelogs, "append"), (Changelogs, "check"), (Flow, "on_revoked"), (BatchConsumer, "check_membership"),
    ):  # fmt: skip
        setattr(where, name, later(getattr(where, name)))


def freeze_in_the_producer() -> None:
    """Stand still with a request that is made and not sent; once, where a file of this name is there."""
    make, trigger = SendProduceReqHandler.create_request, Path(os.environ["_FREEZE"])

    def making(self: SendProduceReqHandler) -> Any:
        request = make(self)
        if any(tp.topic.endswith("lead-states") for tp in self._batches) and trigger.exists():
            trigger.unlink()
            os.kill(os.getpid(), signal.SIGSTOP)
        return request

    SendProduceReqHandler.create_request = making


def look_often() -> None:
    """Let the group hear of new partitions within a second, not five minutes; the producer learns of them as late as ever."""
    create = BatchThread._create_worker_consumer

    def creating(self: BatchThread, transport: Any) -> AIOKafkaConsumer:
        consumer = create(self, transport)
        consumer._client._metadata_max_age_ms = 1000
        return consumer

    BatchThread._create_worker_consumer = creating  # type: ignore[method-assign]


PATCHES: tuple[Callable[[], None], ...] = (
    lose_a_batch, any_position, no_look_at_the_changelog, last_row_counts, no_watchdog, freeze_with_facts,
    freeze_in_the_producer, stop_slowly, look_often,
)  # fmt: skip

if __name__ == "__main__":
    for patch in PATCHES:
        if patch.__name__ in sys.argv[1].split(","):
            patch()
    sys.argv = ["leadstream", *sys.argv[2:]]
    main()
