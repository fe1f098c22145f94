"""From `stage-changes` to a webhook, as one consumer group: started again it goes on where it was."""

import asyncio
import logging
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import (
    AIOKafkaConsumer,
    AIOKafkaProducer,
    ConsumerRebalanceListener,
    OffsetAndMetadata,
    TopicPartition,
)
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from stream.errors import UnreachableError
from stream.ops import group
from stream.outbound.delivering import Delivering
from stream.outbound.letters import TopicLetters
from stream.outbound.meter import Meter
from stream.outbound.posting import Post
from stream.outbound.progress import Progress
from stream.outbound.waits import Waits
from stream.runtime.checksums import check_fast
from stream.runtime.hangup import hangs_up

logger = logging.getLogger(__name__)

COMMIT_S: Final = 1.0
ANSWER_S: Final = 5.0
"""So long it waits for the broker that keeps the commits: aiokafka would for ever, deaf to a stop."""
POLL_MS: Final = 200


@dataclass(frozen=True)
class Plan:
    """What is told from where; a process silent for `session_s` is dead; `once`: only what lies there at the start."""

    topic: str
    letters: str
    group: str
    patience_s: float
    session_s: float = 10.0
    once: bool = False


class Outbound(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """One process of it; several share the partitions."""

    def __init__(self, plan: Plan, client: dict[str, Any], post: Post, meter: Meter) -> None:
        """Take what aiokafka needs to connect, how to post, and what counts what waits."""
        self._plan, self._client, self._post, self._meter = plan, client, post, meter
        self._partitions: dict[TopicPartition, Delivering] = {}
        self._committed: dict[TopicPartition, OffsetAndMetadata] = {}
        self._ends: dict[TopicPartition, int] = {}
        self._stopping = False
        self._assignments = 0
        self._is_assigned = self._is_astray = self._is_unheard = False
        self._committed_at_s = 0.0
        self._waits = Waits(plan.session_s, for_ever=not plan.once)
        meter.watch(lambda: sum(each.waiting for each in self._partitions.values()))

    async def run(self) -> None:
        """Deliver until `stop`, with `once` until all is told; raises Gone."""
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        async with AsyncExitStack() as stack:
            self._admin = await _started(stack, AIOKafkaAdminClient(**self._client), "close")
            producer = await _started(stack, AIOKafkaProducer(**self._client, acks="all"), "stop")
            self._letters = TopicLetters(producer, self._plan.letters, self._meter)
            self._consumer = await _started(
                stack,
                self._consumer_of_group(),
                "stop",
            )
            stack.push_async_callback(self._end)
            self._consumer.subscribe([self._plan.topic], listener=self)
            while not (self._stopping or self._is_through()):
                await self._read_on()
                await self._commit_in_time()
                self._waits.look(self._lack(), asyncio.get_running_loop().time())
                if self._failure.done():
                    self._failure.result()

    def _consumer_of_group(self) -> AIOKafkaConsumer:
        check_fast()
        session_ms = int(self._plan.session_s * 1000)
        return AIOKafkaConsumer(
            **self._client,
            group_id=self._plan.group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=session_ms,
            heartbeat_interval_ms=max(100, session_ms // 4),
            fetch_max_wait_ms=100,
        )

    def stop(self) -> None:
        """End soon: what is told is committed, what is on its way will be told again."""
        self._stopping = True

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Hand partitions over: note how far they are."""
        self._is_assigned = False
        gone = [place for place in revoked if place in self._partitions]
        for place in gone:
            await self._partitions[place].stop()
        await self._commit()
        for place in gone:
            del self._partitions[place]
            self._committed.pop(place, None)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Take partitions over, from where the last one noted; aiokafka would only log what goes wrong here."""
        self._assignments += 1
        try:
            await self._take_over(list(assigned))
            self._is_assigned = True
        except Exception as error:  # noqa: BLE001 - it ends `run`
            if not self._failure.done():
                self._failure.set_exception(error)

    async def _take_over(self, places: list[TopicPartition]) -> None:
        if not places:
            return
        try:
            async with asyncio.timeout(ANSWER_S):
                notes = await group.anyone(lambda: group.commits(self._admin, self._plan.group, places))
        except TimeoutError as error:
            raise UnreachableError(self._silence) from error
        for place in places:
            note = notes.get(place)
            progress = Progress(note.offset, note.metadata) if note else Progress(0)
            self._partitions[place] = Delivering(progress, self._post, self._letters, self._plan.patience_s, self._failure)

    async def _read_on(self) -> None:
        """Read a little more of the partitions that have room."""
        if not self._is_assigned:
            await asyncio.sleep(POLL_MS / 1000)
            return
        if self._is_astray:
            self._go_back()
        full = [place for place, each in self._partitions.items() if each.progress.is_full]
        paused = self._consumer.paused()
        if resumed := [place for place in paused if place not in full]:
            self._consumer.resume(*resumed)
        if full := [place for place in full if place not in paused]:
            self._consumer.pause(*full)
        assignments = self._assignments
        found = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=500)
        if assignments == self._assignments and self._is_assigned:
            for place, records in found.items():
                each = self._partitions[place]
                each.progress.look(self._consumer.highwater(place))
                for record in records:
                    each.put(record)
        elif found:
            self._is_astray = True

    def _go_back(self) -> None:
        """Read again what came while partitions were handed over: nobody knew then what of it is told."""
        for place, each in self._partitions.items():
            self._consumer.seek(place, each.progress.end)
        self._is_astray = False

    @property
    def _silence(self) -> str:
        return f"Kafka does not answer for the group {self._plan.group}: see whether the broker that keeps its commits runs"

    def _lack(self) -> str:
        """Tell what is missing to read on and to note how far it is; "": nothing.

        A topic that is gone is asked for: aiokafka would do so in five minutes.
        """
        if not self._is_there():
            self._consumer._client.force_metadata_update()  # noqa: SLF001 - nothing public asks again
            return f"{self._plan.topic} is gone: make it anew (`leadstream topics`)"
        return "" if self._is_assigned and not self._is_unheard else self._silence

    def _is_there(self) -> bool:
        return bool(self._consumer.partitions_for_topic(self._plan.topic))

    def _is_through(self) -> bool:
        """Tell whether all that lay there at the start is told."""
        if not self._plan.once or not self._is_assigned or not self._partitions:
            return False
        return all(self._is_told(place, each.progress.position) for place, each in self._partitions.items())

    def _is_told(self, place: TopicPartition, position: int) -> bool:
        """Compare with the end, as the first answer says it: the embedded broker's idea of it is the last batch's beginning."""
        if place not in self._ends:
            end = self._consumer.highwater(place)
            if end is None:
                return False
            self._ends[place] = end
        return position >= self._ends[place]

    async def _commit_in_time(self) -> None:
        now_s = asyncio.get_running_loop().time()
        if now_s - self._committed_at_s >= COMMIT_S:
            self._committed_at_s = now_s
            await self._commit()

    async def _commit(self) -> None:
        """Note how far each partition is, where that changed; of a topic that is gone nothing, the next one has other facts."""
        there = {
            place: OffsetAndMetadata(each.progress.position, each.progress.note()) for place, each in self._partitions.items()
        }
        changed = {place: note for place, note in there.items() if self._committed.get(place) != note}
        if not changed or not self._is_there():
            return
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._consumer.commit(changed)
        except TimeoutError:
            self._is_unheard = True
            return
        except KafkaError as error:  # another has the partitions, and will tell these again; or Kafka is away
            logger.warning("not committed: %s", error)
        else:
            self._committed |= changed
        self._is_unheard = False

    async def _end(self) -> None:
        for each in self._partitions.values():
            await each.stop()
        await self._commit()
        if self._is_unheard:
            logger.warning("not committed, so what was told last comes again: %s", self._silence)


async def _started(stack: AsyncExitStack, client: Any, end: str) -> Any:
    stack.push_async_callback(getattr(hangs_up(client), end))
    await client.start()
    return client
