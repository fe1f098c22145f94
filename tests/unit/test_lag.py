"""How lag is judged: from bounds, commit, the oldest unread record, and who is there to read."""

from io import StringIO
from types import SimpleNamespace
from typing import Any, Self

import orjson
import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError
from click.testing import CliRunner
from rich.console import Console

from schemas import documents
from stream.cli.lag import _watch, is_unclear, lag, show
from stream.domain.log import Record, Snapshot, Tick, encode
from stream.domain.state import State
from stream.errors import UnreachableError
from stream.ops.clock import Clock, Heard, clock_of, held_since, ticks_among
from stream.ops.evaluator import Sample, Window
from stream.ops.judging import judge
from stream.ops.lag import GroupLag, Lag, Report
from stream.settings import Settings
from stream.web.service import Web
from tests.unit.standing_worker import StandingWorker

NOW = 1_000_000
EVENTS = TopicPartition("events", 0)


@pytest.mark.parametrize(
    ("case", "bounds", "committed", "oldest_ms", "members", "judged"),
    [
        ("all is read", (0, 10), 10, None, 1, (0, 0.0, "OK")),
        ("an empty partition counts as read to its end", (0, 0), None, None, 1, (0, 0.0, "OK")),
        ("nothing to read and nobody there", (0, 10), 10, None, 0, (0, 0.0, "OK")),
        ("the commit is a second old", (0, 10), 7, NOW - 900, 1, (3, 0.9, "OK")),
        ("just allowed", (0, 10), 7, NOW - 10_000, 1, (3, 10.0, "OK")),
        ("behind", (0, 10), 7, NOW - 10_001, 1, (3, 10.001, "WARN")),
        ("never committed", (0, 10), None, NOW - 60_000, 1, (10, 60.0, "WARN")),
        ("retention took what was not read", (5, 10), 2, NOW - 60_000, 2, (5, 60.0, "WARN")),
        ("nobody reads", (0, 10), 7, NOW - 100, 0, (3, 0.1, "STOP")),
        ("the broker does not tell who is there", (0, 10), 7, NOW - 100, None, (3, 0.1, "OK")),
        ("the oldest record could not be read", (0, 10), 7, None, 1, (3, None, "WARN")),
        ("a producer's clock is ahead", (0, 10), 7, NOW + 5_000, 1, (3, 0.0, "OK")),
        ("the commit is ahead of what the broker says", (0, 10), 12, None, 1, (0, 0.0, "OK")),
    ],
)
def test_a_partition_is_judged_at_the_first_look(
    case: str, bounds: tuple[int, int], committed: int | None, oldest_ms: int | None, members: int | None,
    judged: tuple[int, float | None, str],
) -> None:  # fmt: skip
    first, end = bounds
    start = max(first, committed or 0)
    window = Window([Sample(start, NOW, end)], end, oldest_ms, 1000, members)
    assert judge(EVENTS, committed, start, window, NOW) == Lag("events", 0, committed, end, *judged, complete=0.1), case


@pytest.mark.parametrize(
    ("lag", "unclear"),
    [
        (Lag("events", 0, 10, 10, 0, 0.0, "OK"), False),
        (Lag("events", 0, 9, 10, 1, 0.9, "OK"), False),
        (Lag("events", 0, 9, 10, 1, 1.1, "OK"), True),
        (Lag("events", 0, 9, 10, 1, None, "WARN"), True),
        (Lag("events", 0, 9, 10, 1, 60.0, "STOP"), False),
    ],
    ids=["read", "within a commit interval", "it may have stopped", "nothing known", "decided"],
)
def test_a_second_look_is_taken_only_where_the_first_cannot_tell(lag: Lag, *, unclear: bool) -> None:
    assert is_unclear(lag) is unclear


@pytest.mark.parametrize(
    ("ticks", "holder"),
    [
        ({}, Clock()),
        ({0: NOW - 1000, 1: NOW - 1000, 2: NOW - 1000}, Clock(0, 1.0)),
        ({0: NOW - 1000, 1: NOW - 90_000, 2: NOW - 1000}, Clock(1, 90.0)),
        ({0: NOW - 1000, 2: NOW - 90_000}, Clock(1, None)),
        ({0: NOW, 1: NOW, 2: NOW + 3000}, Clock(0, 0.0)),
    ],
    ids=["no tick yet", "all alike", "one lags", "one has none", "one is ahead"],
)
def test_the_partition_that_holds_the_clock_is_named(ticks: dict[int, int], holder: Clock) -> None:
    assert clock_of(ticks, 3, NOW) == holder


def test_ticks_are_found_among_what_else_is_in_the_log() -> None:
    told: list[Record] = [Tick(0, 100), Snapshot("user::1", 1, 5, 5, State()), Tick(1, 200), Tick(0, 50)]
    values = [*(encode(record) for record in told), b"\x09of a newer release", None]
    records: Any = [SimpleNamespace(value=value, timestamp=7) for value in values]
    assert ticks_among(records) == [Heard(0, 100, 7), Heard(1, 200, 7), Heard(0, 50, 7)]


