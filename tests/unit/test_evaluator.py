"""Burrow's rules: each case is named by the incident it guards, and lists what every predicate says beside the status."""

from dataclasses import dataclass
from typing import Literal

import pytest

from stream.ops import evaluator
from stream.ops.evaluator import Sample, Status, Window, commit_interval, completeness, evaluate, rolled_up

NOW = 1_000_000
RULES = ("all_is_read", "is_abandoned", "has_stopped", "has_rewound", "is_young", "had_caught_up", "stands_still", "falls_behind")
Rule = Literal[
    "all_is_read", "is_abandoned", "has_stopped", "has_rewound", "is_young", "had_caught_up", "stands_still", "falls_behind"
]


def commits(*told: tuple[int, int | None], every_s: float = 5, last_s: float = 1) -> list[Sample]:
    """Return commits of (offset, lag), `every_s` apart, the newest `last_s` old."""
    count = len(told)
    at = [NOW - int(1000 * (last_s + every_s * (count - 1 - index))) for index in range(count)]
    return [
        Sample(offset, moment, None if lag is None else offset + lag)
        for (offset, lag), moment in zip(told, at, strict=True)
    ]  # fmt: skip


@dataclass(frozen=True)
class Case:
    incident: str
    window: Window
    true: tuple[Rule, ...]
    status: Status


def since(seconds: float) -> float:
    return NOW - 1000 * seconds


MOVES = [(n * 10, 50) for n in range(1, 11)]
CASES = [
    Case(
        "a topic that was quiet all week, everything read",
        Window(commits((100, 0), last_s=604_800), 100),
        ("all_is_read", "had_caught_up", "falls_behind"), Status.OK,
    ),
    Case(
        "a quiet topic gets one record, and the last commit is a week old",
        Window(commits((100, 0), last_s=604_800), 101, since(0.5)),
        ("is_young", "had_caught_up", "falls_behind"), Status.OK,
    ),
    Case(
        "our own partition stopped: one commit is missing, and the next is all but",
        Window(commits((99, 1), (100, 1), every_s=1, last_s=1.61), 105, since(1.61), 1000),
        ("has_stopped", "is_young", "falls_behind"), Status.STOP,
    ),
    Case(
        "one commit is missing: a checkpoint takes long",
        Window(commits((99, 1), (100, 1), every_s=1, last_s=1.6), 105, since(1.6), 1000),
        ("is_young", "falls_behind"), Status.OK,
    ),
    Case(
        "the last commit is old, but the record that waits has only just come",
        Window(commits((99, 1), (100, 1), every_s=1, last_s=60), 105, since(1.5), 1000),
        ("is_young", "falls_behind"), Status.OK,
    ),
    Case(
        "nobody could look for a minute: the record that waits may only just have come",
        Window(commits((99, 1), (100, 1), every_s=1, last_s=60), 105, since(30), 1000, latest_ms=since(0.1)),
        ("falls_behind",), Status.WARN,
    ),
    Case(
        "records wait long in a backlog that is being worked off",
        Window(commits(*((n * 1000, 90_000 - n * 900) for n in range(1, 11))), 90_000, since(900), 1000),
        (), Status.OK,
    ),
    Case(
        "no worker is there, seen at once",
        Window(commits((100, 0)), 101, since(0.1), 1000, 0),
        ("is_abandoned", "is_young", "had_caught_up", "falls_behind"), Status.STOP,
    ),
    Case(
        "no worker is there, and nothing to do",
        Window(commits((100, 0)), 100, None, 1000, 0),
        ("all_is_read", "is_abandoned", "had_caught_up", "falls_behind"), Status.OK,
    ),
    Case(
        "the CRM commits every five seconds, stopped eleven seconds ago",
        Window(commits((90, 9), (95, 9), (100, 9), every_s=5, last_s=11), 140, since(12)),
        ("has_stopped", "falls_behind"), Status.STOP,
    ),
    Case(
        "the CRM commits every five seconds, the next commit is due",
        Window(commits((90, 9), (95, 8), (100, 9), every_s=5, last_s=7.9), 140, since(12)),
        (), Status.OK,
    ),
    Case(
        "a slow reader of a slow topic is given half a minute a commit, not ten",
        Window(commits((90, 0), (95, 0), (100, 0), every_s=600, last_s=61), 140, since(61)),
        ("has_stopped", "had_caught_up", "falls_behind"), Status.STOP,
    ),
    Case(
        "an operator set the offsets back: the history is read again",
        Window(commits((80, 10), (90, 5), (20, 80), (30, 75)), 110, since(300)),
        ("has_rewound",), Status.REWIND,
    ),
    Case(
        "offsets went back and have come back",
        Window(commits((80, 20), (20, 90), (80, 25), (85, 24)), 110, since(300)),
        (), Status.OK,
    ),
    Case(
        "offsets went back so far that nothing moves any more",
        Window(commits((80, 20), (20, 80), last_s=70), 110, since(300)),
        ("has_stopped", "has_rewound", "falls_behind"), Status.STOP,
    ),
    Case(
        "a rewind of a moment's records is one all the same",
        Window(commits((80, 0), (79, 2)), 81, since(3)),
        ("has_rewound", "is_young", "had_caught_up", "falls_behind"), Status.REWIND,
    ),
    Case(
        "a burst of a moment ago",
        Window(commits(*MOVES), 90_000, since(9)),
        ("is_young", "falls_behind"), Status.OK,
    ),
    Case(
        "a burst of a minute ago: it was at the end before, the window still shows it",
        Window(commits((10, 0), (20, 500), (30, 900), (40, 990)), 1100, since(20)),
        ("had_caught_up", "falls_behind"), Status.OK,
    ),
    Case(
        "one key is stuck: it commits and commits the same offset",
        Window(commits(*[(50, n) for n in range(1, 11)]), 60, since(46)),
        ("stands_still", "falls_behind"), Status.STALL,
    ),
    Case(
        "one key is stuck, and the group commits rarely: half a dozen commits in 45 s are enough",
        Window(commits(*[(50, n) for n in range(1, 5)], every_s=15), 60, since(46)),
        ("stands_still", "falls_behind"), Status.STALL,
    ),
    Case(
        "one key is stuck since a moment: too few commits to say so",
        Window(commits(*[(50, n) for n in range(1, 4)]), 60, since(16)),
        ("falls_behind",), Status.WARN,
    ),
    Case(
        "stuck at the end is no stall",
        Window(commits(*[(50, 0)] * 10), 50),
        ("all_is_read", "had_caught_up", "stands_still", "falls_behind"), Status.OK,
    ),
    Case(
        "it moves, and the end moves away",
        Window(commits(*((n * 10, n * 50) for n in range(1, 11))), 1000, since(200)),
        ("falls_behind",), Status.WARN,
    ),
    Case(
        "it moves, and is as far behind as ever",
        Window(commits(*MOVES), 150, since(200)),
        ("falls_behind",), Status.WARN,
    ),
    Case(
        "it has gained on the end once",
        Window(commits(*MOVES[:5], (60, 49), *MOVES[6:]), 150, since(200)),
        (), Status.OK,
    ),
    Case(
        "the monitor was started a moment ago: behind, and no trend known",
        Window(commits((50, None)), 90, since(200)),
        ("falls_behind",), Status.WARN,
    ),
    Case(
        "the monitor was started a moment ago: commits are known from before, and where the log's end was at two of them",
        Window(commits((50, 40), (60, None), (70, 20)), 90, since(200)),
        (), Status.OK,
    ),
    Case(
        "how long the record waits cannot be known",
        Window(commits((50, 40)), 90, None),
        ("falls_behind",), Status.WARN,
    ),
]  # fmt: skip


