"""A partition of `events` meets each ruleset at one record, wherever a batch ends, a checkpoint is made or a worker ends."""

import asyncio
import json
from collections.abc import Collection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.agents.headers import RULESET
from stream.agents.rules import RULESET_KEY
from stream.app import own_ruleset, shipped_ruleset
from stream.domain import arming, editions, log
from stream.domain.editions import KEPT
from stream.domain.visitor import decode
from stream.errors import UsageError
from stream.runtime.batches import Batch
from stream.runtime.fatal import Misfit
from stream.runtime.ticks import Progress
from stream.settings import Settings
from tests.app.test_agents import PARTITIONS, Bench, record, told
from tests.app.test_partstore import load

EVENTS = TP("events", 0)
TEXT = shipped_ruleset().text


def text(number: int) -> bytes:
    """Return a ruleset under which a visit is worth a number of points."""
    return b'[behaviours.visit]\nmatch = {}\npoints = %d\n[[stages]]\nname = "s%d"\nowner = "crm"\n' % (number, number)


def switch(place: int, number: int) -> Any:
    return record(None, log.encode(log.NewRuleset(place, text(number))), RULESET)


def visit(cookie: str, message: object) -> Any:
    return record(f"anon::{cookie}".encode(), told(str(message), anonymousId=cookie))


class Worker(Bench):
    """Reads one partition that it alone has, batch by batch; what it writes is kept as it would lie in the changelog."""

    def __init__(self, changelog: list[tuple[bytes, bytes]] | None = None, position: int = 0) -> None:
        super().__init__()
        self.flow.counts["events"] = 1
        self.changelog = changelog or []
        self.commits = [(len(self.changelog), position)]
        self.checkpoints = 0
        flow: Any = self.flow
        flow.checkpoint = self
        flow.progress[EVENTS] = Progress(position)
        load(self.store, *self.changelog)

    async def run(self) -> bool:
        """Make a checkpoint."""
        part = self.visitors.table.open(0)
        work = part.take()
        self.changelog += [(key or b"", value or b"") for rows in work.rows for key, value in rows]
        if work.positions:
            self.commits.append((len(self.changelog), work.positions[EVENTS].next))
        self.checkpoints += 1
        return True

    async def read(self, records: list[Any], sizes: list[int], checkpoints: Collection[int] = ()) -> "Worker":
        """Read a log from where it was committed on, in batches of these sizes, over and over."""
        at, number = self.commits[-1][1], 0
        while at < len(records):
            size = sizes[number % len(sizes)]
            await self.visitors.read_events(Batch(EVENTS, at, min(at + size, len(records)), records[at : at + size]))
            at, number = at + size, number + 1
            if number in checkpoints:
                await self.run()
        await self.run()
        return self

    def rows(self) -> dict[bytes, bytes]:
        return self.store.part(0)


def numbered(records: list[Any]) -> list[Any]:
    for offset, one in enumerate(records):
        one.offset = offset
    return records


def points(worker: Worker, cookie: str) -> float:
    state = decode(worker.rows()[f"anon::{cookie}".encode()]).state
    return sum(sum(part.values()) for part in state.points.values())


async def test_each_record_is_judged_by_what_holds_where_it_stands() -> None:
    records = numbered([switch(3, 1), visit("a", 1), visit("b", 2), switch(8, 100), visit("a", 3), visit("c", 4)])

    worker = await Worker().read(records, [6])

    assert [round(points(worker, cookie)) for cookie in "abc"] == [101, 1, 100]
    held = editions.read(worker.rows()[RULESET_KEY]).held
    assert [(one.place, one.since) for one in held] == [(0, 0), (3, 1), (8, 4)]
    assert worker.visitors.ruleset(0).text == held[-1].text, "whoever asks from outside sees it by the newest, too"
    assert worker.counted() == {"own": 2, "applied": 4, "events": 6}


async def test_what_lies_before_a_switch_is_committed_before_it() -> None:
    records = numbered([visit("a", 1), switch(3, 1), visit("a", 2), switch(8, 2), visit("a", 3)])

    worker = await Worker().read(records, [1, 4])

    assert [position for _, position in worker.commits] == [0, 1, 3, 5]