@pytest.mark.parametrize(
    ("case", "heard", "since"),
    [
        ("nothing", [], None),
        ("not of all partitions", [(0, 100, 1)], None),
        ("one stands all the time", [(0, 10, 11), (1, 9, 12), (0, 20, 21), (0, 30, 31)], None),
        ("one stands since it was behind the other", [(0, 10, 11), (1, 11, 12), (0, 20, 21), (0, 30, 31)], 21),
        ("it comes back, and the other stands", [(0, 10, 11), (1, 9, 12), (0, 20, 21), (1, 29, 30), (1, 39, 40)], 30),
        ("a tick goes back", [(0, 10, 11), (1, 20, 12), (1, 5, 13)], 13),
    ],
)
def test_the_holder_is_dated_by_the_tick_that_made_it_the_last(case: str, heard: list[tuple[int, int, int]], since: int) -> None:
    assert held_since([Heard(*tick) for tick in heard], 2) == since, case


REPORT = Report(
    [
        Lag("events", 0, 7, 10, 3, 60.0, "WARN"),
        Lag("events", 1, None, 0, 0, 0.0, "OK"),
        Lag("wakes", 0, 1, 9, 8, None, "STOP"),
    ],
    Clock(0, 61.0, NOW),
    [GroupLag("crm", [Lag("stage-changes", 3, 4, 4, 0, 0.0, "OK"), Lag("stage-changes", 4, 1, 4, 3, 50.0, "STALL", 0.5)])],
)


def test_the_report_is_shown_with_its_clock() -> None:
    console = Console(width=100)
    with console.capture() as captured:
        console.print(show(REPORT))
    text = captured.get()
    clock = "partition 0 holds the clock, 61.0 s behind, since 1970-01-01T00:16:40.000Z"
    for expected in ("WARN", "STOP", "60.0 s", "?", clock, "crm  ERR"):
        assert expected in text


@pytest.mark.parametrize(
    ("clock", "says"),
    [(Clock(), "no clock yet"), (Clock(3), "partition 3 holds the clock: nothing was heard"), (Clock(1, 2.0), "2.0 s behind")],
)
def test_the_clock_is_told_in_words(clock: Clock, says: str) -> None:
    console = Console(width=100)
    with console.capture() as captured:
        console.print(show(Report([], clock)))
    assert says in captured.get()


class StandingMeter:
    """A meter that always measures the same."""

    def __init__(self, *_: object) -> None:
        pass

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def measure(self) -> Report:
        return REPORT


def test_the_command_prints_one_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.cli.lag.LagMeter", StandingMeter)
    monkeypatch.setattr("stream.cli.lag.COMMIT_MS", 0)  # a second look at once
    done = CliRunner().invoke(lag, ["--json"])
    document = orjson.loads(done.stdout)
    documents.Lag.model_validate(document)
    assert document["clockPartition"] == 0
    assert document["partitions"][0] == {
        "topic": "events", "partition": 0, "status": "WARN", "committed": 7, "end": 10, "lag": 3, "lagSeconds": 60.0,
    }  # fmt: skip
    assert document["clockSince"] == "1970-01-01T00:16:40.000Z"
    assert document["status"] == "ERR", "the worst of the installation's own partitions"
    assert [(group["group"], group["status"], group["complete"]) for group in document["groups"]] == [("crm", "ERR", 0.5)]
    assert "WARN" in CliRunner().invoke(lag, []).stdout


