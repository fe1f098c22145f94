"""What a resync says again of the people log: what nobody has read, and nothing of its own."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import TopicPartition
from faust.types import TP

from stream.agents.headers import RESYNC
from stream.cli.lost_tables import empty
from stream.cli.unread import unread
from stream.domain import log
from stream.errors import UsageError
from stream.runtime.resume import MARK_KEY
from stream.runtime.topics import changelog

PEOPLE = TopicPartition("people", 0)
ERASE = log.Erasing("w1", "user::1", b"salt")
LINK, UNLINK = log.Linking("w2", "user::1", "anon::a"), log.Unlinking("w3", "user::1", "anon::a")
A, B = log.Deployment(b"A"), log.Deployment(b"B")


class Consumer:
    """Reads records that are there, two at a time."""

    def __init__(self, *values: bytes | None, own: tuple[int, ...] = (), keys: tuple[bytes, ...] = ()) -> None:
        self._records = [
            SimpleNamespace(offset=n, key=keys[n] if keys else None, value=value, headers=(RESYNC,) if n in own else ())
            for n, value in enumerate(values)
        ]
        self._at = 0

    def assign(self, places: list[TopicPartition]) -> None: ...

    def seek(self, _: TopicPartition, offset: int) -> None:
        self._at = offset

    async def position(self, _: TopicPartition) -> int:
        return self._at

    async def beginning_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, 0)

    async def end_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, len(self._records))

    def highwater(self, _: TopicPartition) -> int:
        return len(self._records)

    async def getmany(self, place: TopicPartition, **_: int) -> dict[TopicPartition, list[Any]]:
        found = self._records[self._at : self._at + 2]
        self._at += len(found)
        return {place: found}


async def said(
    *records: log.Record, since: int = 0, until: int | None = None, own: tuple[int, ...] = (), rules_since: int | None = None
) -> list[log.Record]:
    consumer = Consumer(*map(log.encode, records), own=own)
    end = len(records) if until is None else until
    return await unread(cast("Any", consumer), PEOPLE, since, end, rules_since=rules_since)


@pytest.mark.parametrize(
    ("records", "bounds", "own", "again"),
    [
        pytest.param([], {}, (), [], id="nothing is there"),
        pytest.param([log.Tick(0, 7), log.Canary("c"), log.Buried(1, 0, 0)], {}, (), [], id="nobody said anything"),
        pytest.param([LINK, UNLINK, ERASE], {}, (), [LINK, UNLINK, ERASE], id="words in their order"),
        pytest.param([LINK, UNLINK, ERASE], {"since": 1}, (), [UNLINK, ERASE], id="what was read before is done"),
        pytest.param([LINK, UNLINK, ERASE], {"until": 1}, (), [LINK], id="what comes behind is read anyway"),
        pytest.param([ERASE, LINK, ERASE, LINK], {}, (), [ERASE, LINK], id="one resync before said them again and ended"),
        pytest.param([LINK, A, B], {}, (), [B, LINK], id="of rulesets the newest"),
        pytest.param([B, A, log.Settling("r")], {}, (1, 2), [B], id="a ruleset that a resync wrote is no word"),
    ],
)
async def test_what_is_said_again(
    records: list[log.Record], bounds: dict[str, int], own: tuple[int, ...], again: list[log.Record]
) -> None:
    assert await said(*records, **bounds, own=own) == again


async def test_a_ruleset_that_only_people_had_read_counts_and_the_words_behind_it_do_not_count_twice() -> None:
    assert await said(A, LINK, B, UNLINK, ERASE, since=4, rules_since=2) == [B, ERASE]
    assert await said(A, LINK, UNLINK, ERASE, since=1, rules_since=3) == [LINK, UNLINK, ERASE]


async def test_a_record_of_a_newer_release_is_refused() -> None:
    consumer = Consumer(b"\x02x")
    with pytest.raises(UsageError, match=r"people-0 offset 0: record of format 02.*; run the release that wrote it"):
        await unread(cast("Any", consumer), PEOPLE, 0, 1)


async def test_a_table_that_is_made_again_keeps_what_says_how_far_its_source_was_read() -> None:
    table, nulls = TP(changelog("app", "people"), 0), list[bytes]()

    class Producer:
        async def send(self, topic: str, value: None, key: bytes, partition: int) -> None:
            assert (topic, partition, value) == (*table, None)
            nulls.append(key)

        async def flush(self) -> None: ...

    keys = (b"i:user::1", MARK_KEY + b"people", b"\x00log", b"gone", b"gone")
    await empty(cast("Any", Consumer(b"row", b"row", b"row", b"row", None, keys=keys)), cast("Any", Producer()), table)
    assert nulls == [b"i:user::1", b"\x00log"]
