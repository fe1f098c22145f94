"""Both agents over logs in memory: workers crash, wake up as zombies, and repeat themselves; what Kafka holds stays."""

import asyncio
import json
from collections import defaultdict
from itertools import count
from types import SimpleNamespace
from typing import Any

from faust.types import TP

from stream.agents.latch import keep_flags
from stream.agents.people import PeopleLog
from stream.agents.rules import RulesInForce
from stream.agents.topics import Topics
from stream.agents.visitors import Visitors
from stream.domain import graves, visitor
from stream.domain.instants import write
from stream.domain.log import Erasing, Tick, encode
from stream.domain.people import People
from stream.domain.visitor import Visitor
from stream.intake import Intake
from stream.lookups import Lookups
from stream.ops.metrics import Metrics
from stream.runtime.atomic import AtomicPart, AtomicTable
from stream.runtime.batches import Batch
from stream.runtime.partstore import PartStore
from stream.runtime.producer import partition_of
from stream.runtime.quota import Quota
from stream.runtime.rows import RowPart, RowTable
from stream.runtime.ticks import Progress
from stream.runtime.work import Work
from tests.app.test_partstore import load, store
from tests.told import START, rules

PARTITIONS = 2
TOPICS = Topics.of("")
RULES = rules()
LOOKUPS = Lookups()
Pair = tuple[bytes | None, bytes | None]


class Kafka:
    """What was sent, by topic and partition; sends at once, also for the dead."""

    def __init__(self) -> None:
        self.logs: dict[TP, list[Any]] = defaultdict(list)
        self.counts = dict.fromkeys(("events", "wakes", "members", "stage-changes", "lead-states", "dead-letters"), PARTITIONS)
        self.clock = START

    def append(self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Any = (), at: int = 0) -> None:
        record = SimpleNamespace(key=key, value=value, headers=list(headers), timestamp=at or self.clock)
        record.offset = len(self.logs[TP(topic, partition)])
        self.logs[TP(topic, partition)].append(record)

    def all(self, topic: str) -> list[Any]:
        return [record for tp, log in self.logs.items() if tp.topic == topic for record in log]


class Flow:
    """A worker's side of it."""

    def __init__(self, kafka: Kafka) -> None:
        self.kafka, self.counts, self.outbox, self.assigned = kafka, kafka.counts, self, True
        self.progress: dict[TP, Progress] = {}
        self.quota = Quota()

    def base(self, _tp: TP) -> int:
        return 0

    def put(self, topic: str, where: Any, what: Any) -> "asyncio.Future[None]":
        for message in what if isinstance(what, list) else [what]:
            partition = where if isinstance(where, int) else partition_of(where, self.counts[topic])
            self.kafka.append(topic, partition, message.key, message.value, message.headers, message.at_ms or 0)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


class Worker:
    """One life of a worker that holds everything, restored from the changelogs."""

    def __init__(self, kafka: Kafka, commits: dict[TP, int]) -> None:
        self.kafka, self.commits = kafka, commits
        flow: Any = Flow(kafka)
        self.flow = flow
        self.stores = {
            "visitors": restored(kafka, "visitors", range(PARTITIONS)),
            "people": restored(kafka, "people", [0]),
        }
        table: RowTable[Visitor] = RowTable(lambda: self.stores["visitors"], "visitors", visitor.decode, visitor.encode)
        fold = AtomicTable(lambda: self.stores["people"], "people", lambda rows: People(rows, PARTITIONS, "leadstream", RULES))
        metrics = Metrics()
        self.visitors = Visitors(flow, table, TOPICS, lambda stages: Intake(LOOKUPS, None, stages), RulesInForce(RULES), metrics)
        self.people_log = PeopleLog(flow, fold, TOPICS, metrics)
        for topic in ("events", "wakes"):
            for partition in range(PARTITIONS):
                tp = TP(topic, partition)
                flow.progress[tp] = Progress(commits.get(tp, 0))
        flow.progress[TP("people", 0)] = Progress(fold.position(0) or 0)

    @property
    def people(self) -> People:
        part: AtomicPart[People] = self.people_log.table.open(0)
        return part.fold

    def part(self, partition: int) -> RowPart[Visitor]:
        return self.visitors.table.open(partition)

    def read(self, topic: str, partition: int, most: int) -> bool:
        """Apply the next few records of a partition; tell whether there were any."""
        tp = TP(topic, partition)
        at, log = self.flow.progress[tp].applied, self.kafka.logs[tp]
        records = log[at : at + most]
        if not records:
            return False
        batch = Batch(tp, at, at + len(records), list(records))
        if topic == "events":
            self.visitors.take_events(batch)
        elif topic == "wakes":
            self.visitors.take_wakes(batch)
        else:
            self.people_log.take(batch)
        return True

    def owed(self) -> list[Work]:
        """Return what a checkpoint would write now, and owe nothing."""
        parts: list[Any] = [*(self.part(n) for n in range(PARTITIONS)), self.people_log.table.open(0)]
        return [part.take() for part in parts]

    def write(self, works: list[Work], rows: int | None = None) -> None:
        """Write what is owed to the changelogs, `rows` of each only where they are independent; then commit all or nothing."""
        for work in works:
            topic, partition = work.changelog
            pairs = [pair for batch in work.rows for pair in batch]
            whole = rows is None or work.atomic
            for key, value in pairs if whole else pairs[:rows]:
                self.kafka.append(f"{topic}-changelog", partition, key, value)
            if rows is None:
                self.commits.update({tp: at.next for tp, at in work.positions.items()})

    def checkpoint(self) -> None:
        self.write(self.owed())


