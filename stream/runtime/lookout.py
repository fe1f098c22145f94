"""Looks at a worker once a second, from a thread of its own, and ends the process where something stands still."""

import threading
import time
from typing import TYPE_CHECKING, Any, cast

from faust.types import TP

from stream.runtime import stalls
from stream.runtime.fatal import die
from stream.runtime.stalls import Signs, Stalled, Stalls

if TYPE_CHECKING:
    from stream.runtime.consumer import BatchConsumer
    from stream.runtime.flow import Flow

EVERY_S = 1.0


class Lookout:
    """Watches from the start of an app on, its stop included; it needs neither the loop nor the consumer's thread."""

    def __init__(self, flow: "Flow") -> None:
        self._flow, self._stalls = flow, Stalls()
        self._stopping_at: float | None = None

    def start(self) -> None:
        """Begin to watch."""
        threading.Thread(target=self._watch, name="lookout", daemon=True).start()

    def _watch(self) -> None:
        while True:
            time.sleep(EVERY_S)
            try:
                reason = self.look(time.monotonic())
            except RuntimeError:  # what is looked at changed its size meanwhile
                continue
            except Exception as cause:  # noqa: BLE001 - a lookout that has gone blind would be the next silent hang
                die(cause)
            if reason is not None:
                die(Stalled(reason))

    def look(self, now: float) -> str | None:
        """Return why the process should end; None: all goes on."""
        if not self._flow.app.should_stop:
            return self._stalls.reason(self.signs(now))
        self._stopping_at = self._stopping_at or now
        stopping = now - self._stopping_at
        return f"the stop has not ended for {stopping:.0f} s" if stopping > stalls.LIMIT_S else None

    def signs(self, now: float) -> Signs:
        """Return what can be seen."""
        flow, consumer = self._flow, cast("BatchConsumer | None", self._flow.app._consumer)
        if consumer is None:
            return Signs(now)
        thread, progress = consumer._thread, flow.progress.copy()
        told = int(now) if now < flow.quota.until else 0
        long = flow.checkpoint.lock.locked() and flow.deadline.lasts_long(now)
        return Signs(
            now,
            dead=thread.dead() or self._dead_sender(),
            thread_at=thread.turned_at,
            beat_at=consumer.heartbeat_at,
            life=flow.life,
            assigned=flow.assigned,
            ready=flow.ready,
            restored=(flow.restored_rows, len(flow.running), int(now) if flow.building else 0),
            fetched={tp: at for tp, (_, at) in consumer.answers.copy().items()},
            ends={tp: end for tp, (end, _) in consumer.answers.copy().items()},
            applied={tp: progress[tp].applied for tp in flow.running.copy() if tp in progress},
            buffered=frozenset(TP(*tp) for tp in thread.buffered()),
            owes=flow.owes,
            checkpoints=flow.checkpoints,
            at_work=(flow.deadline.written, flow.prepared, told if long else 0),
            unsent=flow.outbox.waiting,
            acknowledged=flow.outbox.acknowledged,
            told=told,
        )

    def _dead_sender(self) -> str:
        producer = cast("Any", self._flow.app._producer)
        kafka = producer._producer if producer is not None else None
        sender = kafka._sender._sender_task if kafka is not None else None
        return "the producer's sender" if sender is not None and sender.done() else ""
