"""Whose topics and tables are, told by what groups have committed."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from aiokafka import OffsetAndMetadata, TopicPartition
from aiokafka.errors import GroupAuthorizationFailedError

from stream.errors import UsageError
from stream.ops.ownership import require_own
from stream.runtime.resume import Mark, write_mark
from stream.settings import Settings

if TYPE_CHECKING:
    from aiokafka.admin import AIOKafkaAdminClient

OURS = write_mark(Mark(changelog=4, partitions=8))
FORBIDDEN = "forbidden"


class Kafka:
    """What groups have committed: `{group: {topic: metadata}}`; each has a table of people, and but for `gone` a worker."""

    def __init__(self, groups: dict[str, Any]) -> None:
        self._groups = groups

    async def list_topics(self) -> list[str]:
        return ["new-events", *(f"{group}-people-changelog" for group in self._groups)]

    async def list_consumer_group_offsets(self, group: str) -> dict[TopicPartition, OffsetAndMetadata]:
        topics = self._groups.get(group, {})
        if topics == FORBIDDEN:
            raise GroupAuthorizationFailedError(group)
        return {TopicPartition(topic, 3): OffsetAndMetadata(7, metadata) for topic, metadata in topics.items()}

    async def describe_consumer_groups(self, groups: list[str]) -> list[Any]:
        workers = [] if groups == ["gone"] else ["a worker"]
        return [SimpleNamespace(groups=[(0, groups[0], "", "", "", workers)])]


async def look(groups: dict[str, Any]) -> None:
    await require_own(cast("AIOKafkaAdminClient", Kafka(groups)), Settings(app="app", topic_prefix="new-"))


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