def test_kafka_that_does_not_answer_ends_the_command_with_3(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADSTREAM_KAFKA", "127.0.0.1:1")
    done = CliRunner().invoke(lag, [])
    assert isinstance(done.exception, UnreachableError)
    assert done.exception.exit_code == 3


async def test_a_worker_tells_the_lag_and_exposes_that_of_its_own_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.web.lagging.LagMeter", StandingMeter)
    own, other = "http://127.0.0.1:6066", "http://127.0.0.1:6067"
    worker = StandingWorker([], {own: {"events": [0]}, other: {"events": [1], "wakes": [0]}})
    for partition in ("0", "1"):
        worker.metrics.clock_lag.labels(partition).set(1.5)
    async with TestClient(TestServer(Web(worker).application())) as client:
        async with client.get("/v1/lag") as answer:
            assert await answer.json() == REPORT.document()
        async with client.get("/metrics") as answer:
            lines = (await answer.text()).splitlines()
    assert 'kafka_consumergroup_group_lag{group="leadstream",partition="0",topic="events"} 3.0' in lines
    assert 'kafka_consumergroup_group_lag_seconds{group="leadstream",partition="0",topic="events"} 60.0' in lines
    assert 'kafka_partition_latest_offset{partition="0",topic="events"} 10.0' in lines
    assert 'leadstream_table_rows{table="people"} 0.0' in lines
    assert "leadstream_timers_armed 0.0" in lines
    assert 'leadstream_clock_lag_seconds{partition="0"} 1.5' in lines
    assert not [line for line in lines if 'partition="1"' in line]
    stopped = 'leadstream_partition_status{group="leadstream",partition="0",topic="wakes"} 4.0'
    assert [line for line in lines if 'topic="wakes"' in line] == [stopped], "who has stopped may not tell so itself"


async def test_a_worker_whose_kafka_is_gone_says_that_it_cannot_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    async def gone(_: object) -> Report:
        raise KafkaConnectionError

    monkeypatch.setattr("stream.web.lagging.LagMeter", StandingMeter)
    monkeypatch.setattr(StandingMeter, "measure", gone)
    async with TestClient(TestServer(Web(StandingWorker()).application())) as client, client.get("/v1/lag") as answer:
        assert answer.status == 503
        assert "could not be measured" in (await answer.json())["error"]


@pytest.mark.parametrize(("ready", "alive", "status"), [(True, True, 200), (False, True, 503), (True, False, 503)])
async def test_ready_means_restored_and_kafka_reachable(*, ready: bool, alive: bool, status: int) -> None:
    worker = StandingWorker()
    worker.standing.ready, worker.standing.alive = ready, alive
    async with TestClient(TestServer(Web(worker).application())) as client:
        async with client.get("/health/ready") as answer:
            assert answer.status == status
            assert await answer.json() == {"ready": status == 200, "restored": ready, "kafka": alive, "partitions": 5}
        async with client.get("/health/live") as answer:
            assert answer.status == 200


async def test_a_live_view_measures_again_and_again_until_it_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[Report] = []

    class Meter(StandingMeter):
        async def measure(self) -> Report:
            if len(measured) == 3:
                raise KeyboardInterrupt
            measured.append(REPORT)
            return REPORT

    monkeypatch.setattr("stream.cli.lag.LagMeter", Meter)
    monkeypatch.setattr("stream.cli.lag.EVERY_S", 0)
    console = Console(width=100, record=True, file=StringIO())
    with pytest.raises(KeyboardInterrupt):
        await _watch(Settings(), console)
    assert console.export_text().count("partition 0 holds the clock") == 3, "each in a pipe"


async def test_a_live_view_waits_for_a_kafka_that_is_gone_and_keeps_what_it_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Report | Exception] = [REPORT, KafkaConnectionError("gone"), UnreachableError("still gone"), REPORT]
    known = []

    class Meter(StandingMeter):
        def __init__(self, _: object, former: object) -> None:
            known.append(former)

        async def measure(self) -> Report:
            if not answers:
                raise KeyboardInterrupt
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

    monkeypatch.setattr("stream.cli.lag.LagMeter", Meter)
    monkeypatch.setattr("stream.cli.lag.EVERY_S", 0)
    monkeypatch.setattr("stream.cli.lag.AGAIN_S", 0)
    console = Console(width=100, record=True, file=StringIO())
    with pytest.raises(KeyboardInterrupt):
        await _watch(Settings(), console)
    text = console.export_text()
    assert text.count("holds the clock") == 2
    assert "still gone" in text
    assert len({id(former) for former in known}) == 1


async def test_a_live_view_that_never_saw_kafka_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    class Meter(StandingMeter):
        async def measure(self) -> Report:
            raise UnreachableError("nobody there")

    monkeypatch.setattr("stream.cli.lag.LagMeter", Meter)
    with pytest.raises(UnreachableError):
        await _watch(Settings(), Console(file=StringIO()))


def rendered(report: Report, width: int, height: int | None = None) -> list[str]:
    console = Console(width=width, file=StringIO(), record=True)
    console.print(show(report, width, height))
    return console.export_text().splitlines()


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_a_narrow_terminal_cuts_nothing_that_matters(width: int) -> None:
    long = Lag("an-installation-with-a-long-prefix-stage-changes", 31, 123_456_789, 223_456_789, 100_000_000, 86_400.5, "STOP")
    lines = rendered(Report([long, *REPORT.lags], REPORT.clock, REPORT.others), width)
    text = "".join(lines).replace(" ", "")
    assert max(map(len, lines)) <= width
    for told in ("STOP", "100000000", "86400.5s", "holdstheclock"):
        assert told in text, told


def test_a_low_terminal_counts_the_partitions_at_which_nothing_is_to_be_seen() -> None:
    well = [Lag("events", n, 5, 5, 0, 0.0, "OK") for n in range(64)]
    lines = rendered(Report([*well, *REPORT.lags], REPORT.clock, REPORT.others), 100, 24)
    assert len(lines) <= 24
    text = "\n".join(lines)
    for told in ("65 partitions are OK", "WARN", "STOP", "STALL", "holds the clock"):
        assert told in text
