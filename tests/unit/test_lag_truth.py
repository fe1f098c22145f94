"""What the monitor says against what is true, in simulated worlds: `python -m benchmarks.lag_truth` runs more of them."""

import random
from collections.abc import Callable

import pytest

from benchmarks.lag_truth import (
    COMMIT_MS,
    SCENARIOS,
    World,
    alarms_of_a_quiet_topic,
    anything,
    clock_steps,
    looks,
    seen_after_s,
    worst_error,
)
from stream.ops.evaluator import Status

SEED = 20


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_the_lag_is_never_off_by_more_than_two_seconds_or_a_twentieth(scenario: Callable[[random.Random], World]) -> None:
    error, count = worst_error(scenario, SEED)
    assert count > 1000
    assert error <= 1


def test_a_topic_that_is_quiet_for_a_week_never_alarms() -> None:
    for seed in range(5):
        assert alarms_of_a_quiet_topic(seed) == []


@pytest.mark.parametrize("per_s", [100, 10, 1, 0.05])
def test_what_has_stopped_is_seen_within_two_commit_intervals(per_s: float) -> None:
    for seed in range(5):
        status, seconds = seen_after_s(seed, stuck=False, per_s=per_s)
        assert status is Status.STOP
        assert seconds <= 2 * COMMIT_MS / 1000


@pytest.mark.parametrize("scenario", [anything, clock_steps], ids=lambda scenario: scenario.__name__)
def test_whoever_reads_has_not_stopped_whatever_else_happens(scenario: Callable[[random.Random], World]) -> None:
    world = scenario(random.Random(SEED))  # noqa: S311 - a simulation
    world.stops = []
    said = {look.status for look in looks(world, SEED)}
    assert Status.STOP not in said


def test_what_is_stuck_and_commits_on_is_seen_within_a_minute() -> None:
    status, seconds = seen_after_s(SEED, stuck=True)
    assert status is Status.STALL
    assert seconds <= 60


def test_a_reader_that_is_set_back_is_told_as_such() -> None:
    world = World(list(range(0, 600_000, 100)), 600_000, rewinds={300_000: 500}, rate_per_s=40)
    said = {look.status for look in looks(world, SEED)}
    assert Status.REWIND in said
    assert said <= {Status.OK, Status.REWIND}
