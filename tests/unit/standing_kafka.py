"""A Kafka for who measures lag: logs that hold so much, groups that have committed so much, and what does not answer."""

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import OffsetAndMetadata, OffsetAndTimestamp, TopicPartition
from aiokafka.errors import GroupCoordinatorNotAvailableError, NodeNotReadyError

from stream.ops import leaders
from stream.runtime.settled import COMMITS

LEADER, GONE = 1, 2
"""Brokers: the one that answers, and one that is named and does not."""


@dataclass
class StandingKafka:
    """What is there. `ends` by partition, `stable` where open transactions end them, `commits` by group and partition."""

    ends: dict[TopicPartition, int]
    commits: dict[str, dict[TopicPartition, int]] = field(default_factory=dict)
    stable: dict[TopicPartition, int] = field(default_factory=dict)
    stamp_ms: int = 0
    """When all records were appended."""
    leaderless: set[TopicPartition] = field(default_factory=set)
    frozen: set[TopicPartition] = field(default_factory=set)
    """Partitions whose leader does not answer."""
    homeless: set[str] = field(default_factory=set)
    """Groups whose commits nobody keeps at the moment."""
    mute: dict[str, int] = field(default_factory=dict)
    """Groups of which Kafka tells an error instead: aiokafka makes an empty answer of it."""
    refusals: int = 0
    """So many requests to any broker go to the one that is gone."""
    members: int = 1
    made: list["StandingConsumer"] = field(default_factory=list)
    asked: list[Collection[TopicPartition]] = field(default_factory=list)
    """Every question for ends, or for records by their time."""

    def admin(self, **_: object) -> "StandingAdmin":
        """Return a client to administer it."""
        return StandingAdmin(self)

    def consumer(self, isolation_level: str = "read_uncommitted", **_: object) -> "StandingConsumer":
        """Return a client to read it."""
        made = StandingConsumer(self, is_committed=isolation_level == "read_committed")
        self.made.append(made)
        return made

    def place(self, tp: TopicPartition) -> dict[str, Any]:
        """Describe a partition."""
        leader = -1 if tp in self.leaderless else GONE if tp in self.frozen else LEADER
        return {"partition": tp.partition, "leader": leader, "replicas": [LEADER], "isr": [LEADER]}


class Client:
    """What aiokafka's clients have in common: nothing is open here."""

    def __init__(self, kafka: StandingKafka) -> None:
        self.kafka, self.stopped = kafka, False
        self._client = SimpleNamespace(close=self._closed, _conns={})

    async def _closed(self) -> None: ...

    async def start(self) -> None: ...

    async def stop(self) -> None:
        self.stopped = True

    close = stop


class StandingAdmin(Client):
    """Administers."""

    async def list_topics(self) -> list[str]:
        self._ask_anyone()
        return sorted({tp.topic for tp in self.kafka.ends})

    async def describe_topics(self, names: Iterable[str]) -> list[dict[str, Any]]:
        self._ask_anyone()
        places = sorted(self.kafka.ends)
        return [{"topic": n, "partitions": [self.kafka.place(tp) for tp in places if tp.topic == n]} for n in names]

    async def describe_cluster(self) -> dict[str, Any]:
        self._ask_anyone()
        return {"cluster_id": "standing", "brokers": [{"node_id": LEADER}, {"node_id": GONE}]}

    async def list_consumer_groups(self, brokers: list[int]) -> list[tuple[str, str]]:
        if brokers == [GONE]:
            raise NodeNotReadyError
        return [(name, "consumer") for name in self.kafka.commits if name not in self.kafka.homeless]

    async def list_consumer_group_offsets(
        self, name: str, partitions: list[TopicPartition]
    ) -> dict[TopicPartition, OffsetAndMetadata]:
        self._require_home(name)
        if name in self.kafka.mute:
            return {}
        told = self.kafka.commits.get(name, {})
        return {tp: OffsetAndMetadata(told.get(tp, -1), "") for tp in partitions}

    async def describe_consumer_groups(self, names: list[str]) -> list[Any]:
        for name in names:
            self._require_home(name)
        members = [()] * self.kafka.members
        return [SimpleNamespace(groups=[(self.kafka.mute.get(name, 0), name, "", "", "", members) for name in names])]

    def _ask_anyone(self) -> None:
        if self.kafka.refusals:
            self.kafka.refusals -= 1
            raise NodeNotReadyError

    def _require_home(self, name: str) -> None:
        if name in self.kafka.homeless:
            raise GroupCoordinatorNotAvailableError


