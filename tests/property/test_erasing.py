"""Erased at any point, whatever workers crash, wake up and repeat: nothing from before counts, and lives start at zero."""

import asyncio
import json
from collections import defaultdict
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.domain.ids import lead_id
from stream.domain.instants import parse
from stream.domain.log import Erase, decode
from stream.runtime.producer import partition_of
from tests.crashing import PARTITIONS, World, places, tags_of
from tests.told import DAY, SECOND

NODES = ["user::1", "user::2", "email::x@acme.example", "anon::a", "anon::b", "anon::c"]
nodes = st.sampled_from(NODES)
steps = st.one_of(
    st.tuples(
        st.just("happen"),
        nodes,
        st.lists(st.sampled_from(NODES[2:]), max_size=2, unique_by=lambda node: node[0]),
        st.sampled_from([0, 0, 0, SECOND, DAY]),
    ),
    st.tuples(st.just("again"), st.integers(0, 40)),
    st.tuples(st.just("erase"), st.sampled_from([*NODES, lead_id("user::1")])),
    st.tuples(st.just("read"), st.sampled_from(places()), st.integers(1, 3)),
    st.tuples(st.just("drain")),
    st.tuples(st.just("checkpoint")),
    st.tuples(st.just("crash"), st.integers(0, 4)),
    st.tuples(st.just("freeze")),
    st.tuples(st.just("wake_zombies")),
    st.tuples(st.just("repeat"), st.integers(0, 60)),
)


class Story:
    """A world, and what happened in it."""

    def __init__(self) -> None:
        self.world = World()
        self.happened: list[tuple[str, list[str], str]] = []

    def do(self, what: str, *how: Any) -> None:
        getattr(self, what)(*how)

    def happen(self, node: str, names: list[str], ago_ms: int) -> None:
        links = [name for name in names if name != node] if node.startswith("user") else []
        self.happened.append((node, links, self.world.happen(node, *links, ago_ms=ago_ms)))

    def again(self, which: int) -> None:
        if self.happened:
            node, names, message = self.happened[which % len(self.happened)]
            self.world.happen(node, *names, message=message)

    def repeat(self, which: int) -> None:
        """Let somebody send a record of `people` a second time."""
        log = self.world.kafka.all("people")
        self.world.kafka.append("people", 0, None, log[which % len(log)].value)

    def read(self, place: tuple[str, int], most: int) -> None:
        self.world.worker.read(*place, most)

    def checkpoint(self) -> None:
        self.world.worker.checkpoint()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.world, name)


class Expected:
    """What the logs of `events` alone say must count."""

    def __init__(self, world: World) -> None:
        self.tags: dict[str, set[str]] = defaultdict(set)
        self.letters: set[tuple[int, int]] = set()
        self.erased: dict[str, tuple[int, int]] = {}
        """The newest erasure of a node: place and instant."""
        self.links: dict[str, list[int]] = defaultdict(list)
        self._seen: dict[str, set[str]] = defaultdict(set)
        for partition in range(PARTITIONS):
            for record in [r for tp, log in world.kafka.logs.items() if tp == ("events", partition) for r in log]:
                if record.headers:
                    self._erase(record, partition)
                else:
                    self._count(record, partition)

    def _erase(self, record: Any, partition: int) -> None:
        told = decode(record.value)
        if isinstance(told, Erase):
            for node in told.nodes:
                new = told.place > self.erased.get(node, (0, 0))[0]
                if new and partition_of(node.encode(), PARTITIONS) == partition:
                    self.tags[node], self.erased[node] = set(), (told.place, told.r)

    def _count(self, record: Any, partition: int) -> None:
        event, node = json.loads(record.value), record.key.decode()
        t, message = parse(event["timestamp"]), event["messageId"]
        ids = {f"anon::{event['anonymousId']}"} if "anonymousId" in event else set()
        ids |= {f"{one['type']}::{one['id']}" for one in event["context"]["externalIds"]}
        for one in ids | {node} if ids - {node} else ():
            self.links[one].append(t)
        if node in self.erased and t < self.erased[node][1]:
            self.letters.add((partition, record.offset))
        elif message not in self._seen[node]:
            self._seen[node].add(message)
            self.tags[node].add(message)


@settings(deadline=None, max_examples=150)
@given(st.lists(steps, min_size=8, max_size=30))
def test_nothing_from_before_an_erasure_counts_and_nothing_else_is_lost(story: list[tuple[Any, ...]]) -> None:
    asyncio.run(_tell(story))


async def _tell(steps: list[tuple[Any, ...]]) -> None:
    story = Story()
    for step in steps:
        story.do(*step)
    world = story.world
    world.wake_zombies()
    world.settle()
    expected = Expected(world)

    assert {node: world.tags(node) for node in NODES} == {node: expected.tags[node] for node in NODES}
    assert {_found(letter) for letter in world.letters()} == expected.letters
    for node in NODES:
        _check_person(world, expected, node)
    _check_facts(world)


def _found(letter: Any) -> tuple[int, int]:
    headers = dict(letter.headers)
    return int(headers["leadstream-partition"]), int(headers["leadstream-offset"])


def _check_person(world: World, expected: Expected, node: str) -> None:
    identity, erased = world.worker.people.rows.identity(node), expected.erased.get(node)
    if identity is None:
        assert not (expected.tags[node] and not node.startswith("anon")), node
    elif identity.version >= 0 and not identity.shared:  # what a shared device does now is nobody's
        assert tags_of(identity.state) == expected.tags[node], node
    if erased is None:
        return
    since = [t for t in expected.links[node] if t >= erased[1]]
    person = None if identity is None else world.worker.people.rows.person(identity.person)
    assert person is None or since or person.members == [node]
    if not since and not expected.tags[node]:
        assert node.encode() not in world.compacted()


def _check_facts(world: World) -> None:
    values: dict[str, set[bytes]] = defaultdict(set)
    numbers: dict[str, set[int]] = defaultdict(set)
    for record in world.kafka.all("stage-changes"):
        fact = json.loads(record.value)
        values[fact["id"]].add(record.value)
        numbers[fact["subject"]].add(int(fact["sequence"]))
    assert [id_ for id_, contents in values.items() if len(contents) > 1] == []
    assert all(sorted(found) == list(range(1, len(found) + 1)) for found in numbers.values())
