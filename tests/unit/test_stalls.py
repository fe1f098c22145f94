"""What counts as a hang, and what looks like one and is none."""

# ruff: noqa: ARG005 - a table of stories
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from faust.types import TP

from stream.runtime.stalls import LIMIT_S, Signs, Stalls

A = TP("events", 0)
HOUR_S = 3600

WELL = Signs(now=0.0, life=1, assigned=True, ready=True, fetched={A: 0.0}, ends={A: 10}, applied={A: 10})
"""All is read and written; each step of a story gives what differs from it, at that second."""


def _story(step: Callable[[int], dict[str, Any]], seconds: int = 2 * HOUR_S) -> tuple[int, str] | None:
    """Look once a second; return when and why the worker was ended."""
    stalls = Stalls()
    for now in range(1, seconds):
        alive: dict[str, Any] = {"thread_at": now, "beat_at": now, "fetched": {A: now}}
        reason = stalls.reason(replace(WELL, now=now, **(alive | step(now))))
        if reason is not None:
            return now, reason
    return None


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        pytest.param(lambda now: {"dead": "the fetcher"}, "the fetcher has ended", id="a part of the client has ended"),
        pytest.param(lambda now: {"thread_at": 1}, "consumer thread", id="the consumer thread is blocked"),
        pytest.param(lambda now: {"beat_at": 1}, "group has not answered", id="heartbeats stopped"),
        pytest.param(lambda now: {"assigned": False, "ready": False}, "assigned nothing", id="a rebalance without end"),
        pytest.param(lambda now: {"ready": False, "restored": 7}, "recovery", id="a recovery without end"),
        pytest.param(lambda now: {"fetched": {A: 1}}, "nothing has been fetched of events-0", id="assigned, never fetched"),
        pytest.param(lambda now: {"fetched": {}}, "nothing has been fetched of events-0", id="assigned, never fetched at all"),
        pytest.param(lambda now: {"ends": {A: 11}}, "records of events-0 have waited", id="records and nobody who takes them"),
        pytest.param(
            lambda now: {"ends": {A: 10 + now}}, "records of events-0 have waited", id="more and more records and nobody"
        ),
        pytest.param(
            lambda now: {"fetched": {A: 1}, "buffered": frozenset({A})}, "records of events-0", id="fetched, never delivered"
        ),
        pytest.param(lambda now: {"owes": True, "checkpoints": 3}, "no checkpoint", id="nothing is committed any more"),
        pytest.param(
            lambda now: {"owes": True, "at_work": min(now, 9)}, "no checkpoint", id="a slow checkpoint that no longer goes on"
        ),
        pytest.param(
            lambda now: {"unsent": 100 * now, "acknowledged": 5}, "acknowledged no output", id="ticks that never arrive"
        ),
        pytest.param(
            lambda now: {"unsent": 10, "told": min(now, 9)}, "no output", id="silence behind a wait that a quota asked for"
        ),
    ],
)
def test_a_hang_is_told_within_a_minute(step: Callable[[int], dict[str, Any]], reason: str) -> None:
    told = _story(step)
    assert told is not None
    assert told[0] < 60
    assert reason in told[1]


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(lambda now: {}, id="a quiet topic"),
        pytest.param(lambda now: {"ends": {A: 11}} if now == HOUR_S else {}, id="a record after a quiet hour"),
        pytest.param(
            lambda now: {"ends": {A: 10**6}, "applied": {A: now // 30}}, id="a backlog, a batch every half minute"
        ),
        pytest.param(lambda now: {"ready": False, "restored": now // 30}, id="a long recovery that goes on"),
        pytest.param(
            lambda now: {"assigned": now % 60 > 30, "ready": False, "life": now // 60, "restored": now}, id="long rebalances"
        ),
        pytest.param(
            lambda now: {"beat_at": now - now % 40, "fetched": {A: now - now % 40}}, id="a Kafka that answers after 40 s"
        ),
        pytest.param(lambda now: {"owes": True, "checkpoints": now // 30}, id="a checkpoint every half minute"),
        pytest.param(
            lambda now: {"owes": True, "ends": {A: 10**6}, "at_work": now // 30}, id="a checkpoint of hours that goes on"
        ),
        pytest.param(lambda now: {"unsent": 10, "acknowledged": now // 30}, id="always something under way"),
        pytest.param(
            lambda now: {"unsent": 10, "told": now % 100 and now}, id="a quota that makes it wait"
        ),
        pytest.param(lambda now: {"dead": "the fetcher"} if now % 60 < 3 else {}, id="a part that is being replaced"),
        pytest.param(lambda now: {"applied": {}, "fetched": {}, "ends": {}}, id="more workers than partitions"),
    ],
)  # fmt: skip
def test_what_goes_on_however_slowly_is_no_hang(step: Callable[[int], dict[str, Any]]) -> None:
    assert _story(step) is None


def test_what_another_life_of_the_group_left_behind_is_forgotten() -> None:
    stalls = Stalls()
    stuck = replace(WELL, thread_at=1, beat_at=1, ends={A: 11})
    assert stalls.reason(stuck) is None
    anew = replace(stuck, now=LIMIT_S + 1, thread_at=LIMIT_S, beat_at=LIMIT_S, life=2)
    assert stalls.reason(anew) is None
