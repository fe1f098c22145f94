"""Webhooks: how far a partition is, in which order a lead's facts go, and when one is tried again."""

import asyncio
import base64
import random
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from stream.outbound.delivering import Delivering, Gone
from stream.outbound.posting import Fact, Failed
from stream.outbound.progress import LONGEST, SPAN, WAITING, Progress
from stream.outbound.schedule import next_delay_s

HOUR_S, DAY_S = 3_600.0, 86_400.0

# --- how far


def test_progress_is_a_position_and_what_lies_beyond_it() -> None:
    progress = Progress(10)
    for offset in range(10, 20):
        progress.read(offset)
    for offset in (10, 11, 13, 17):
        progress.done(offset)
    assert (progress.position, progress.end) == (12, 20)
    again = Progress(progress.position, progress.note())
    assert [offset for offset in range(10, 20) if not again.is_done(offset)] == [12, 14, 15, 16, 18, 19]


def test_a_note_that_is_none_of_ours_only_repeats() -> None:
    for note in ("", "rubbish", "é", base64.b64encode(b"no zlib").decode()):
        assert not Progress(5, note).is_done(5)


def test_offsets_that_do_not_exist_are_not_waited_for() -> None:
    progress = Progress(0)
    progress.read(1_000_000_000)  # what lay before was deleted
    assert progress.position == 1_000_000_000
    progress.read(1_000_000_005)
    progress.done(1_000_000_000)
    assert progress.position == 1_000_000_005


def test_a_note_about_records_that_were_deleted_meanwhile_is_forgotten() -> None:
    progress = Progress(100)
    for offset in range(100, 110):
        progress.read(offset)
    for offset in (101, 102, 103, 107):
        progress.done(offset)
    again = Progress(100, progress.note())
    for offset in (105, 106, 107, 108):  # retention took what lay before
        again.read(offset)
    again.done(106)
    assert (again.position, again.waiting) == (105, 2)
    third = Progress(again.position, again.note())
    assert [offset for offset in range(100, 112) if not third.is_done(offset)] == [105, 108, 109, 110, 111]


def test_a_note_about_records_that_the_log_lost_is_forgotten() -> None:
    before = Progress(100)
    for offset in range(100, 120):
        before.read(offset)
    for offset in range(101, 120):
        before.done(offset)
    progress = Progress(before.position, before.note())
    progress.look(120)  # nothing is lost
    progress.read(100)
    assert [offset for offset in range(100, 120) if not progress.is_done(offset)] == [100]
    progress.look(110)
    progress.look(110)
    assert (progress.position, progress.waiting, progress.end) == (100, 1, 101)
    for offset in range(101, 115):
        progress.read(offset)
        assert not progress.is_done(offset)
        progress.done(offset)
    progress.look(110)  # a new leader may be told of the end a moment late
    assert [offset for offset in range(100, 120) if not progress.is_done(offset)] == [100, *range(115, 120)]
    again = Progress(before.position, before.note())
    again.look(119)
    assert (again.position, again.is_done(101)) == (100, False)


def test_what_a_note_leaves_undelivered_of_a_tail_that_the_log_lost_holds_nothing_up() -> None:
    before = Progress(100)
    for offset in range(100, 120):
        before.read(offset)
    for offset in {*range(100, 120)} - {102, 115}:
        before.done(offset)
    progress = Progress(before.position, before.note())
    progress.look(110)
    for offset in range(102, 121):
        assert not progress.is_done(offset)
        progress.read(offset)
        progress.done(offset)

    assert (progress.position, progress.waiting, progress.end) == (121, 0, 121)