async def test_after_a_group_took_the_partition_away_the_rest_is_left_to_who_has_it() -> None:
    worker = Worker()
    records = numbered([visit("a", 1), switch(3, 1), visit("a", 2)])

    async def revoked() -> bool:
        worker.flow.assigned = False
        return await Worker.run(worker)

    worker.run = revoked  # type: ignore[method-assign]
    await worker.visitors.read_events(Batch(EVENTS, 0, 3, records))

    assert worker.commits[-1][1] == 1
    assert worker.flow.progress[EVENTS].applied == 1


async def test_a_repeat_and_a_late_one_change_nothing() -> None:
    records = numbered([switch(3, 1), switch(8, 2), switch(8, 2), switch(3, 1), visit("a", 1)])

    worker = await Worker().read(records, [5])

    assert points(worker, "a") == 2
    assert len(editions.read(worker.rows()[RULESET_KEY]).held) == 3


async def test_the_same_text_from_a_later_place_is_no_new_edition() -> None:
    worker = await Worker().read(numbered([switch(3, 1), switch(9, 1)]), [2])

    assert [(one.place, one.since) for one in editions.read(worker.rows()[RULESET_KEY]).held] == [(0, 0), (9, 1)]


async def test_a_crm_stage_is_known_from_the_switch_on() -> None:
    def move(message: str) -> Any:
        return record(b"anon::a", told(message, event="Lead Stage Changed", properties={"stage": "s7"}, anonymousId="a"))

    worker = await Worker().read(numbered([move("1"), switch(3, 7), move("2"), switch(4, 8), move("3")]), [5])

    assert [json.loads(letter.value or b"{}")["messageId"] for letter in worker.flow.take("dead-letters")] == ["1", "3"]


@pytest.mark.parametrize("value", [None, b"", b"{}", b'"text"'])
async def test_what_others_send_under_our_header_is_counted_and_nothing_else(value: bytes | None) -> None:
    worker = await Worker().read(numbered([record(b"k", value, RULESET), visit("a", 1)]), [2])

    assert worker.counted() == {"own": 1, "applied": 1, "events": 2}
    assert len(editions.read(worker.rows()[RULESET_KEY]).held) == 1


@pytest.mark.parametrize(
    "value", [b"\x02newer", b"\x01\xff", log.encode(log.Tick(0, 1)), log.encode(log.NewRuleset(1, b"[x]\n"))]
)
async def test_what_a_newer_release_wrote_ends_the_worker(value: bytes) -> None:
    with pytest.raises(Misfit, match="events-0 offset 0"):
        await Worker().read(numbered([record(b"k", value, RULESET)]), [1])


async def test_a_commit_says_what_is_in_force_where_it_stands() -> None:
    worker = await Worker().read(numbered([visit("a", 1), switch(3, 1), visit("a", 2)]), [3])
    visitors = worker.visitors

    found = [visitors.in_force(EVENTS, offset) for offset in range(4)]
    assert [one.place if one else None for one in found] == [0, 0, 3, 3]
    newest = visitors.in_force(TP("wakes", 0), 1)
    assert newest is not None
    assert newest.place == 3
    assert visitors.in_force(TP("events", PARTITIONS), 1) is None


async def test_the_editions_remembered_are_those_a_replay_may_meet() -> None:
    records = numbered([*(switch(place, place) for place in range(1, 9)), visit("a", 1)])

    worker = await Worker().read(records, [9])

    assert [one.place for one in editions.read(worker.rows()[RULESET_KEY]).held] == list(range(9 - KEPT, 9))


# -- people


def people_batch(bench: Bench, *others: Any) -> Batch:
    """Return a batch of `people` that makes two leads, and what comes behind that."""
    for user in ("u1", "u2"):
        bench.events(record(f"user::{user}".encode(), told(user, userId=user)))
    values = [message.value or b"" for message in bench.flow.take("people")]
    return bench.batch("people", 0, [record(None, value) for value in [*values, *map(log.encode, others)]])


async def test_people_pass_a_ruleset_on_to_every_partition_as_a_record_of_their_own() -> None:
    bench = Bench()
    batch = people_batch(bench, log.Deployment(text(1)))
    await bench.people.read(batch)

    sent = [(partition, message) for topic, partition, message in bench.flow.sent if topic == "events"]
    assert [partition for partition, _ in sent] == list(range(PARTITIONS))
    value = log.encode(log.NewRuleset(batch.next, text(1)))
    assert {(message.key, message.value, *message.headers) for _, message in sent} == {(None, value, RULESET)}
    edition = bench.people.in_force(batch.tp, batch.next)
    assert edition is not None
    assert (edition.place, edition.text) == (batch.next, text(1))
    before = bench.people.in_force(batch.tp, batch.next - 1)
    assert before is not None
    assert before.text == TEXT
    assert bench.people.in_force(TP("people", 1), 1) is None


