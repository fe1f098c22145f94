"""Nobody is waited for without end who may keep a group's commits."""

import asyncio
from functools import partial
from typing import Any, cast

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import GroupCoordinatorNotAvailableError, GroupLoadInProgressError

from stream.cli.copy import _at_end
from stream.ops import group

PLACE = TopicPartition("events", 0)
GONE = pytest.mark.parametrize("error", [GroupCoordinatorNotAvailableError(), GroupLoadInProgressError()])


@GONE
async def test_commits_that_nobody_keeps_are_not_waited_for_without_end(error: Exception) -> None:
    class Kafka:
        async def list_consumer_group_offsets(self, *_: Any, **__: Any) -> None:
            raise error

    with pytest.raises(GroupCoordinatorNotAvailableError, match="of the group app"):
        await asyncio.wait_for(group.commits(cast("Any", Kafka()), "app", [PLACE], 0.01), 2)


async def test_a_copy_does_not_wait_without_end_for_how_far_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group, "answering", partial(group.answering, within_s=0.01))

    class Kafka:
        async def position(self, _: TopicPartition) -> int:
            return await asyncio.Future()

    with pytest.raises(GroupCoordinatorNotAvailableError, match="of the group app-copy"):
        await asyncio.wait_for(_at_end(cast("Any", Kafka()), {PLACE: 1}, "app-copy"), 2)
