"""One partition of which Kafka does not tell: all others are told, and of that one that its lag is not known."""

import asyncio
import time
from io import StringIO
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import GroupAuthorizationFailedError
from rich.console import Console

from stream.cli.lag import show
from stream.errors import UnreachableError
from stream.ops import group, inventory, leaders
from stream.ops.evaluator import Status
from stream.ops.inventory import fewest
from stream.ops.lag import Lag, Report
from stream.ops.leaders import NO_ANSWER, NO_LEADER, Leaders
from stream.ops.meter import LagMeter
from stream.ops.reader import Known
from stream.ops.setting import Setting
from stream.runtime.settled import COMMITS
from stream.settings import Settings
from tests.unit.standing_kafka import StandingKafka, an_installation_that_is_well

EVENTS, OTHER, FACTS = TopicPartition("events", 0), TopicPartition("events", 1), TopicPartition("stage-changes", 0)
APP = "leadstream"


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> StandingKafka:
    return an_installation_that_is_well(monkeypatch)


@pytest.fixture
def asking(kafka: StandingKafka) -> Leaders:
    async def connect() -> object:
        return kafka.consumer()

    return Leaders(kafka.admin(), connect)


async def measured(known: Known | None = None) -> Report:
    async with LagMeter(Settings(), known) as meter:
        return await meter.measure()


def by_place(report: Report) -> dict[tuple[str, int], Lag]:
    return {(one.topic, one.partition): one for one in report.lags}


@pytest.mark.parametrize("since", ["before it is looked", "while it is looked"])
@pytest.mark.parametrize(("how", "why"), [("leaderless", NO_LEADER), ("frozen", NO_ANSWER)])
async def test_of_one_partition_nothing_is_known_and_all_others_are_told(
    kafka: StandingKafka, how: str, why: str, since: str
) -> None:
    async with LagMeter(Settings()) as meter:
        if since == "while it is looked":
            assert (await meter.measure()).status is Status.OK
        setattr(kafka, how, {OTHER})
        report = await meter.measure()
    lags = by_place(report)
    unknown = lags.pop(("events", 1))
    assert (unknown.status, unknown.committed, unknown.end, unknown.records, unknown.seconds) == ("UNKNOWN", 10, None, None, None)
    assert unknown.note == f"{why}: its lag is not known"
    assert len(lags) == 4
    assert {(one.status, one.records, one.seconds) for one in lags.values()} == {("OK", 0, 0.0)}
    assert report.status is Status.ERR, "nobody reads what nobody leads"


async def test_what_answers_again_is_told_again(kafka: StandingKafka) -> None:
    kafka.leaderless = {OTHER}
    async with LagMeter(Settings()) as meter:
        assert by_place(await meter.measure())["events", 1].status == Status.UNKNOWN
        kafka.leaderless = set()
        for _ in range(1_000):
            if (told := by_place(await meter.measure())["events", 1]).status != Status.UNKNOWN:
                break
    assert (told.status, told.end, told.records) == ("OK", 10, 0)
    assert all(consumer.stopped for consumer in kafka.made), "who asked before hangs up"


async def test_who_has_no_leader_is_not_waited_for_at_every_look(kafka: StandingKafka, asking: Leaders) -> None:
    asking.lost({OTHER})
    kafka.leaderless = {OTHER}
    assert await asking.ends([EVENTS, OTHER]) == {EVENTS: 10}
    assert kafka.asked == [[EVENTS]]
    await asking.close()


async def test_who_is_being_asked_when_it_ends_is_hung_up_too(kafka: StandingKafka, monkeypatch: pytest.MonkeyPatch) -> None:
    kafka.frozen = {OTHER}
    async with LagMeter(Settings()) as meter:
        await meter.measure()
        asking = len([consumer for consumer in kafka.made if not consumer.stopped])
        monkeypatch.setattr(leaders, "ALONE_S", 60)
        await meter.measure()
        while len([consumer for consumer in kafka.made if not consumer.stopped]) == asking:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.001)  # until it is looked whether it answers again
    assert all(consumer.stopped for consumer in kafka.made)