def holds(rule: Rule, window: Window) -> bool:
    timed = rule in {"has_stopped", "is_young"}
    return bool(getattr(evaluator, rule)(window, NOW) if timed else getattr(evaluator, rule)(window))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.incident)
def test_each_incident_is_told_by_its_rules(case: Case) -> None:
    assert tuple(rule for rule in RULES if holds(rule, case.window)) == case.true  # type: ignore[arg-type] # RULES are Rules
    assert evaluate(case.window, NOW) is case.status


def test_every_rule_and_every_status_has_a_case() -> None:
    assert {rule for case in CASES for rule in case.true} == set(RULES)
    assert {case.status for case in CASES} == set(Status) - {Status.UNKNOWN, Status.ERR}


@pytest.mark.parametrize(
    ("gaps_s", "interval_ms"),
    [([], 30_000), ([5], 30_000), ([5, 6], 6_000), ([600, 5], 30_000), ([1, 1, 1], 1_000)],
    ids=["one commit", "two commits", "the longest counts", "a quiet topic", "a busy one"],
)
def test_how_often_a_group_commits_is_seen(gaps_s: list[int], interval_ms: int) -> None:
    at = NOW
    samples = [Sample(0, at)]
    for gap in gaps_s:
        at += gap * 1000
        samples.append(Sample(0, at))
    assert commit_interval(Window(samples, 1)) == interval_ms


def test_a_window_is_complete_with_ten_commits_or_three_quarters_of_a_minute() -> None:
    assert [completeness(Window(commits(*[(1, 1)] * count), 9)) for count in (1, 5, 10)] == [0.1, 0.5, 1.0]
    assert completeness(Window(commits((1, 1), (1, 1), every_s=45), 9)) == 1.0


@pytest.mark.parametrize(
    ("statuses", "group"),
    [
        ((), Status.OK),
        ((Status.OK, Status.OK), Status.OK),
        ((Status.OK, Status.WARN), Status.WARN),
        ((Status.WARN, Status.STALL), Status.ERR),
        ((Status.STOP, Status.OK), Status.ERR),
        ((Status.REWIND,), Status.ERR),
        ((Status.OK, Status.UNKNOWN), Status.ERR),
    ],
)
def test_a_group_is_as_well_as_its_worst_partition(statuses: tuple[Status, ...], group: Status) -> None:
    assert rolled_up(statuses) is group
