"""What one reader of a log is known to do: gaps, retention, compaction, looks that failed."""

import asyncio

import pytest

from stream.ops.aside import Aside
from stream.ops.commits import Commit, Place
from stream.ops.evaluator import Status
from stream.ops.history import LogEnds
from stream.ops.reader import FRESH_MS, Reader, Unread

PLACE: Place = ("crm", "stage-changes", 0)


def reader(*looks: tuple[int, int], interval_ms: int | None = 1000) -> tuple[Reader, LogEnds]:
    """Return a reader of a log that was looked at so often: (moment, end)."""
    ends = LogEnds()
    for at_ms, end in looks:
        ends.note(end, at_ms)
    return Reader(PLACE, ends, interval_ms), ends


def commit(one: Reader, offset: int, at_ms: int) -> None:
    one.ring.note(Commit(PLACE, offset, at_ms))


def test_a_mark_of_a_transaction_behind_the_commit_is_nothing_to_read() -> None:
    one, _ = reader((0, 5), (1000, 6))
    commit(one, 5, 500)
    one.looked(5, 0, 6, 60_000)
    assert one.is_doubtful(one.status(60_000), 60_000)
    one.found(Unread(5, 6, 60_000, None))
    assert (one.status(60_000), one.is_behind, one.since_ms) == (Status.OK, False, None)
    one.looked(5, 0, 7, 61_000)
    assert one.is_behind, "something came behind it"


def test_what_waits_behind_a_gap_waits_since_it_came_itself() -> None:
    one, ends = reader((0, 5), (1000, 6), (3_600_000, 6), (3_601_000, 7))
    commit(one, 5, 500)
    one.looked(5, 0, 7, 3_601_100)
    assert one.status(3_601_100) is Status.STOP, "as far as offsets tell"
    one.found(Unread(5, 7, 3_601_100, 6, 3_600_400))
    assert (one.since_ms, one.status(3_601_100)) == (3_600_400, Status.OK)
    assert ends.has_gaps


def test_retention_that_goes_on_is_no_commit() -> None:
    one, _ = reader((0, 0), (1000, 200))
    commit(one, 10, 500)
    one.looked(10, 0, 200, 10_000)
    assert one.status(10_000) is Status.STOP
    one.looked(10, 50, 200, 10_500)
    assert (one.start, one.status(10_500)) == (50, Status.STOP)
    one.looked(10, 200, 200, 11_000)
    assert one.status(11_000) is Status.OK, "nothing is left to read"


def test_a_group_that_never_committed_is_no_younger_for_retention() -> None:
    one, _ = reader((0, 0), (1000, 200))
    one.looked(None, 0, 200, 2_000)
    one.looked(None, 60, 200, 9_000)
    assert one.status(9_000) is Status.STOP


def test_what_cannot_be_read_is_not_tried_all_the_time() -> None:
    one, _ = reader((0, 100))
    one.looked(5, 0, 100, 1_000)
    assert one.must_read(1_000)
    assert one.reads(1_000) == 5
    assert not one.must_read(1_500)
    assert one.must_read(1_001 + FRESH_MS)


@pytest.mark.parametrize(
    ("found", "since"),
    [((5, 1_800), 1_800.0), ((5, 900), 1_500.0), ((3, 1_800), 1_500.0), ((6, 1_900), 1_500.0), (None, 1_500.0)],
    ids=["its own timestamp", "a clock that is behind", "another one before it", "another one behind it", "none"],
)
def test_what_came_a_moment_ago_is_dated_by_its_timestamp_where_that_fits(found: tuple[int, int] | None, since: float) -> None:
    one, _ = reader((1_000, 5), (2_000, 6))
    commit(one, 5, 100)
    one.looked(5, 0, 6, 2_000)
    assert one.asks_from(2_000) == 1_000
    one.dated(found)
    assert one.since_ms == since
    assert one.asks_from(2_500) is None, "once is enough"


def test_a_busy_reader_that_commits_is_not_asked_after() -> None:
    one, _ = reader((1_000, 5), (2_000, 600))
    commit(one, 400, 1_900)
    one.looked(400, 0, 600, 2_000)
    assert one.asks_from(2_000) is None


def test_while_nobody_looked_for_long_it_has_not_stopped_until_it_was_seen_there() -> None:
    one, _ = reader((1_000, 5), (301_000, 6))
    commit(one, 5, 900)
    one.looked(5, 0, 6, 301_000)
    assert one.must_read(301_000), "only the record knows"
    assert one.window().latest_ms == 301_000
    assert one.status(301_000) is not Status.STOP
    one.found(Unread(5, 6, 301_000, 5, 2_000))
    assert (one.since_ms, one.status(301_000)) == (2_000, Status.STOP)


async def test_what_is_asked_aside_is_waited_for_once_and_then_taken_when_it_is_there() -> None:
    gate, count = asyncio.Event(), 0

    async def work() -> int:
        nonlocal count
        count += 1
        if count > 1:
            await gate.wait()
        return count

    aside = Aside(work, 0)
    assert await aside.newest() == 1
    assert await aside.newest() == 1, "the second goes on, and holds nobody up"
    gate.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert await aside.newest() == 2
    await aside.close()