async def test_a_log_of_commits_that_nobody_leads_is_not_even_asked(kafka: StandingKafka) -> None:
    kafka.leaderless = {TopicPartition(COMMITS, 0)}
    assert (await measured()).status is Status.OK
    assert not any(place.topic == COMMITS for asked in kafka.asked for place in asked)


async def test_a_kafka_of_which_nobody_answers_is_not_reachable(kafka: StandingKafka) -> None:
    kafka.frozen = set(kafka.ends)
    with pytest.raises(UnreachableError):
        await measured()


async def test_a_broker_that_is_gone_and_still_named_is_asked_in_vain_only(kafka: StandingKafka) -> None:
    kafka.refusals = group.TRIES - 1
    kafka.commits["crm"] = {FACTS: 10}
    report = await measured()
    assert (report.status, [other.group for other in report.others]) == (Status.OK, ["crm"])


@pytest.mark.parametrize("lost", [APP, "crm"])
async def test_of_a_group_whose_commits_nobody_keeps_nothing_is_known(
    kafka: StandingKafka, lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kafka.commits["crm"] = {FACTS: 10}
    monkeypatch.setattr(inventory, "COMMITS_S", 0.05)
    async with LagMeter(Settings()) as meter:
        await meter.measure()
        kafka.homeless = {lost}
        report = await meter.measure()
    told = {APP: report.lags, **{other.group: other.lags for other in report.others}}
    assert {name: {one.status for one in lags} for name, lags in told.items()} == {
        APP: {"UNKNOWN" if lost == APP else "OK"}, "crm": {"UNKNOWN" if lost == "crm" else "OK"},
    }  # fmt: skip
    assert {(one.end, one.records) for one in told[lost]} == {(10, None)}
    assert {note.split(":")[0] for note in report.notes.values()} == {
        f"the broker that keeps what {lost} has committed does not answer"
    }


async def test_an_empty_answer_is_no_word_that_nothing_was_committed(
    kafka: StandingKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka answers so while commits are being read in; a group that had read all would have to read all again."""
    monkeypatch.setattr(inventory, "COMMITS_S", 0.05)
    kafka.mute = {APP: 14}
    assert {one.status for one in (await measured()).lags} == {"UNKNOWN"}
    kafka.mute = {APP: 30}
    with pytest.raises(GroupAuthorizationFailedError):
        await measured()


async def test_a_people_log_that_nobody_leads_leaves_the_clock_unknown(kafka: StandingKafka) -> None:
    kafka.leaderless = {TopicPartition("people", 0)}
    report = await measured()
    console = Console(width=160, file=StringIO(), record=True)
    console.print(show(report, 160))
    text = console.export_text()
    assert "who holds the clock is not known" in text
    assert "people-0: Kafka has no leader for it: its lag is not known" in text


def test_a_partition_that_nobody_leads_has_no_copy_in_sync_whoever_was_the_last() -> None:
    told = {"leader": 1, "isr": [1, 2], "replicas": [1, 2]}
    assert fewest([told, told | {"leader": -1, "isr": [2]}]).in_sync == 0


async def test_ages_do_not_jump_when_the_clock_is_set(
    kafka: StandingKafka, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    wall, steady = [time.time()], [0.0]
    monkeypatch.setattr("stream.ops.meter.time", SimpleNamespace(time=lambda: wall[0], monotonic=time.monotonic))
    known = Known(setting=Setting(lambda: wall[0], lambda: steady[0]))

    async def told_after(seconds: float, step: float = 0) -> float | None:
        steady[0] += seconds
        wall[0] += seconds + step
        return by_place(await measured(known))["events", 0].seconds

    assert await told_after(0) == 0.0
    kafka.ends[EVENTS] += 2
    for step in (0, 3600, -7200, 0):
        seconds = await told_after(1, step)
    assert seconds == pytest.approx(3.5, abs=0.5)
    assert [record.getMessage() for record in caplog.records if "clock" in record.getMessage()] == [
        "the clock was set by 3600000 ms", "the clock was set by -7200000 ms",
    ]  # fmt: skip
