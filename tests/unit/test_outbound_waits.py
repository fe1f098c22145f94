"""Webhooks: what is said of a Kafka from which nothing comes, and what is not taken for a word on commits."""

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import OffsetAndMetadata, TopicPartition

from stream.errors import UnreachableError
from stream.outbound import service
from stream.outbound.meter import Meter
from stream.outbound.posting import Fact
from stream.outbound.service import Outbound, Plan
from stream.outbound.waits import PATIENCE_S, Waits

PLACE = TopicPartition("t", 0)
USUAL_S = 3.0


@pytest.mark.parametrize(
    ("looks", "said"),
    [
        pytest.param([(0, ""), (9, "")], [], id="nothing is missing"),
        pytest.param([(0, "a"), (USUAL_S - 0.1, "a"), (USUAL_S, "")], [], id="a rebalance"),
        pytest.param([(0, "a"), (USUAL_S, "a"), (99, "a"), (9e9, "a")], ["waiting: a"], id="once, however long it lasts"),
        pytest.param([(0, "a"), (5, "a"), (6, "b"), (7, "b")], ["waiting: a", "waiting: b"], id="first one, then another"),
        pytest.param(
            [(0, "a"), (5, "a"), (6, ""), (7, ""), (8, "a"), (9, "a"), (13, "a")],
            ["waiting: a", "it goes on", "waiting: a"],
            id="twice",
        ),
    ],
)
def test_what_it_waits_for_is_said_once_it_lasts(
    looks: list[tuple[float, str]], said: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    waits = Waits(USUAL_S, for_ever=True)
    with caplog.at_level(logging.WARNING, logger="stream.outbound.waits"):
        for now_s, lack in looks:
            waits.look(lack, now_s)
    assert caplog.messages == said


def test_what_is_to_end_by_itself_gives_up_after_a_time_without_anything() -> None:
    waits, long_s = Waits(USUAL_S, for_ever=False), USUAL_S + PATIENCE_S
    for now_s, lack in [(0, "a"), (long_s - 1, "a"), (long_s, ""), (long_s + 1, "a"), (2 * long_s, "b")]:
        waits.look(lack, now_s)
    with pytest.raises(UnreachableError, match="b"):
        waits.look("b", 2 * long_s + 1)


class Kafka:
    """What a webhook asks of it: the topic, and the commits of its group; asked for those it answers as the test says."""

    def __init__(self, *answers: dict[TopicPartition, OffsetAndMetadata] | None) -> None:
        self.answers, self.partitions, self.asked = list(answers), {0}, 0
        self._client = self

    def partitions_for_topic(self, _: str) -> set[int]:
        return self.partitions

    def force_metadata_update(self) -> None:
        self.asked += 1

    async def commit(self, noted: dict[TopicPartition, OffsetAndMetadata]) -> None:
        if (answer := self.answers.pop(0)) is None:
            await asyncio.Event().wait()
        assert answer == noted

    async def list_consumer_group_offsets(self, _: str, **__: Any) -> dict[TopicPartition, OffsetAndMetadata]:
        if (answer := self.answers.pop(0)) is None:
            await asyncio.Event().wait()
        return answer or {}

    async def describe_consumer_groups(self, _: list[str]) -> list[Any]:
        return [SimpleNamespace(groups=[(0,)])]


def outbound(kafka: Kafka, monkeypatch: pytest.MonkeyPatch) -> Any:
    async def post(_: Fact) -> None:
        raise AssertionError("nothing is told here")

    monkeypatch.setattr(service, "ANSWER_S", 0.5)
    made: Any = Outbound(Plan("t", "letters", "g", 60), {}, post, Meter())
    made._admin = made._consumer = kafka
    made._letters = made._failure = None
    return made


async def test_no_word_on_commits_is_asked_again_not_taken_for_a_new_group(monkeypatch: pytest.MonkeyPatch) -> None:
    made = outbound(Kafka({}, {PLACE: OffsetAndMetadata(7, "")}), monkeypatch)
    await made._take_over([PLACE])
    assert made._partitions[PLACE].progress.position == 7


async def test_who_is_told_nothing_of_commits_takes_nothing_over(monkeypatch: pytest.MonkeyPatch) -> None:
    made = outbound(Kafka(None), monkeypatch)
    with pytest.raises(UnreachableError, match="Kafka does not answer for the group g"):
        await made._take_over([PLACE])
    assert made._partitions == {}


async def test_a_commit_that_nobody_answers_holds_nothing_up_and_is_made_later(monkeypatch: pytest.MonkeyPatch) -> None:
    noted = {PLACE: OffsetAndMetadata(7, "")}
    made = outbound(Kafka(noted, None, noted), monkeypatch)
    await made.on_partitions_assigned([PLACE])
    assert made._lack() == ""
    await made._commit()
    assert made._lack().startswith("Kafka does not answer for the group g")
    await made._commit()
    assert made._lack() == ""
    await made._commit()  # nothing has changed


async def test_a_topic_that_is_gone_is_asked_for_and_has_no_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    kafka = Kafka({PLACE: OffsetAndMetadata(7, "")})
    made = outbound(kafka, monkeypatch)
    await made.on_partitions_assigned([PLACE])
    kafka.partitions = set()
    await made._commit()
    assert (made._lack(), made._lack(), kafka.asked) == (*["t is gone: make it anew (`leadstream topics`)"] * 2, 2)
    kafka.partitions = {0}
    assert (made._lack(), kafka.asked) == ("", 2)
