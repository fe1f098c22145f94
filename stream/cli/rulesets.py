"""The rulesets of an installation, asked of Kafka alone: what is in force where, and putting another in force everywhere."""

import asyncio
import time
import tomllib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from stream.cli.connections import admin_client, consumer_client, producer_client, read_to_end, require_topic
from stream.domain import editions
from stream.domain.editions import MAX_TEXT, Edition, loaded
from stream.domain.head import EPOCH_BITS, OFFSETS
from stream.domain.log import Deployment, decode, encode, is_deployment
from stream.domain.ownrows import RULESET
from stream.domain.ruleset.model import Ruleset
from stream.errors import UsageError
from stream.ops import group
from stream.runtime.resume import MARK_KEY, Mark, read_mark, read_mark_row
from stream.runtime.topics import changelog
from stream.settings import Settings

LOOK_S = 0.2


@dataclass(frozen=True)
class Commits:
    """How far people and the partitions of `events` are committed, and under which ruleset; absent: not at all.

    That of people is a position: their offset behind the epoch of their log. `read` are the partitions of `events` of which
    nothing is left to be read, where that was asked.
    """

    people: tuple[int, Mark] | None
    events: dict[int, tuple[int, Mark]]
    partitions: int
    read: frozenset[int] = frozenset()

    def behind(self, place: int) -> dict[str, int]:
        """Return where what came at a place in the log is not in force yet, and how far that is committed."""
        found = {f"events {n}": self.events.get(n, (-1, Mark())) for n in range(self.partitions)}
        behind = {name: offset for name, (offset, mark) in found.items() if mark.place < place}
        people = -1 if self.people is None else self.people[0]
        return behind if people >= place else {"people": people, **behind}

    def are_under(self, rules: Ruleset) -> bool:
        """Tell whether people judge by a ruleset."""
        return self.people is not None and self.people[1].rules == rules.hash

    def place_of(self, rules: Ruleset, coming: Edition | None) -> int | None:
        """Return the place at which a ruleset stands in the log as the last one; None: it has to be appended.

        `coming` is what people have not read yet. Partitions of `events` that judge by other rules than people do, though they
        are not behind or nothing is left to be read, began with another worker's file, or lost what was passed on: then it has
        to be passed on once more.
        """
        if coming is not None:
            return coming.place if coming.text == rules.text else None
        if self.people is None or not self.are_under(rules):
            return None
        place = self.people[1].place
        lost = any(n in self.read and mark.place < place for n, (_, mark) in self.events.items())
        strays = any(mark.place >= place and mark.rules != rules.hash for _, mark in self.events.values())
        return None if lost or strays else place


@dataclass
class Tables:
    """What the tables say of how far they go: the embedded broker keeps no word beside a commit."""

    app: str
    consumer: AIOKafkaConsumer
    _marks: dict[TopicPartition, Mark] = field(default_factory=dict)

    async def marks(self, places: list[TopicPartition]) -> dict[TopicPartition, Mark]:
        """Read on to the end of the changelogs and return the newest mark of each place."""
        tables = {self._table(tp): tp for tp in places}
        if not self.consumer.assignment():  # once: aiokafka may never stop one that was just assigned anew
            self.consumer.assign(list(tables))
        while found := await self.consumer.getmany(timeout_ms=300):
            for table, records in found.items():
                place = tables[table]
                key = MARK_KEY + place.topic.encode()
                newest = [record.value for record in records if record.key == key and record.value is not None]
                if newest:
                    self._marks[place] = read_mark_row(newest[-1])[1]
        return self._marks

    def _table(self, tp: TopicPartition) -> TopicPartition:
        name = "people" if tp.topic.endswith("people") else "visitors"
        return TopicPartition(changelog(self.app, name), tp.partition)


