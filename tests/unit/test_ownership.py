"""Whose topics and tables are, told by what groups have committed."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from aiokafka import OffsetAndMetadata, TopicPartition
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    GroupCoordinatorNotAvailableError,
    KafkaConnectionError,
    NotCoordinatorForGroupError,
)

from stream.errors import UsageError
from stream.ops import ownership
from stream.ops.ownership import require_own
from stream.runtime.resume import Mark, write_mark
from stream.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiokafka.admin import AIOKafkaAdminClient

OURS = write_mark(Mark(changelog=4, partitions=8))
FORBIDDEN = "forbidden"
PARTITION = 3


class Kafka:
    """What groups have committed: `{group: {topic: metadata}}`; each has a table of people, and but for `gone` a worker.

    `silent` says of a group how often it is not told: an error, or "" for aiokafka's empty answer to an error of the group's.
    """

    def __init__(self, groups: dict[str, Any], silent: "dict[str, Iterator[Exception | str]] | None" = None) -> None:
        self._groups, self._silent = groups, silent or {}

    async def list_topics(self) -> list[str]:
        read = {topic for topics in self._groups.values() if topics != FORBIDDEN for topic in topics}
        return [*sorted({"new-events"} | read), *(f"{group}-people-changelog" for group in self._groups)]

    async def describe_topics(self, names: list[str]) -> list[dict[str, Any]]:
        return [{"topic": name, "partitions": [{"partition": PARTITION}]} for name in names]

    async def list_consumer_group_offsets(
        self, group: str, *, partitions: list[TopicPartition]
    ) -> dict[TopicPartition, OffsetAndMetadata]:
        match next(self._silent.get(group, iter(())), None):
            case Exception() as error:
                raise error
            case "":
                return {}
        topics = self._groups.get(group, {})
        if topics == FORBIDDEN:
            raise GroupAuthorizationFailedError(group)
        return {tp: OffsetAndMetadata(7 if tp.topic in topics else -1, topics.get(tp.topic, "")) for tp in partitions}

    async def describe_consumer_groups(self, groups: list[str]) -> list[Any]:
        workers = [] if groups == ["gone"] else ["a worker"]
        return [SimpleNamespace(groups=[(0, groups[0], "", "", "", workers)])]


async def look(groups: dict[str, Any], silent: "dict[str, Iterator[Exception | str]] | None" = None) -> None:
    await require_own(cast("AIOKafkaAdminClient", Kafka(groups, silent)), Settings(app="app", topic_prefix="new-"))


@pytest.mark.parametrize(
    "groups",
    [
        pytest.param({}, id="an empty Kafka"),
        pytest.param({"app": {"new-events": OURS}}, id="we have been here"),
        pytest.param({"app": {"new-wakes": OURS, "old-events": OURS}}, id="an older release let us go on under a new prefix"),
        pytest.param({"app": {"new-wakes": OURS}, "b": {"new-events": OURS}}, id="an older release let another app in"),
        pytest.param({"app": {"old-events": ""}}, id="a stranger committed under our name"),
        pytest.param({"app": {"new-dead-letters": ""}, "b": {"new-events": ""}}, id="somebody reads our events for himself"),
        pytest.param({"b": {"old-events": OURS}}, id="another installation"),
        pytest.param({"gone": {"new-people": OURS, "new-events": OURS}}, id="an app before us, which has no worker any more"),
        pytest.param({"app": FORBIDDEN, "b": FORBIDDEN}, id="nobody tells"),
    ],
)
async def test_who_has_names_of_its_own_starts(groups: dict[str, Any]) -> None:
    await look(groups)


@pytest.mark.parametrize(
    ("groups", "says"),
    [
        pytest.param(
            {"app": {"old-events": OURS}}, "the tables of app were made from old-events, not", id="APP of another prefix"
        ),
        pytest.param({"app": {"events": OURS}}, "the tables of app were made from events, not", id="... of none"),
        pytest.param({"b": {"new-people": OURS}}, "new-people belongs to b,.*LEADSTREAM_APP=b", id="another app's prefix"),
        pytest.param(
            {"app": FORBIDDEN, "b": {"new-people": OURS}}, "new-people belongs to b", id="... which is all that is told"
        ),
    ],
)
async def test_a_newcomer_with_names_of_others_is_refused(groups: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        await look(groups)


@pytest.mark.parametrize(
    "word",
    [
        pytest.param(KafkaConnectionError("refused"), id="the broker that was asked is gone"),
        pytest.param(NotCoordinatorForGroupError(), id="the group has moved"),
        pytest.param("", id="its commits are still read"),
    ],
)
@pytest.mark.parametrize("times", [1, 8])
async def test_no_word_on_commits_is_not_nothing(word: Exception | str, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that starts again while Kafka loses a broker was taken for a newcomer, and refused for itself."""
    monkeypatch.setattr("stream.ops.group.AGAIN_S", 0.001)
    await look({"app": {"new-events": OURS}, "b": {"new-events": OURS}}, {"app": iter([word] * times)})
    with pytest.raises(UsageError, match="new-people belongs to b"):
        await look({"b": {"new-people": OURS}}, {"b": iter([word] * times)})


def _for_ever(word: Exception | str) -> "Iterator[Exception | str]":
    while True:
        yield word


async def test_a_group_that_is_never_told_stops_its_own_app_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.ops.group.AGAIN_S", 0.001)
    monkeypatch.setattr(ownership, "OWN_S", 0.1)
    monkeypatch.setattr(ownership, "OTHERS_S", 0.1)
    groups = {"app": {"new-events": OURS}}
    for word in (KafkaConnectionError("refused"), NotCoordinatorForGroupError(), ""):
        with pytest.raises(GroupCoordinatorNotAvailableError, match="of the group app"):
            await look(groups, {"app": _for_ever(word)})
        await look({"b": {"new-events": OURS}}, {"b": _for_ever(word)})
