"""The consumer: delivers batches without gaps, and every Faust commit is a checkpoint."""

# ruff: noqa: FBT001, FBT002 - Faust's and aiokafka's own methods and members, pinned by tests/contract

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from stream.runtime.batches import Batch, Unread, fingerprint
from stream.runtime.fatal import Gap, die
from stream.runtime.patience import Patience
from stream.runtime.resume import Resume, prove
from stream.runtime.thread import BatchThread

if TYPE_CHECKING:
    from stream.runtime.flow import Flow
    from stream.runtime.recovery import BatchRecovery, BatchTableManager

log = logging.getLogger(__name__)
POLL_S = 0.1
PAUSED_S = 0.005


class BatchConsumer(driver.Consumer):
    """Faust's consumer with three differences: batches, positions that must follow each other, commit = checkpoint."""

    _thread: BatchThread
    _seeks = 0
    heartbeat_at = 0.0
    """`time.monotonic()` of the last heartbeat the group's coordinator answered well."""
    answers: dict[TP, tuple[int, float]]
    """Where each source partition ended at its last fetch answer, and when that came (`time.monotonic()`)."""

    @property
    def flow(self) -> "Flow":
        """The app's flow."""
        return self.app.flow  # type: ignore[attr-defined, no-any-return]  # every app of ours has one

    @property
    def _recovery(self) -> "BatchRecovery":
        return cast("BatchTableManager", self.app.tables).recovery

    def _new_consumer_thread(self) -> BatchThread:
        self._proofs: dict[TP, Resume] = {}
        self._seeking = asyncio.Lock()
        self._twice: set[TP] = set()
        self.answers = {}
        thread, conductor = BatchThread(self, loop=self.loop, beacon=self.beacon), cast("Any", self.app.topics)
        self._patience = Patience(lambda: self.flow.patient, lambda tp: conductor._tp_index.get(tp, ()), thread.look_again)
        self.flow.taken = self._patience.on_taken
        return thread

    async def _drain_messages(self, fetcher: Any) -> None:
        stopped, fetcher_stopped = self._stopped.is_set, fetcher._stopped.is_set
        try:
            while not (stopped() or fetcher_stopped()):
                if not self.flow_active:
                    await self.wait(self.can_resume_flow.wait())
                active = self._recovery.in_turn(self._get_active_partitions())
                if not active:  # Faust sleeps a whole second here
                    await asyncio.sleep(PAUSED_S)
                    continue
                seeks = self._seeks
                fetched = await self._getmany(self._patience.wanted(active), POLL_S)
                self._patience.fetched()
                await self._deliver(cast("Iterable[Unread]", fetched), seeks)
                await asyncio.sleep(0)
        except self.consumer_stopped_errors:
            if not self.transport.app.should_stop:
                raise
        except asyncio.CancelledError:
            if not self.transport.app.should_stop:
                raise
        except BaseException as cause:  # noqa: BLE001 - whatever it is, nothing may be committed behind it
            die(cause)

    def on_buffer_full(self, tp: TP) -> None:
        """Fetch no more of a source for now; Faust goes on with it while others are restored."""
        if not self._is_changelog_tp(tp):
            self._get_active_partitions().discard(tp)
            self._buffered_partitions.add(tp)

    async def _deliver(self, batches: Iterable[Unread], seeks: int) -> None:
        """Hand on what follows; a batch is judged by its position alone, never by age or generation."""
        expected = self._read_offset
        for fetched in batches:
            if not self.flow_active:
                return  # a rebalance began behind the fetch; it ends in a seek
            tp, want = fetched.tp, expected[fetched.tp]
            if want is None or fetched.start > want:
                if seeks != self._seeks:
                    continue  # fetched before a seek, which makes the thread fetch again
                msg = f"{tp.topic}-{tp.partition}: expected offset {want}, got {fetched.start}..{fetched.next}"
                raise Gap(msg)
            if fetched.next <= want:
                # aiokafka begins anew where its position is no more; what came before a seek comes twice
                if seeks == self._seeks and fetched.next > fetched.start and tp not in self._twice:
                    msg = f"{tp.topic}-{tp.partition}: was read up to {want}, now it goes on at {fetched.start}"
                    raise Gap(msg)
                continue
            batch = self._proven(fetched.since(want))
            (self._twice.discard if seeks == self._seeks else self._twice.add)(tp)
            life = self.flow.life
            if not await self._hand_on(batch) or self.flow.life != life:
                return  # likewise; the seek may be over by now
            expected[tp] = batch.next

    async def _hand_on(self, batch: Batch | Unread) -> bool:
        """Put a batch into its agent's queue; False if the flow or the consumer stops before there is room.

        Where a queue is full Faust leaves a task behind that puts the batch there later, even when the queue was cleared since
        and what comes before it is gone.
        """
        while not self._has_room(batch.tp):
            await asyncio.sleep(PAUSED_S)
            if self._is_over():
                return False
        putting = asyncio.ensure_future(self.callback(self._message(batch)))
        try:
            await asyncio.sleep(0)
            if putting.done():  # nearly always; to wait for the first of four takes as long as to apply a dozen events
                putting.result()
            else:
                await self.wait_first(putting, self.suspend_flow.wait())
        finally:
            putting.cancel()
        return not self._is_over()

    def _has_room(self, tp: TP) -> bool:
        return not any(channel.queue.full() for channel in cast("Any", self.app.topics)._tp_index.get(tp, ()))

    def _is_over(self) -> bool:
        return self._stopped.is_set() or self._crashed.is_set() or self.suspend_flow.is_set()

    def _proven(self, batch: Unread) -> Batch | Unread:
        """Compare the record before the commit, if it is in here, and drop it."""
        proof = self._proofs.pop(batch.tp, None)
        if proof is None or proof.mark is None:
            return batch
        read = batch.read()
        if read.records:
            prove(batch.tp, proof.mark, read.records[0].offset, fingerprint(read.records[0]))
        return read.since(proof.position)

    def _message(self, batch: Batch | Unread) -> ConsumerMessage:
        return ConsumerMessage(
            batch.tp.topic, batch.tp.partition, batch.next - 1, 0.0, 0, None, None, cast("bytes", batch), None, 0, 0, batch.tp,
            generation_id=self.app.consumer_generation_id,
        )  # fmt: skip

    async def perform_seek(self, only: set[TP] | None = None) -> None:
        """Seek the source partitions that do not run yet to where they go on.

        One call after the other: what the first let run and read on, a second would put back.
        """
        async with self._seeking:
            await self._seek_those((self.waiting() if only is None else only) - self.flow.sought)

    async def _seek_those(self, tps: set[TP]) -> None:
        if not tps:
            return
        try:
            found = await self.flow.positions.decide(tps)
        except BaseException as cause:
            if isinstance(cause, asyncio.CancelledError):
                raise
            die(cause)
        if await self._put({tp: at.seek for tp, at in found.items()}):
            self._proofs.update({tp: at for tp, at in found.items() if at.mark is not None})
            self.flow.sought |= found.keys()

    async def _put(self, positions: Mapping[TP, int]) -> bool:
        """Seek; False where a rebalance began meanwhile: whoever holds the partitions then seeks anew, perhaps elsewhere."""
        flow, life = self.flow, self.flow.life
        self._seeks += 1
        await self._thread.move(positions)
        self._seeks += 1
        holds = flow.assigned and flow.life == life
        if holds:
            self._read_offset.update(positions)
        return holds

    def waiting(self) -> set[TP]:
        """Return the source partitions that do not run yet."""
        return {tp for tp in self.assignment() if not self._is_changelog_tp(tp) and tp not in self.flow.running}

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Seek changelog partitions."""
        await self._put(partitions)

    def on_answer(self, tp: TP, highwater: int, sent_ms: int) -> None:
        """Hear of a fetch answer: what the broker had when the request left lies below `highwater`."""
        self.answers[tp] = highwater, time.monotonic()
        self.flow.on_answer(tp, highwater, sent_ms)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Make the checkpoint first: Faust skips its own where a stop and a rebalance meet."""
        self.stop_flow()
        self.app.flow_control.suspend()
        self.app.flow_control.clear()
        await self.flow.on_revoked(let_go=self._thread.is_let_go())
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Start a life of the group with nothing owed."""
        self.heartbeat_at = time.monotonic()
        self._thread.left = False
        self.flow.on_assigned()
        if getattr(self.app.assignor, "moved", False) and not self.app.should_stop:
            await self.wait(self._thread.join_anew())  # a thread that is stopping does not answer any more
        await super().on_partitions_assigned(assigned, generation_id)

    async def check_membership(self) -> None:
        """Raise if this worker is in no group any more."""
        await self._thread.check_membership()

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Make a checkpoint; Faust's acknowledgements only say what is being worked on."""
        self._acked.clear()
        self._acked_index.clear()
        return await self.flow.checkpoint.run()

    async def write_offsets(self, offsets: Mapping[TP, tuple[int, str]]) -> None:
        """Commit `{partition: (next offset, metadata)}`."""
        await self._thread.write_offsets(offsets)

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Say nothing: Faust looks for commits and acknowledgements of its own, which a worker of ours never makes.

        After five minutes it would log, again and again, that nothing was committed. The lookout sees real hangs.
        """

    async def on_task_error(self, exc: BaseException) -> None:
        """End the process: Faust would commit what raised."""
        die(exc)

    async def on_stop(self) -> None:
        """Make the last checkpoint."""
        await super().on_stop()
        self.flow.outbox.stop()
