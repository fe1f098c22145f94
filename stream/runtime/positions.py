"""Where source partitions go on, and the mark that each commit leaves for whoever goes on behind it."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple, cast

import msgspec
from faust.types import TP

from stream.domain.head import EPOCH_BITS
from stream.runtime.misfits import OTHER_PREFIX, PARTITIONS, misfit
from stream.runtime.resume import (
    MARK_KEY,
    Found,
    Mark,
    Resume,
    mark_row,
    other_source,
    read_mark,
    read_mark_row,
    resume,
    write_mark,
)
from stream.runtime.ticks import Progress
from stream.runtime.work import Position

if TYPE_CHECKING:
    from aiokafka.structs import OffsetAndMetadata

    from stream.runtime.flow import Flow

log = logging.getLogger(__name__)

FOREIGN_COMMIT = (
    "%s-%d goes on at %d, as its table says: the commit at %d is no worker's; whoever reads in the name of our group %s "
    "needs a group of his own"
)
FRESH_S = 5.0
"""So long an answer counts: the group's commits are its new owner's alone, but Kafka may delete records meanwhile."""
Answer = tuple[Mapping[TP, "OffsetAndMetadata"], Mapping[TP, tuple[int, int]]]
"""What is committed, and the first and the next offset of sources and of their changelogs."""


class Asked(NamedTuple):
    """What Kafka was asked of sources, in which life of the group, and when (`time.monotonic()`)."""

    tps: frozenset[TP]
    life: int
    at: float
    answer: "asyncio.Future[Answer]"


class Positions:
    """Decides where source partitions of a flow go on, and marks how far they are; `rules` as of the flow."""

    def __init__(self, flow: "Flow", rules: Callable[[TP, int], tuple[str, int]]) -> None:
        self._flow, self._rules = flow, rules
        self._said: dict[TP, Mark] = {}
        """The mark with which each source partition went on: what an operator decided holds on, and its record is the last one
        read until another is: behind a transaction Kafka has a mark of its own, which is none."""
        self.unsaid: dict[TP, Position] = {}
        """Where sources stand by their table alone: who read them ended before the first commit."""
        self._asked: Asked | None = None

    def ask(self, tps: set[TP]) -> None:
        """Begin to ask Kafka for all that decides where sources go on.

        To ask for each once its rows are here would take 50 ms each time: the question waits behind a fetch.
        """
        answer = asyncio.ensure_future(self._ask(tps))
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may want to know it any more
        self._asked = Asked(frozenset(tps), self._flow.life, time.monotonic(), answer)

    async def _ask(self, tps: set[TP]) -> Answer:
        await self._count_partitions(tps)
        thread, changelogs = self._flow.consumer._thread, {cast("TP", self._flow.changelog_of(tp)) for tp in tps}
        return await thread.committed(tps), await thread.ends({*tps, *changelogs})

    async def _answer(self, tps: set[TP]) -> Answer:
        """Return what was asked already in this life and still counts, else ask."""
        asked = self._asked
        if asked is None or asked.life != self._flow.life or not tps <= asked.tps or time.monotonic() - asked.at > FRESH_S:
            self.ask(tps)
        return await asyncio.shield(cast("Asked", self._asked).answer)

    async def decide(self, tps: set[TP]) -> dict[TP, Resume]:
        """Decide where source partitions go on, nowhere if a rebalance begins meanwhile; raises `Misfit`."""
        flow, life = self._flow, self._flow.life
        await flow.faults.reach("seek")
        committed, ends = await self._answer(tps)
        found: dict[TP, Resume] = {}
        for tp in tps:
            changelog = cast("TP", flow.changelog_of(tp))
            at = committed.get(tp)
            mark = read_mark(at.metadata) if at is not None else None
            # building a fold may take seconds: the loop must turn meanwhile
            flow.building += 1
            state_at = await asyncio.to_thread(flow.tables[changelog.topic].position, tp.partition)
            flow.building -= 1
            if flow.life != life or not flow.assigned:
                return {}  # the group takes away or has assigned anew meanwhile: what is known of rows here is going
            found[tp] = resume(
                Found(
                    tp, None if at is None else at.offset, mark, self._stored(tp, changelog), state_at,
                    *ends[tp], flow.counts[tp.topic], flow.changelogs.last(changelog), ends[changelog][0],
                    tp.topic in flow.folds,
                )
            )  # fmt: skip
            if at is not None and mark is None and at.offset > found[tp].position:
                log.warning(FOREIGN_COMMIT, *tp, found[tp].position, at.offset, flow.app.conf.id)
            flow.progress[tp] = Progress(found[tp].position, mark.until if mark is not None else 0, ends[tp][1])
            said = found[tp].said
            proven = found[tp].mark or Mark()
            self._said[tp] = msgspec.structs.replace(
                said or Mark(), epoch=found[tp].epoch, last=proven.last, print=proven.print
            )  # fmt: skip
            self.unsaid.pop(tp, None)
            if at is None and said is not None:
                self.unsaid[tp] = Position(found[tp].position, said.last, said.print)
        return found

    def base(self, tp: TP) -> int:
        """Return what makes positions in rows of a partition's offsets: its epoch, above them."""
        said = self._said.get(tp)
        return 0 if said is None else said.epoch << EPOCH_BITS

    def rows(self, positions: Mapping[TP, Position]) -> list[tuple[bytes, bytes]]:
        """Return the rows that tell a changelog how far its sources are: a commit is deleted together with its topic."""
        return [(MARK_KEY + tp.topic.encode(), mark_row(at.next, self._mark(tp, at))) for tp, at in positions.items()]

    def offsets(self, positions: Mapping[TP, Position]) -> dict[TP, tuple[int, str]]:
        """Return what is to be committed: `{partition: (next offset, metadata)}`."""
        return {tp: (at.next, write_mark(self._mark(tp, at))) for tp, at in positions.items()}

    def _mark(self, tp: TP, at: Position) -> Mark:
        flow, said = self._flow, self._said.get(tp, Mark())
        if at.print:
            said = self._said[tp] = msgspec.structs.replace(said, last=at.last, print=at.print)
        changelog = cast("TP", flow.changelog_of(tp))
        rules, place = self._rules(tp, at.next)
        return Mark(
            flow.changelogs.last(changelog), flow.counts[tp.topic], said.last, said.print, rules,
            flow.progress[tp].history_until, place, said.epoch, said.turn, said.begin,
        )  # fmt: skip

    def _stored(self, tp: TP, changelog: TP) -> tuple[int, Mark] | None:
        flow = self._flow
        rows = flow.stores()[changelog.topic].part(changelog.partition)
        if other := other_source(rows, flow.sources):
            raise misfit(OTHER_PREFIX, app=flow.app.conf.id, topic=other)
        row = rows.get(MARK_KEY + tp.topic.encode())
        return None if row is None else read_mark_row(row)

    async def _count_partitions(self, assigned: set[TP]) -> None:
        """Ask how many partitions there are; those read must be as many as they should, at each assignment.

        The producer hears of new ones up to five minutes after the group, which has assigned them by then.
        """
        flow, counts = self._flow, self._flow.counts
        wanted = {topic: wanted for topic, (_, wanted) in flow.sources.items()}
        wanted |= {table: flow.sources[topic][1] for topic, (table, _) in flow.sources.items()}
        unknown = [topic for topic in {*counts, *wanted} if topic in wanted or not counts[topic]]
        found = await asyncio.gather(*map(flow.producer().partitions_for, unknown))  # one question: each takes its time alone
        for topic, partitions in zip(unknown, found, strict=True):
            counts[topic] = partitions
        for tp in assigned:
            counts[tp.topic] = max(counts[tp.topic], tp.partition + 1)
        for topic, expected in wanted.items():
            if counts[topic] != expected:
                raise misfit(PARTITIONS, topic=topic, partitions=counts[topic], wanted=expected)