class StandingConsumer(Client):
    """Reads; one that reads what is committed only ends at the stable end."""

    def __init__(self, kafka: StandingKafka, *, is_committed: bool) -> None:
        super().__init__(kafka)
        self._is_committed = is_committed
        self._at: dict[TopicPartition, int] = {}

    async def beginning_offsets(self, places: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        await self._wait_for_leaders(places)
        return dict.fromkeys(places, 0)

    async def end_offsets(self, places: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        self.kafka.asked.append(places)
        await self._wait_for_leaders(places)
        return {tp: self._end(tp) for tp in places}

    async def offsets_for_times(self, moments: dict[TopicPartition, int]) -> dict[TopicPartition, OffsetAndTimestamp | None]:
        self.kafka.asked.append(moments)
        await self._wait_for_leaders(moments)
        stamp = self.kafka.stamp_ms
        return {tp: OffsetAndTimestamp(0, stamp) if at <= stamp and self._end(tp) else None for tp, at in moments.items()}

    def assign(self, places: Iterable[TopicPartition]) -> None:
        self._at = dict.fromkeys(places, 0)

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self._at[tp] = offset

    async def position(self, tp: TopicPartition) -> int:
        return self._at[tp]

    def highwater(self, tp: TopicPartition) -> int:
        return self.kafka.ends[tp]

    async def getmany(self, *places: TopicPartition, timeout_ms: int) -> dict[TopicPartition, list[Any]]:
        await asyncio.sleep(timeout_ms / 50_000)
        found = {}
        for tp in places or self._at:
            at, end = self._at[tp], self._end(tp)
            if at < end:
                found[tp] = [SimpleNamespace(offset=at, timestamp=self.kafka.stamp_ms, key=None, value=None)]
                self._at[tp] = at + 1
        return found

    def _end(self, tp: TopicPartition) -> int:
        end = self.kafka.ends[tp]
        return self.kafka.stable.get(tp, end) if self._is_committed else end

    async def _wait_for_leaders(self, places: Iterable[TopicPartition]) -> None:
        """Answer when all do: so does aiokafka."""
        if set(places) & (self.kafka.leaderless | self.kafka.frozen):
            await asyncio.Event().wait()


def of_one_installation(partitions: int = 2, records: int = 10) -> dict[TopicPartition, int]:
    """Return the ends of an installation's logs: so many records in each."""
    names = {"events": partitions, "wakes": partitions, "people": 1, "stage-changes": partitions, COMMITS: 1}
    return {TopicPartition(name, n): records if name != COMMITS else 0 for name, count in names.items() for n in range(count)}


def an_installation_that_is_well(monkeypatch: pytest.MonkeyPatch) -> StandingKafka:
    """Return a Kafka whose installation has read all, asked by `LagMeter`, in a hurry."""
    made = StandingKafka(of_one_installation())
    made.commits = {"leadstream": {tp: end for tp, end in made.ends.items() if tp.topic in {"events", "wakes", "people"}}}
    for name, client in (("AIOKafkaAdminClient", made.admin), ("AIOKafkaConsumer", made.consumer)):
        monkeypatch.setattr(f"stream.ops.meter.{name}", client)
    for name, seconds in (("TOGETHER_S", 0.05), ("ALONE_S", 0.05), ("AGAIN_S", 0.0)):
        monkeypatch.setattr(leaders, name, seconds)
    monkeypatch.setattr("stream.ops.group.AGAIN_S", 0.001)
    monkeypatch.setattr("stream.ops.meter.HEAR_S", 0.05)
    return made
