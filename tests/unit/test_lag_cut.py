"""A log that ends before what was committed of it: recreated, or its tail was lost. Nobody reads there, and nothing is well."""

import time
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from click.testing import CliRunner

from stream.cli import lag as command
from stream.ops.history import LogEnds
from stream.ops.judging import CUT, OUR_WAY, THEIR_WAY
from stream.ops.meter import LagMeter
from stream.ops.reader import CUT_MS, Reader
from stream.settings import Settings
from tests.unit.standing_kafka import StandingKafka, an_installation_that_is_well

APP = "leadstream"
EVENTS, FACTS = TopicPartition("events", 0), TopicPartition("stage-changes", 0)


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> StandingKafka:
    made = an_installation_that_is_well(monkeypatch)
    made.commits[APP][EVENTS], made.commits["crm"] = 11, {FACTS: 11}
    return made


class Clock:
    """Goes when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at_s = float(int(time.time()))
        monkeypatch.setattr("stream.ops.meter.time", SimpleNamespace(time=lambda: self.at_s, monotonic=time.monotonic))

    def goes_on(self, span_ms: int) -> None:
        self.at_s += span_ms / 1000


@pytest.mark.usefixtures("kafka")
async def test_it_has_stopped_once_two_looks_say_so_and_the_line_names_the_way_on(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    async with LagMeter(Settings()) as meter:
        first = await meter.measure()
        clock.goes_on(CUT_MS)
        report = await meter.measure()
    (ours,) = (one for one in report.lags if (one.topic, one.partition) == EVENTS)
    (theirs,) = report.others[0].lags

    assert {one.status for one in (*first.lags, *first.others[0].lags)} == {"OK"}, "a new leader may not know its end yet"
    assert [(one.status, one.committed, one.end, one.records, one.seconds) for one in (ours, theirs)] == [
        ("STOP", 11, 10, None, None)
    ] * 2
    assert [one.note for one in (ours, theirs)] == [f"{CUT}; {OUR_WAY}", f"{CUT}; {THEIR_WAY}"]


@pytest.mark.usefixtures("kafka")
def test_the_command_looks_twice_before_it_says_that_all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "COMMIT_MS", 50)
    monkeypatch.setattr("stream.ops.reader.CUT_MS", 50)
    done = CliRunner().invoke(command.lag, ["--json"])

    assert f"events-0: {CUT}; {OUR_WAY}\n" in done.stderr


@pytest.mark.parametrize(
    ("case", "looks", "is_cut"),
    [
        ("one look is none", [(11, 10, 0)], False),
        ("a new leader learned its end at once", [(11, 10, 0), (11, 11, 500), (11, 11, CUT_MS)], False),
        ("it stays so", [(11, 10, 0), (11, 10, CUT_MS)], True),
        ("records came, and do not reach it", [(20, 10, 0), (20, 19, CUT_MS)], True),
        ("its reader was set back", [(11, 10, 0), (10, 10, CUT_MS)], False),
        ("nothing was ever committed", [(None, 0, 0), (None, 0, CUT_MS)], False),
    ],
)
def test_a_log_is_cut_where_it_ends_before_the_commit_at_more_than_one_look(
    case: str, looks: list[tuple[int | None, int, int]], *, is_cut: bool
) -> None:
    one, now_ms = Reader((APP, "events", 0), LogEnds()), 0
    for committed, end, now_ms in looks:
        one.looked(committed, 0, end, now_ms)
    assert one.is_cut(now_ms) == is_cut, case