def test_progress_comes_back_from_its_note_whatever_the_order() -> None:
    """A slow oracle: the set of what is delivered; a crash at any time forgets nothing that was committed."""
    choose = random.Random(7)  # noqa: S311 - no secret
    for _ in range(200):
        start = choose.randrange(1000)
        offsets = [offset for offset in range(start, start + choose.randrange(1, 3_000)) if choose.random() < 0.9]  # gaps
        progress, done = Progress(start), set(range(start, start + 3_000)) - set(offsets)
        for _ in range(4):
            ahead = [offset for offset in offsets if offset >= progress.end]
            for offset in ahead[: choose.randrange(len(ahead) + 1)]:
                progress.read(offset)
                assert progress.is_done(offset) == (offset in done)
            waiting = [offset for offset in offsets if offset < progress.end and offset not in done]
            assert progress.waiting == len(waiting)
            for offset in choose.sample(waiting, choose.randrange(len(waiting) + 1)):
                progress.done(offset)
                done.add(offset)
            assert all(progress.is_done(offset) == (offset in done) for offset in offsets if offset < progress.end)
            assert len(progress.note()) <= LONGEST
            if choose.random() < 0.5:
                progress = Progress(progress.position, progress.note())


def test_a_note_outlives_a_crash_before_its_records_are_read_again() -> None:
    progress = Progress(0)
    for offset in range(1_000):
        progress.read(offset)
    for offset in range(1, 999):
        progress.done(offset)
    for _ in range(3):  # started, and killed at once
        progress = Progress(progress.position, progress.note())
        progress.read(progress.position)
    assert [offset for offset in range(1_000) if not progress.is_done(offset)] == [0, 999]


@pytest.mark.parametrize(
    ("position", "note", "undelivered"),
    [
        pytest.param(5_000, "eNoTYwIAADAAGQ==", {5_000, 5_003, 5_005, 5_006, 5_007, 5_008}, id="a few"),
        pytest.param(7, "eNr79x8O7v9HAn//D28JewB8CfX1", {7, *range(100, 1_997, 100)}, id="two thousand"),
    ],
)
def test_a_note_of_an_older_release_is_read(position: int, note: str, undelivered: set[int]) -> None:
    progress = Progress(position, note)
    end = max(undelivered) + 1
    assert {offset for offset in range(position, end) if not progress.is_done(offset)} == undelivered


