"""Restoring tables by whole batches, while the partitions that stayed here go on."""

import asyncio
import gc
import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from aiokafka.errors import IllegalStateError
from faust.tables.manager import TableManager
from faust.tables.recovery import RebalanceAgain, Recovery
from faust.types import TP
from mode import Service

from stream.runtime.fatal import Gap, Misfit, die
from stream.runtime.memory import give_back
from stream.runtime.partstore import PartStore
from stream.runtime.restoring import TELL_S, Restoring

if TYPE_CHECKING:
    import faust

    from stream.runtime.batches import Unread
    from stream.runtime.consumer import BatchConsumer
    from stream.runtime.flow import Flow

log = logging.getLogger(__name__)
WAIT_S = 1.0
AT_ONCE = 2
"""While one changelog's batch is loaded the other's is on its way."""
FEW_ROWS = 1000
"""Changelogs with so few rows left are read together: a fetch waits up to 50 ms, however little comes of it."""


class BatchRecovery(Recovery):
    """Faust's recovery, ended by a position (right with compacted logs), with strangers dropped and sources resumed last."""

    _life = 0
    """The life of the group that the recovery belongs to."""

    @property
    def flow(self) -> "Flow":
        """The app's flow."""
        return self.app.flow  # type: ignore[attr-defined, no-any-return]  # every app of ours has one

    @Service.task
    async def _slurp_changelogs(self) -> None:
        queue = self.tables.changelog_queue
        while not self.should_stop:
            self.signal_recovery_end.clear()
            try:
                event = await asyncio.wait_for(queue.get(), timeout=WAIT_S)
            except TimeoutError:
                self._end_if_complete()
                continue
            try:
                await self.flow.faults.reach("recovery")
                self._load(event)
                await self._go_on(event)
            except IllegalStateError:
                continue  # the partition is being taken away: a new recovery follows
            except Exception as cause:  # noqa: BLE001  # half a table is worse than none
                die(cause)
            self._end_if_complete()

    def _load(self, event: Any) -> None:
        batch: Unread = event.value
        tp = batch.tp
        if tp not in self.active_tps or event.message.generation_id != self.app.consumer_generation_id:
            return
        have = self.active_offsets[tp]
        if have >= self.active_highwaters[tp]:
            return  # what a partition that runs again writes itself
        if batch.start > have + 1:
            msg = f"changelog {tp.topic}-{tp.partition}: expected offset {have + 1}, got {batch.start}"
            raise Gap(msg)
        store = self._store(tp)
        loaded = store.load(tp.partition, batch.since(have + 1).records())
        store.at[tp] = self.active_offsets[tp] = max(have, batch.next - 1)
        self.flow.on_restored(loaded)

    @Service.task
    async def _publish_stats(self) -> None:
        """Tell how far it is: Faust's own numbers count single records, and warn of what our batches pass by."""
        while not self.should_stop:
            await self.sleep(TELL_S)
            if self.in_recovery and (restoring := self.flow.restoring) is not None:
                log.info(restoring.line())

    def _store(self, tp: TP) -> PartStore:
        return cast("PartStore", cast("faust.Table[bytes, bytes]", self.tp_to_table[tp]).data)

    def _end_if_complete(self) -> None:
        if self.in_recovery and not self.need_recovery():
            self._set_recovery_ended()
            self.signal_recovery_end.set()

    async def on_rebalance(self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0) -> None:
        """Start a recovery; nothing runs until it is known what stayed."""
        self.flow.running.clear()
        self.flow.sought.clear()
        self.flow.restoring, self.flow.restoring_since = None, time.monotonic()
        await super().on_rebalance(assigned, revoked, newly_assigned, generation_id)
        self._life = self.flow.life

    async def _wait(self, coro: Any, timeout: Any = None) -> None:  # noqa: ASYNC109 - Faust's
        """Wait as long as the partitions are ours: Faust lets all flow behind a revocation and a stop, too."""
        life = self._life
        if self._is_over(life):
            getattr(coro, "close", bool)()
            raise RebalanceAgain
        await super()._wait(coro, timeout)
        if self._is_over(life):
            raise RebalanceAgain

    def _is_over(self, life: int) -> bool:
        """Tell whether nothing of a life may run any more: the group takes away or has assigned anew, or the worker stops."""
        return not self.flow.assigned or self.flow.life != life or bool(self.app.should_stop)

    async def _build_offsets(self, consumer: Any, tps: set[TP], destination: Any, title: str) -> None:
        """Find behind what to read; a changelog that ends before what is here was made anew, or lost its tail.

        Faust crashes of it, with advice about RocksDB. Asked is once more: a broker that has just begun may know no topic yet.
        """
        await super()._build_offsets(consumer, tps, destination, title)
        behind = {tp: destination[tp] for tp in tps if title == "active" and destination[tp] > self.active_highwaters[tp]}
        if behind:
            try:
                await self.flow.changelogs.require_whole(behind)
            except Misfit as cause:
                die(cause)

    async def _seek_offsets(self, consumer: Any, tps: set[TP], offsets: Mapping[TP, int], title: str) -> None:
        """Seek the changelogs behind what is known (Faust reads one again); flow is still suspended."""
        if title == "active":
            self.flow.restoring = Restoring(self.active_remaining_total(), self.active_remaining_total)
            self.flow.positions.ask(self.flow.consumer.waiting())
        if tps:
            await consumer.seek_wait({tp: max(0, offsets[tp] + 1) for tp in tps})
        if title == "active" and self.need_recovery() and (ready := self._complete(consumer)):
            await self._resume(ready)  # fetched as soon as the recovery resumes the flow
            log.info("kept: %d partitions go on while the others are restored", len(ready))

    async def _go_on(self, event: Any) -> None:
        """Let a partition go on whose rows are here now; the last ones go on with the end of the recovery."""
        changelog = event.value.tp
        if changelog in self.active_tps and self.in_recovery and self.need_recovery() and not self._left(changelog):
            ready = {tp for tp in self._complete(self.flow.consumer) if self.flow.changelog_of(tp) == changelog}
            if ready := ready - self.flow.running:
                await self._resume(ready)

    async def _resume(self, ready: set[TP]) -> None:
        consumer, life = self.flow.consumer, self._life
        if not self._is_over(life):
            await consumer.perform_seek(ready)
        if not self._is_over(life):
            self.flow.running |= ready
            consumer.resume_partitions(ready)

    def in_turn(self, active: set[TP]) -> set[TP]:
        """Return what is to be read now: short changelogs, and two others, the shortest, so that their partitions go on soon."""
        if not self.in_recovery:
            return active
        left = {tp: self._left(tp) for tp in active & self.active_tps}
        turn = sorted((tp for tp in left if left[tp]), key=lambda tp: (left[tp], tp))
        short = sum(left[tp] <= FEW_ROWS for tp in turn)
        return (active - self.active_tps).union(turn[: short + AT_ONCE])

    def _left(self, changelog: TP) -> int:
        return max(0, self.active_highwaters[changelog] - self.active_offsets[changelog])

    def _complete(self, consumer: "BatchConsumer") -> set[TP]:
        """Return the source partitions whose changelog has nothing left to read."""
        offsets, ends = self.active_offsets, self.active_highwaters
        complete = set()
        for tp in consumer.assignment():
            changelog = self.flow.changelog_of(tp)
            if changelog in self.active_tps and offsets[changelog] is not None and offsets[changelog] >= ends[changelog]:
                complete.add(tp)
        return complete

    async def on_recovery_completed(self, generation_id: int = 0) -> None:
        """Seek first, resume the sources last: Faust does it the other way round while flow is active.

        Flow is resumed only if it is suspended: resuming clears every queue, also those of partitions that run.
        """
        app, consumer, life = self.app, self.app.consumer, self._life
        for tp in self.active_tps:
            if (have := self.active_offsets.get(tp)) is not None:  # else of a rebalance that has just begun: nobody knows yet
                self._store(tp).at.setdefault(tp, have)
        await app.on_rebalance_complete.send()
        self._set_recovery_ended()
        for table in self.tables.values():
            await table.on_recovery_completed(self.actives_for_table[table], self.standbys_for_table[table])
        assignment = consumer.assignment()
        if app.consumer_generation_id != generation_id:
            return  # another rebalance: a new recovery follows
        if assignment:
            await self._wait(consumer.perform_seek(), timeout=app.conf.broker_request_timeout)
        if self._is_over(life):
            return
        self.completed.set()
        if not app.flow_control.is_active():
            app.flow_control.resume()
        consumer.resume_flow()
        sources = {tp for tp in assignment if not self._is_changelog_tp(tp)}
        consumer.resume_partitions(sources)
        self.flow.running |= sources
        self.flow.on_ready()
        await cast("faust.App", app)._fetcher.maybe_start()  # a revocation may come meanwhile, and clear what runs
        self.tables.on_actives_ready()
        self.tables.on_standbys_ready()
        app.on_rebalance_end()
        gc.freeze()
        await asyncio.to_thread(give_back)  # takes a tenth of a second a gigabyte


class BatchTableManager(TableManager):
    """Faust's table manager with our recovery and without a sleep of a second: the conductor waits for tables itself."""

    async def on_start(self) -> None:
        """Register the tables and start the recovery service."""
        await self._update_channels()
        await self.recovery.start()

    @property
    def recovery(self) -> BatchRecovery:
        """The recovery service."""
        if self._recovery is None:
            self._recovery = BatchRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return cast("BatchRecovery", self._recovery)