async def test_the_timers_of_many_leads_are_set_while_others_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arming, "AT_ONCE", 1)
    turns: list[None] = []
    bench = Bench()
    batch = people_batch(bench, log.Deployment(text(1)))
    others = asyncio.ensure_future(_count_turns(turns))

    await bench.people.read(batch)
    others.cancel()

    assert len(turns) >= 2
    assert bench.flow.prepared >= 2, "the lookout sees that it goes on"
    assert bench.flow.progress[batch.tp].applied == batch.next


async def test_a_deployment_is_left_to_who_has_the_log_if_it_is_taken_away_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arming, "AT_ONCE", 1)
    bench = Bench()
    await bench.people.read(people_batch(bench))
    bench.flow.assigned = False
    batch = bench.batch("people", 0, [record(None, log.encode(log.Deployment(text(1))))])

    await bench.people.read(batch)

    assert bench.flow.progress[batch.tp].applied == batch.start
    assert bench.flow.take("events") == []


async def test_a_deployment_that_this_release_cannot_read_ends_the_worker() -> None:
    bench = Bench()

    with pytest.raises(Misfit, match=r"people-0 offset 4: .*release"):
        await bench.people.read(people_batch(bench, log.Deployment(b"[weather]\n")))


async def _count_turns(turns: list[None]) -> None:
    while True:
        turns.append(None)
        await asyncio.sleep(0)


# -- whatever ends in the middle


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_a_crash_anywhere_leaves_the_rows_of_a_run_without_one(data: Any) -> None:
    kinds = data.draw(st.lists(st.sampled_from("aaabbcS"), min_size=1, max_size=25))
    places = iter(range(5, 999))
    records = numbered([switch(next(places), n + 2) if kind == "S" else visit(kind, n) for n, kind in enumerate(kinds)])
    sizes = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=5))
    marks = data.draw(st.sets(st.integers(1, 20)))
    whole = asyncio.run(_read(Worker, records, [len(records)], set()))

    first = asyncio.run(_read(Worker, records, sizes, marks))
    assert first.rows() == whole.rows()
    ended = data.draw(st.integers(1, len(first.commits) - 1))
    (_, position), (there, _) = first.commits[ended - 1], first.commits[ended]
    durable = data.draw(st.integers(first.commits[ended - 1][0], there))  # rows of the checkpoint that was not finished

    second = asyncio.run(_read(lambda: Worker(first.changelog[:durable], position), records, sizes[::-1], marks))

    assert second.rows() == whole.rows()


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_a_commit_that_was_lost_meets_the_rulesets_that_held(data: Any) -> None:
    kinds = data.draw(st.lists(st.sampled_from("aaabbcdeS"), min_size=1, max_size=25).filter(lambda k: k.count("S") < KEPT))
    places = iter(range(5, 999))
    records = numbered([switch(next(places), n + 2) if kind == "S" else visit(kind, n) for n, kind in enumerate(kinds)])
    whole = asyncio.run(_read(Worker, records, [len(records)], set()))
    rows = [row for row in whole.rows().items() if row[0] == RULESET_KEY or data.draw(st.booleans())]

    again = asyncio.run(_read(lambda: Worker(rows, data.draw(st.just(0))), records, [3], {1, 2, 3}))

    assert again.rows() == whole.rows()


async def _read(make: Any, records: list[Any], sizes: list[int], checkpoints: set[int]) -> Worker:
    worker: Worker = make()
    return await worker.read([SimpleNamespace(**vars(one)) for one in records], sizes, checkpoints)


def test_a_ruleset_that_cannot_be_read_is_told_by_its_setting_and_with_what_to_do(tmp_path: Path) -> None:
    missing = tmp_path / "nope.toml"
    with pytest.raises(UsageError) as refused:
        own_ruleset(Settings(ruleset=missing))
    assert str(refused.value) == f"LEADSTREAM_RULESET is {missing}: No such file or directory: name a readable ruleset file"