def test_reading_stops_where_too_much_waits() -> None:
    progress = Progress(0)
    for offset in range(WAITING):
        assert not progress.is_full
        progress.read(offset)
    assert progress.is_full
    progress.done(WAITING // 2)
    assert not progress.is_full


def test_one_that_is_refused_stops_reading_only_far_behind_the_others() -> None:
    progress = Progress(0)
    progress.read(0)
    for offset in range(1, SPAN):
        assert not progress.is_full
        progress.read(offset)
        progress.done(offset)
    assert (progress.is_full, progress.position, progress.waiting) == (True, 0, 1)
    assert len(progress.note()) < 100
    again = Progress(0, progress.note())
    assert [offset for offset in range(SPAN + 10) if not again.is_done(offset)] == [0, *range(SPAN, SPAN + 10)]
    progress.done(0)
    assert (progress.is_full, progress.position) == (False, SPAN)


def test_as_many_as_may_wait_fit_into_a_note_however_they_are_scattered() -> None:
    choose = random.Random(7)  # noqa: S311 - no secret
    for span in (3_000, 20_000, SPAN + 499):
        refused = {0, *choose.sample(range(span), WAITING + 498)}  # read on at one less than is too much: a poll is 500
        progress = Progress(0)
        for offset in range(span):
            progress.read(offset)
            if offset not in refused:
                progress.done(offset)
        progress.read(span)
        progress.done(span)
        again = Progress(0, progress.note())
        assert {offset for offset in range(span + 1) if not again.is_done(offset)} == refused


def test_a_gap_of_a_billion_offsets_costs_nothing() -> None:
    progress = Progress(0)
    progress.read(0)
    progress.read(1_000_000_000)
    assert (progress.waiting, progress.position, progress.is_full) == (2, 0, True)
    assert len(progress.note()) < 100


# --- order


class Letters:
    def __init__(self) -> None:
        self.kept: list[tuple[int, int, str]] = []

    async def put(self, record: Any, attempts: int, why: str) -> None:
        self.kept.append((record.offset, attempts, why))


def record(offset: int, lead: str) -> Any:
    body = f'{{"id":"{lead}-{offset}"}}'.encode()
    return SimpleNamespace(topic="t", partition=0, offset=offset, key=lead.encode(), value=body, headers=[], timestamp=0)


class Clock:
    """Time that passes at once, for whoever sleeps while it delivers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s, self.pass_by = 0.0, partial(asyncio.sleep, 0)
        monkeypatch.setattr(asyncio, "sleep", self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.now_s += seconds
        await self.pass_by()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - of what is tested none tells
            await asyncio.sleep(0.01)


async def delivered(
    answers: Callable[[str], Failed | None], records: list[Any], patience_s: float = 60
) -> tuple[list[str], Letters, Progress]:
    told: list[str] = []

    async def post(fact: Fact) -> Failed | None:
        await asyncio.sleep(0)
        failed = answers(fact.id)
        if failed is None:
            told.append(fact.id)
        return failed

    letters, failure = Letters(), asyncio.get_running_loop().create_future()
    delivering = Delivering(Progress(records[0].offset), post, letters, patience_s, failure)
    for each in records:
        delivering.put(each)
    async with asyncio.timeout(10):
        while delivering.progress.position < delivering.progress.end and not failure.done():  # noqa: ASYNC110 - two conditions
            await asyncio.sleep(0.01)
    if failure.done():
        failure.result()
    return told, letters, delivering.progress


async def test_one_leads_facts_come_in_order_and_its_retries_hold_up_nobody_else() -> None:
    failures = {"a-0": 2}

    def answers(id_: str) -> Failed | None:
        if failures.get(id_):
            failures[id_] -= 1
            return Failed("busy", 0.2)
        return None

    told, letters, progress = await delivered(answers, [record(n, "ab"[n % 2]) for n in range(6)])
    assert [id_ for id_ in told if id_[0] == "a"] == ["a-0", "a-2", "a-4"]
    assert told[:3] == ["b-1", "b-3", "b-5"]
    assert (letters.kept, progress.position) == ([], 6)


async def test_when_patience_ends_a_fact_is_a_dead_letter_and_its_lead_goes_on() -> None:
    told, letters, progress = await delivered(
        lambda id_: Failed("answered 500") if id_ == "a-0" else None, [record(0, "a"), record(1, "a")], patience_s=0.1
    )
    assert (told, letters.kept, progress.position) == (["a-1"], [(0, 2, "answered 500")], 2)


@pytest.mark.parametrize(
    ("patience_s", "down_s"),
    [
        pytest.param(3 * DAY_S, 71.9 * HOUR_S, id="three days, of which the last delay would pass the end"),
        pytest.param(HOUR_S, 3_500.0, id="an hour"),
        pytest.param(4.0, 1.0, id="less than the first delay"),
    ],
)
async def test_a_receiver_that_is_back_before_patience_ends_is_told(
    patience_s: float, down_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    for down, kept in ((down_s, False), (patience_s + 1, True)):
        clock.now_s, letters = 0.0, Letters()

        async def post(_: Fact, down: float = down) -> Failed | None:
            return Failed("answered 503") if clock.now_s < down else None

        delivering = Delivering(Progress(0), post, letters, patience_s, asyncio.get_running_loop().create_future())
        delivering.put(record(0, "a"))
        async with asyncio.timeout(10):
            while delivering.progress.position == 0:
                await clock.pass_by()
        assert bool(letters.kept) == kept
        assert clock.now_s < patience_s + 0.001
        assert not kept or clock.now_s == pytest.approx(patience_s), "the last attempt is at the end"


async def test_a_log_that_is_shorter_than_it_was_is_told_from_its_beginning_while_one_of_before_waits() -> None:
    posted: list[str] = []
    refusing = True

    async def post(fact: Fact) -> Failed | None:
        posted.append(fact.id)
        return Failed("answered 500", 0.2) if refusing and fact.id == "old-100" else None

    first = Progress(100)
    for offset in range(100, 104):
        first.read(offset)
    first.done(102)
    delivering = Delivering(Progress(100, first.note()), post, Letters(), 60, asyncio.get_running_loop().create_future())
    old = delivering.progress
    for offset in range(100, 104):
        delivering.put(record(offset, "old"))
    await until(lambda: "old-100" in posted)
    for offset in range(120):
        delivering.put(record(offset, "old" if offset == 100 else f"lead_{offset}"))
    progress = delivering.progress
    assert (progress.position, progress.waiting, delivering.waiting) == (0, 120, 123)
    await until(lambda: progress.position == 100)
    assert (progress.is_done(100), progress.is_done(102), progress.waiting) == (False, True, 1)
    again = Progress(progress.position, progress.note())
    assert [offset for offset in range(120) if not again.is_done(offset)] == [100]
    refusing = False
    await until(lambda: progress.position == 120)
    assert [id_ for id_ in dict.fromkeys(posted) if id_.startswith("old")] == ["old-100", "old-101", "old-103"]
    assert posted.count("lead_102-102") == 1, "what was told of the old log is not told of the new one"
    assert posted[-1] == "old-100", "its lead's of the new log comes behind what waited"
    assert (old.position, delivering.waiting) == (104, 0)


async def test_what_is_read_again_after_a_rebalance_is_no_shorter_log() -> None:
    """Each assignment begins a Delivering at what is committed, and a seek goes to `end`: no offset comes before."""
    posted: list[str] = []

    async def post(fact: Fact) -> Failed | None:
        posted.append(fact.id)
        return Failed("answered 500", 0.2) if fact.id == "b-1" else None

    records = [record(0, "a"), record(1, "b"), record(2, "c")]
    before = Delivering(Progress(0), post, Letters(), 60, asyncio.get_running_loop().create_future())
    for each in records:
        before.put(each)
    await until(lambda: before.progress.is_done(2))
    await before.stop()
    progress = Progress(before.progress.position, before.progress.note())
    after = Delivering(progress, post, Letters(), 60, asyncio.get_running_loop().create_future())
    for each in [*records[1:], record(3, "d")]:
        after.put(each)
    await until(lambda: progress.is_done(3))
    assert after.progress is progress
    assert (posted.count("c-2"), progress.position) == (1, 1)
    await after.stop()


async def test_a_receiver_that_is_gone_ends_it_without_a_dead_letter() -> None:
    with pytest.raises(Gone):
        await delivered(lambda _: Failed("answered 410", gone=True), [record(0, "a")])


async def test_headers_that_nobody_of_ours_wrote_hold_nothing_up() -> None:
    foreign = [record(0, "a"), record(1, "b")]
    foreign[0].headers, foreign[1].headers = [("content-type", None)], [("content-type", b"a\r\nb"), ("x", None)]
    told, _, progress = await delivered(lambda _: None, foreign)
    assert (sorted(told), progress.position) == (["a-0", "b-1"], 2)


async def test_a_null_tells_nothing() -> None:
    null = record(0, "a")
    null.value = None
    told, _, progress = await delivered(lambda _: None, [null, record(1, "a")])
    assert (told, progress.position) == (["a-1"], 2)


def test_attempts_come_ever_later_and_a_receiver_may_say_when() -> None:
    delays = [next_delay_s(attempts, None, 0.0) for attempts in range(1, 13)]
    assert delays[0] == 5
    assert delays == sorted(delays)
    assert next_delay_s(1, 0.0, 0.5) == 0.2
    assert next_delay_s(1, 1e9, 0.5) == 86_400