def restored(kafka: Kafka, name: str, partitions: Any) -> PartStore:
    made = store(visitors=keep_flags) if name == "visitors" else store()
    made.sift = graves.SIFTS[name]
    for partition in partitions:
        load(made, *((r.key, r.value) for r in kafka.logs[TP(f"{name}-changelog", partition)]), partition=partition)
    return made


class World:
    """Kafka, the worker that lives, and zombies: what they had still to write."""

    def __init__(self) -> None:
        self.kafka = Kafka()
        self.commits: dict[TP, int] = {}
        self.worker = Worker(self.kafka, self.commits)
        self.zombies: list[list[Work]] = []
        self._messages = count(1)
        self._words = count(1)
        for partition in range(PARTITIONS):
            self.tick(partition)

    # -- what happens outside

    def happen(self, node: str, *names: str, ago_ms: int = 0, message: str | None = None, **more: Any) -> str:
        """Publish an event of an identity that names others; return its messageId, the only tag it brings."""
        self.kafka.clock += 1_000
        message = message or f"m{next(self._messages)}"
        event: dict[str, Any] = {"messageId": message, "type": "page", "timestamp": write(self.kafka.clock - ago_ms)}
        event |= {"properties": {"topics": [message]}}
        externals = []
        for one in (node, *names):
            kind, _, value = one.split(":", 2)
            if kind in {"user", "anon"}:
                event[{"user": "userId", "anon": "anonymousId"}[kind]] = value
            else:
                externals.append({"type": kind, "id": value})
        event |= {"context": {"externalIds": externals}, **more}
        self.kafka.append("events", partition_of(node.encode(), PARTITIONS), node.encode(), json.dumps(event).encode())
        return message

    def tick(self, partition: int) -> None:
        self.kafka.append("people", 0, None, encode(Tick(partition, self.kafka.clock)))

    def erase(self, id_: str, salt: bytes = b"s" * 16) -> str:
        """Append an operator's word, the clock being that of now."""
        self.kafka.clock += 1_000
        for partition in range(PARTITIONS):
            self.tick(partition)
        word = f"w{next(self._words)}"
        self.kafka.append("people", 0, None, encode(Erasing(word, id_, salt)))
        return word

    # -- what happens to workers

    def drain(self) -> None:
        """Let the worker read all there is."""
        while any(self.worker.read(topic, n, 10_000) for topic, n in places()):
            pass

    def crash(self, rows: int | None = 0) -> None:
        """Kill the worker, in the middle of its checkpoint where `rows` were written; another takes over."""
        if rows:
            self.worker.write(self.worker.owed(), rows)
        self.worker = Worker(self.kafka, self.commits)

    def freeze(self) -> None:
        """Let the worker stand still with what it had to write; another takes over."""
        self.zombies.append(self.worker.owed())
        self.crash()

    def wake_zombies(self) -> None:
        """Let frozen workers write, without committing; who holds the table notices, ends, and another takes over."""
        for works in self.zombies:
            self.worker.write(works, rows=10_000)
        self.zombies = []
        self.crash()

    # -- what is there then

    def settle(self) -> None:
        """Read everything, write everything, and once more from what was written."""
        for _ in range(2):
            self.drain()
            self.worker.checkpoint()
            self.crash()
            self.worker.checkpoint()

    def tags(self, node: str) -> set[str]:
        """Return the messages that count for an identity."""
        row = self.worker.part(partition_of(node.encode(), PARTITIONS)).get(node.encode())
        return set() if row is None else tags_of(row.state)

    def compacted(self) -> bytes:
        """Return what compaction leaves of the compacted topics, keys and values."""
        left: dict[tuple[TP, bytes], bytes | None] = {}
        for tp, log in self.kafka.logs.items():
            if tp.topic.endswith("-changelog") or tp.topic == "lead-states":
                left |= {(tp, record.key): record.value for record in log}
        return b"\n".join([key + b" " + value for (_, key), value in left.items() if value is not None])

    def letters(self) -> list[Any]:
        return self.kafka.all("dead-letters")


def places() -> list[tuple[str, int]]:
    return [*((topic, n) for topic in ("events", "wakes") for n in range(PARTITIONS)), ("people", 0)]


def tags_of(state: Any) -> set[str]:
    return {tag for part in state.tags.values() for tag in part}
