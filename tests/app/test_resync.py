"""The visitors' side of a resync and of epochs: what linked rows say again, and which positions are newer."""

from typing import Any

import pytest
from faust.types import TP

from stream.agents.erasing import ERASE
from stream.agents.headers import RESYNC
from stream.domain import log, visitor
from stream.domain.person import Cut
from stream.runtime.fatal import Misfit
from stream.runtime.producer import partition_of
from tests.app.test_agents import NOW, PARTITIONS, Bench, record, told

USER, COOKIE = b"user::42", b"anon::c1"
HERE = partition_of(USER, PARTITIONS)
EPOCH = 1 << 48


@pytest.fixture
async def bench() -> Bench:
    return Bench()


def again(run: str, part: int, parts: int) -> Any:
    return record(None, log.encode(log.Resync(run, part, parts)), RESYNC)


def sent(bench: Bench) -> list[log.Record]:
    return [log.decode(message.value or b"") for message in bench.flow.take("people")]


@pytest.mark.parametrize("written", [False, True])
async def test_linked_visitors_say_all_again_others_nothing_and_the_last_slice_says_so(bench: Bench, *, written: bool) -> None:
    bench.events(record(USER, told(userId="42", anonymousId="c1")))
    stranger = next(b"anon::%d" % n for n in range(99) if partition_of(b"anon::%d" % n, PARTITIONS) == HERE)
    bench.events(record(stranger, told(anonymousId=stranger.decode()[6:])))
    if written:
        bench.visitors.table.open(HERE).take()
    sent(bench)
    bench.events(again("run", 0, 2), again("run", 1, 2), partition=HERE)
    snapshot, end = sent(bench)
    assert isinstance(snapshot, log.Snapshot)
    assert (snapshot.node, snapshot.version, snapshot.wake) == ("user::42", 1, True)
    assert [link.node for link in snapshot.links] == ["anon::c1"]
    assert end == log.Settled("run", HERE)
    assert bench.counted()["own"] == 2


async def test_each_visitor_is_in_one_slice(bench: Bench) -> None:
    users = [b"user::%d" % n for n in range(200) if partition_of(b"user::%d" % n, PARTITIONS) == HERE]
    bench.events(*(record(key, told(userId=key.decode()[6:])) for key in users))
    sent(bench)
    bench.events(*(again("run", part, 8) for part in range(8)), partition=HERE)
    nodes = [one.node for one in sent(bench) if isinstance(one, log.Snapshot)]
    assert sorted(nodes) == sorted(key.decode() for key in users)


async def test_what_only_looks_like_it_is_somebody_elses_and_a_newer_release_is_refused(bench: Bench) -> None:
    bench.events(record(USER, told(userId="42"), RESYNC), record(None, None, RESYNC), partition=HERE)
    assert bench.counted() == {"own": 2, "events": 2}
    for value in (b"\x02x", log.encode(log.Tick(0, 1))):
        with pytest.raises(Misfit, match=r"events-\d offset \d: .*; run the release that wrote it"):
            bench.events(record(None, value, RESYNC), partition=HERE)


async def test_a_record_of_a_new_epoch_is_newer_than_all_before(bench: Bench) -> None:
    bench.events(record(COOKIE, told("a", anonymousId="c1")), record(COOKIE, told("b", anonymousId="c1")))
    tp = TP("events", partition_of(COOKIE, PARTITIONS))
    bench.flow.bases[tp], bench.offsets[tp] = EPOCH, 0
    bench.flow.progress.clear()
    bench.events(record(COOKIE, told("c", anonymousId="c1")))
    row = bench.visitors.table.open(tp.partition).get(COOKIE)
    assert row is not None
    assert (row.position, row.state.events) == (EPOCH + 1, 3)
    assert visitor.encode(row)[1:9] == (EPOCH + 1).to_bytes(8, "big")


async def test_a_record_forwarded_in_a_new_epoch_is_no_repeat_of_one_forwarded_before(bench: Bench) -> None:
    forwarded = ("leadstream-forwarded-from", b"2:41")
    bench.events(record(USER, told("a", userId="42"), forwarded))
    tp = TP("events", HERE)
    bench.flow.bases[tp], bench.offsets[tp] = EPOCH, 0
    bench.flow.progress.clear()
    earlier = ("leadstream-forwarded-from", b"2:7")
    bench.events(record(USER, told("b", userId="42"), earlier), record(USER, told("c", userId="42"), earlier))
    assert bench.counted() == {"applied": 2, "duplicates": 1, "events": 3}


# -- an operator's words


def said(bench: Bench, key: bytes, told: log.Said) -> visitor.Visitor | None:
    partition = partition_of(key, PARTITIONS)
    bench.visitors.take_wakes(bench.batch("wakes", partition, [record(key, log.encode(told))]))
    return bench.visitors.table.open(partition).get(key)


async def test_a_row_remembers_an_operators_word_and_says_nothing_to_it(bench: Bench) -> None:
    bench.events(record(USER, told(userId="42", anonymousId="c1")))
    sent(bench)
    cut = Cut(9, left=True, size=2)
    row = said(bench, USER, log.Said("user::42", 9, [cut], linked="email::a@b.example"))
    assert row is not None
    assert (row.said, list(row.links or ())) == ((9, [cut], -1), ["anon::c1", "email::a@b.example"])
    assert said(bench, USER, log.Said("user::42", 8, [])) == row
    unseen = said(bench, COOKIE, log.Said("anon::c1", 9, [cut]))
    assert unseen is not None
    assert (unseen.listened, unseen.state.events, unseen.said) == (True, 0, (9, [cut], -1))
    assert sent(bench) == []


async def test_a_word_from_before_an_erasure_is_about_nobody_any_more(bench: Bench) -> None:
    bench.events(record(USER, told(userId="42")))
    erase = log.Erase(9, NOW + 1, b"0123456789abcdef", ["user::42"])
    bench.events(record(None, log.encode(erase), ERASE), partition=HERE)
    assert said(bench, USER, log.Said("user::42", 8, [])) is None
    assert said(bench, USER, log.Said("user::42", 11, [])) is None, "nor does it make a row of nothing"