@dataclass
class Rulesets:
    """An installation's rulesets; make it with `rulesets_of`."""

    settings: Settings
    admin: AIOKafkaAdminClient
    producer: AIOKafkaProducer
    tables: Tables
    found_s: float = group.FOUND_S
    """How long it is waited for the broker that keeps the group's commits, and for those that take what is appended."""
    _places: list[TopicPartition] = field(default_factory=list)
    _base: int = 0

    @property
    def _people(self) -> TopicPartition:
        return TopicPartition(self.settings.topic("people"), 0)

    async def commits(self) -> Commits:
        """Ask what the group committed."""
        if not self._places:
            events = self.settings.topic("events")
            for topic in (events, self._people.topic):
                await require_topic(self.admin, topic)
            self._places = await group.partitions(self.admin, (events, self._people.topic))
        commits = await group.commits(self.admin, self.settings.app, self._places, self.found_s)
        marks = {tp: mark for tp, at in commits.items() if (mark := read_mark(at.metadata or "")) is not None}
        if len(marks) < len(commits):
            marks = await self.tables.marks(self._places) | marks
        found = {tp: (at.offset, marks.get(tp) or Mark()) for tp, at in commits.items()}
        people = found.pop(self._people, None)
        if people is not None:
            self._base = people[1].epoch << EPOCH_BITS
            people = self._base + people[0], people[1]
        return Commits(people, {tp.partition: at for tp, at in found.items()}, len(self._places) - 1)

    async def with_ends(self, commits: Commits) -> Commits:
        """Return them with what is read to its end: whatever people had passed on when they committed stood before that."""
        if await self.members() is None:
            return commits  # the embedded broker's idea of an end is the last batch's beginning; it keeps nothing to be lost
        places = [tp for tp in self._places if tp != self._people and tp.partition in commits.events]
        ends = await self.tables.consumer.end_offsets(places)
        return replace(commits, read=frozenset(tp.partition for tp in places if commits.events[tp.partition][0] >= ends[tp]))

    async def members(self) -> int | None:
        """Return how many workers there are; None where the broker does not tell."""
        return await group.members(self.admin, self.settings.app)

    async def in_force(self, own: Ruleset) -> Edition | None:
        """Return what is in force among people; None: nothing yet. The worker's own file may spare reading the table."""
        people = (await self.commits()).people
        mark = people[1] if people is not None else Mark()
        if mark.rules == own.hash:
            return Edition(mark.place, 0, own.text)
        newest = None
        async with consumer_client(self.settings) as consumer:
            async for record in read_to_end(consumer, changelog(self.settings.app, "people"), 1):
                if record.key == RULESET and record.value is not None:
                    found = editions.read(record.value).newest
                    newest = found if newest is None or found.place >= newest.place else newest
                    if newest.place == mark.place and loaded(newest.text).hash == mark.rules:
                        break  # the table may be large
        return newest

    async def coming(self, commits: Commits) -> Edition | None:
        """Return the last ruleset that stands in the log unread; None: there is none."""
        people, newest = self._people, None
        async with consumer_client(self.settings) as consumer:
            consumer.assign([people])
            first, end = (await consumer.beginning_offsets([people]))[people], (await consumer.end_offsets([people]))[people]
            consumer.seek(people, max(first, commits.people[0] & OFFSETS if commits.people is not None else first))
            while await consumer.position(people) < max(end, consumer.highwater(people) or 0):
                for record in (await consumer.getmany(people, timeout_ms=1000)).get(people, []):
                    if is_deployment(record.value or b""):
                        told = decode(record.value)
                        newest = Edition(self._base + record.offset + 1, 0, told.text) if isinstance(told, Deployment) else newest
        return newest

    async def append(self, rules: Ruleset, *, again: bool = False) -> int:
        """Append a ruleset to the log of people and return its place."""
        value = encode(Deployment(rules.text, again))
        sent = await self.producer.send_and_wait(self._people.topic, value, partition=self._people.partition)
        return self._base + int(sent.offset) + 1

    async def wait(self, place: int, patience_s: float, look: Callable[[int, int], None]) -> Commits:
        """Wait until what came at a place is in force everywhere; return how things stand then.

        Gives up when nothing of that got any further for `patience_s`. `look` hears how many places there are, and are behind.
        """
        moved, known = time.monotonic(), {"": 0}
        while True:
            commits = await self.commits()
            behind = commits.behind(place)
            look(commits.partitions + 1, len(behind))
            if behind != known:
                moved, known = time.monotonic(), behind
            if not behind or time.monotonic() - moved > patience_s:
                return commits
            await asyncio.sleep(LOOK_S)


def offset_of(place: int) -> int | None:
    """Return the offset in `people` of what came at a place; None: it was there from the beginning."""
    return (place & OFFSETS) - 1 if place else None


@asynccontextmanager
async def rulesets_of(settings: Settings, found_s: float = group.FOUND_S) -> AsyncIterator[Rulesets]:
    """Connect to an installation."""
    async with AsyncExitStack() as stack:
        admin = await stack.enter_async_context(admin_client(settings))
        producer = await stack.enter_async_context(producer_client(settings, found_s))
        consumer = await stack.enter_async_context(consumer_client(settings))
        yield Rulesets(settings, admin, producer, Tables(settings.app, consumer), found_s)


def require_deployable(rules: Ruleset, name: str) -> None:
    """Raise UsageError for a ruleset that says nothing, or whose text is too long to travel through the log."""
    if not tomllib.loads(rules.text.decode("utf-8-sig")):
        raise UsageError(f"{name} is empty, and would take every lead out of its stage: give it at least an [ruleset] id")
    if len(rules.text) > MAX_TEXT:
        raise UsageError(f"{name} has {len(rules.text)} bytes, a ruleset may have {MAX_TEXT}: shorten its comments and lists")
