"""The consumer thread: fetches whole batches, seeks, commits, and knows when its requests left."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import ConsumerStoppedError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.types import TP

from stream.runtime.batches import ALL, MAX_RECORDS, Unread, take
from stream.runtime.ends import fetched_ends
from stream.runtime.hangup import hangs_up
from stream.runtime.member import Member
from stream.runtime.reaching import reaching

if TYPE_CHECKING:
    from stream.runtime.consumer import BatchConsumer

TURN_S = 0.5
FETCH_WAIT_MS = 50
"""Faust hard-codes 1,500: one fetch a broker is in flight, so idle partitions would hold up all others that long."""
FETCH_MIN_BYTES = 512 * 1024
"""Kafka answers at once when it has so much, else after the wait: a quiet worker costs half as much, and each hop takes up to
50 ms more. To fetch and hand on takes milliseconds of a core however little comes; of 20,000 events a second so much comes 25
times a second."""

REST_S = 0.02
"""While something fetched is not taken, the others are fetched so much later: aiokafka's 100 ms are a long time to wait behind
events, and no rest at all makes a request for each partition."""


class BatchThread(Member):
    """Faust's consumer thread with batches instead of records."""

    consumer: "BatchConsumer"
    turned_at = 0.0
    """`time.monotonic()` of the last turn of this thread's loop; 0 before the first."""
    _turning: "asyncio.Future[None] | None" = None
    """None before the start and where Kafka did not answer then."""

    async def on_start(self) -> None:
        """Start the consumer, watched from its first request on."""
        with reaching(self.consumer.app):
            await super().on_start()
        consumer = self._ensure_consumer()
        consumer._fetcher._prefetch_backoff = REST_S
        ask_at_once(consumer._fetcher)
        self._watch(consumer)
        self.says_goodbye(consumer._coordinator)
        self._turning = asyncio.ensure_future(self._turn())

    async def on_thread_stop(self) -> None:
        """End what was started."""
        if self._turning is not None:
            self._turning.cancel()
        await super().on_thread_stop()

    async def _turn(self) -> None:
        while True:
            self.turned_at = time.monotonic()
            self._know_topics()
            await asyncio.sleep(TURN_S)

    def _know_topics(self) -> None:
        """Ask what partitions there are while that is unknown of any topic that is read.

        aiokafka asks five minutes after a question that failed: that long would a group share nothing whose leader came up while
        its broker did.
        """
        consumer = self._ensure_consumer()
        known = consumer._client.cluster.partitions_for_topic
        if not all(known(topic) for topic in consumer._subscription.topics):
            consumer._client.force_metadata_update()

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
        consumer = hangs_up(super()._create_worker_consumer(transport))
        consumer._fetch_max_wait_ms, consumer._fetch_min_bytes = FETCH_WAIT_MS, FETCH_MIN_BYTES
        return consumer

    async def _fetch_records(
        self,
        consumer: Any,
        active_partitions: Any,
        timeout: float | None = None,  # noqa: ASYNC109 - Faust's
        max_records: int | None = None,
    ) -> Any:
        fetcher = consumer._fetcher
        if consumer._closed or fetcher._closed:
            raise ConsumerStoppedError
        with fetcher._subscriptions.fetch_context():
            while True:
                if fetcher._subscriptions.reassignment_in_progress:
                    await fetcher._subscriptions.wait_for_assignment()
                if not self.consumer.flow_active:  # a seek may come next: what is taken now would be dropped
                    return []
                if batches := self._take(fetcher, active_partitions):
                    return batches
                waiter = fetcher._create_fetch_waiter()
                done, _ = await asyncio.wait([waiter], timeout=timeout)
                if not done:
                    waiter.cancel()
                    return []
                if fetcher._closed:
                    raise ConsumerStoppedError

    def look_again(self) -> None:
        """Let a fetch that waits look at what is here already. May be called from any thread."""
        with suppress(RuntimeError):  # a thread that has ended waits for nothing
            self.thread_loop.call_soon_threadsafe(self._look)

    def _look(self) -> None:
        if self._consumer is not None and (fetcher := self._consumer._fetcher) is not None:
            for waiter in list(fetcher._fetch_waiters):
                fetcher._notify(waiter)

    def _take(self, fetcher: Any, active: Any) -> list[Unread]:
        batches: list[Unread] = []
        for tp in sorted(fetcher._records, key=lambda tp: tp.topic in self.consumer.flow.patient):
            if active is not None and tp not in active:
                if not fetcher._subscriptions.is_assigned(tp):
                    del fetcher._records[tp]
                continue
            fetched = fetcher._records[tp]
            if not hasattr(fetched, "_partition_records"):  # aiokafka's FetchError
                if batches:
                    break
                del fetcher._records[tp]
                fetcher._notify(fetcher._wait_consume_future)
                fetched.check_raise()
                continue
            if fetched.check_assignment(tp) and fetched.has_more():
                batches.append(take(tp, fetched, ALL if self.consumer._is_changelog_tp(tp) else MAX_RECORDS))
            if not fetched.has_more():
                fetcher._records.pop(tp, None)
                fetcher._notify(fetcher._wait_consume_future)
        return batches

    async def committed(self, tps: Iterable[TP]) -> dict[TP, OffsetAndMetadata]:
        """Return what the group committed, with its metadata; one request for all."""
        return cast("dict[TP, OffsetAndMetadata]", await self.call_thread(self._committed, {TopicPartition(*tp) for tp in tps}))

    async def _committed(self, tps: set[TopicPartition]) -> dict[TP, OffsetAndMetadata]:
        found = await self._ensure_consumer()._coordinator.fetch_committed_offsets(tps) if tps else {}
        return {TP(*tp): at for tp, at in found.items() if at.offset >= 0}

    async def ends(self, tps: Iterable[TP]) -> dict[TP, tuple[int, int]]:
        """Return the first and the next offset of each partition."""
        return cast("dict[TP, tuple[int, int]]", await self.call_thread(self._ends, [TopicPartition(*tp) for tp in tps]))

    async def _ends(self, tps: list[TopicPartition]) -> dict[TP, tuple[int, int]]:
        if not tps:
            return {}
        consumer = self._ensure_consumer()
        first, end = await asyncio.gather(consumer.beginning_offsets(tps), consumer.end_offsets(tps))
        end = await self._proven(end)
        return {TP(*tp): (first[tp], end[tp]) for tp in tps}

    async def _highwaters(self, partitions: Any) -> Any:
        return await self._proven(await super()._highwaters(partitions))

    async def _proven(self, ends: Any) -> Any:
        if getattr(self.consumer.app, "idempotent", True):  # Apache Kafka
            return ends
        return await fetched_ends(self._ensure_consumer()._client._bootstrap_servers, ends)

    async def move(self, positions: Mapping[TP, int]) -> None:
        """Seek."""
        await self.call_thread(self._move, positions)

    async def _move(self, positions: Mapping[TP, int]) -> None:
        for tp, offset in positions.items():
            self._ensure_consumer().seek(TopicPartition(*tp), offset)

    async def write_offsets(self, offsets: Mapping[TP, tuple[int, str]]) -> None:
        """Commit `{partition: (next offset, metadata)}`; raises instead of logging."""
        todo = {TopicPartition(*tp): OffsetAndMetadata(offset, meta) for tp, (offset, meta) in offsets.items()}
        await self.call_thread(self._ensure_consumer().commit, todo)

    def dead(self) -> str:
        """Name a part of aiokafka's consumer that has ended; "": none. May be asked from any thread."""
        if self._consumer is None or self._consumer._closed:
            return ""
        coordinator, fetcher = self._consumer._coordinator, self._consumer._fetcher
        parts = {
            "the fetcher": fetcher and fetcher._fetch_task,
            "the group's coordinator": coordinator and getattr(coordinator, "_coordination_task", None),
        }
        return next((name for name, task in parts.items() if task is not None and task.done()), "")

    def buffered(self) -> list[TopicPartition]:
        """Return the partitions of which fetched records wait. May be asked from any thread."""
        return list(self._consumer._fetcher._records) if self._consumer is not None and self._consumer._fetcher else []

    def _watch(self, consumer: Any) -> None:
        """Stamp good heartbeats, and fetches with the moment their request left."""
        beat, fetch = consumer._coordinator._do_heartbeat, consumer._fetcher._proc_fetch_request
        flow = self.consumer

        async def stamped_beat() -> bool:
            good = cast("bool", await beat())
            if good:
                flow.heartbeat_at = time.monotonic()
            return good

        async def stamped_fetch(assignment: Any, node_id: Any, request: Any) -> Any:
            sent_ms = int(time.time() * 1000)
            result = await fetch(assignment, node_id, request)
            if assignment.active:
                for topic, partitions in request.topics:
                    for partition, _, _ in partitions:
                        state = assignment.state_value(TopicPartition(topic, partition))
                        if state is not None and state.timestamp is not None and state.timestamp >= sent_ms:
                            flow.on_answer(TP(topic, partition), state.highwater, sent_ms)
            return result

        consumer._coordinator._do_heartbeat, consumer._fetcher._proc_fetch_request = stamped_beat, stamped_fetch


def ask_at_once(fetcher: Any) -> None:
    """Let aiokafka ask where the group is in all its partitions with one question: it asks for one after the other."""
    update = fetcher._update_fetch_positions

    async def at_once(assignment: Any, node_id: Any, tps: Any) -> Any:
        states = [assignment.state_value(tp) for tp in tps]
        unknown = [state for state in states if not state.has_valid_position and not state.awaiting_reset]
        try:
            found = await asyncio.gather(*(state.fetch_committed() for state in unknown))
        except asyncio.CancelledError:
            return False  # as aiokafka's own
        for state, committed in zip(unknown, found, strict=True):
            if state.has_valid_position or state.awaiting_reset:
                continue  # it was put somewhere meanwhile
            if committed.offset >= 0:
                state.reset_to(committed.offset)
            else:
                state.await_reset(fetcher._default_reset_strategy)
        return await update(assignment, node_id, tps)

    fetcher._update_fetch_positions = at_once
