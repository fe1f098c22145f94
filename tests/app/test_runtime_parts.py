"""Lanes, open partitions, cuts, changelogs, the watchdog: each alone."""

import asyncio
from collections.abc import Callable, MutableMapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import (
    InconsistentGroupProtocolError,
    InvalidSessionTimeoutError,
    InvalidTimestampError,
    MessageSizeTooLargeError,
    UnknownError,
    for_code,
)
from faust.types import TP

from stream.domain.ownrows import CUT_BYTES
from stream.runtime import lanes
from stream.runtime.atomic import AtomicTable
from stream.runtime.batches import Batch
from stream.runtime.changelog import Changelogs
from stream.runtime.fatal import Misfit, SecondWriter
from stream.runtime.faults import Fault, Faults
from stream.runtime.lanes import Message, Outbox
from stream.runtime.member import Member
from stream.runtime.producer import Pair
from stream.runtime.rows import RowTable
from stream.runtime.watchdog import Stale, Watchdog
from stream.runtime.work import Work
from tests.app.test_partstore import load, row, store

LOG = TP("log", 0)
EVENTS = TP("events", 0)


class Kafka:
    """A producer that keeps batches of at most `size` records and acknowledges when told to."""

    def __init__(self, size: int = 2, offset: int = 0) -> None:
        self.size, self.offset = size, offset
        self.batches: list[list[tuple[Any, ...]]] = []
        self.pending: list[asyncio.Future[Any]] = []
        self.refusal: Exception | None = None

    def _ensure_producer(self) -> "Kafka":
        return self

    def create_batch(self) -> Any:
        kept: list[tuple[Any, ...]] = []

        def append(_: int, at: int, key: bytes | None, value: bytes | None, headers: list[Any]) -> object:
            if len(kept) >= self.size:
                return None
            kept.append((at, key, value, headers))
            return True

        return SimpleNamespace(_builder=SimpleNamespace(append=append), close=lambda: None, size=lambda: 900, kept=kept)

    async def send_batch(self, batch: Any, topic: str, partition: int) -> "asyncio.Future[Any]":
        self.batches.append([(topic, partition), *batch.kept])
        sent: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.pending.append(sent)
        return sent

    async def send_many(
        self,
        _topic: str,
        _partition: int,
        rows: Sequence[Pair],
        _at: int,
        *,
        whole: bool,  # noqa: ARG002 - one size for all
    ) -> list[tuple[Any, int, Callable[[], int]]]:
        pieces = [list(rows[i : i + self.size]) for i in range(0, len(rows), self.size)]
        acks = []
        for piece in pieces:
            done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            if self.refusal is None:
                done.set_result(SimpleNamespace(offset=self.offset))
            else:
                done.set_exception(self.refusal)
            self.offset += len(piece)
            acks.append((done, len(piece), lambda: 1200))
        return acks


async def turn(times: int = 10) -> None:
    for _ in range(times):
        await asyncio.sleep(0)


def outbox(kafka: Any) -> Outbox:
    return Outbox(lambda: kafka, lambda: None)


async def test_a_lane_sends_in_the_order_of_putting_and_is_done_when_all_is_acknowledged() -> None:
    kafka = Kafka(size=2)
    box = outbox(kafka)
    first = box.put("t", 0, [Message(b"1", b"a"), Message(b"2", b"b"), Message(b"3", b"c", [("h", b"1")], 77)])
    second = box.put("t", 0, [Message(None, b"d")])
    await turn()
    assert [[sent[1] for sent in batch[1:]] for batch in kafka.batches] == [[b"1", b"2"], [b"3", None]]
    assert kafka.batches[1][1] == (77, b"3", b"c", [("h", b"1")])
    kafka.pending[0].set_result(None)
    await turn()
    assert not first.done()
    kafka.pending[1].set_result(None)
    await turn()
    assert first.done()
    assert second.done()
    box.stop()


async def test_a_message_that_cannot_be_sent_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    died: list[BaseException] = []
    monkeypatch.setattr(lanes, "die", died.append)
    kafka = Kafka()
    box = outbox(kafka)
    box.put("t", 0, [Message(b"1", b"a")])
    await turn()
    kafka.pending[0].set_exception(OSError("refused"))
    await turn()
    assert [str(cause) for cause in died] == ["refused"]
    box.stop()


TOO_LOW = "max.message.bytes of t is too low: `leadstream topics --check` says what it should be; set it there"


TOO_OLD = (
    "message.timestamp.before.max.ms (or .after.max.ms) of t is too low: `leadstream topics --check` says what it should be; "
    "set it there, 9223372036854775807 allows all"
)

COMPACTED = "cleanup.policy of t holds compact: `leadstream topics --check` says what it should be; set it there"


@pytest.mark.parametrize(
    ("refusal", "says"),
    [
        (MessageSizeTooLargeError(), f"Kafka takes no 900 bytes into t-3: {TOO_LOW}"),
        (InvalidTimestampError(), f"Kafka takes no record of that age into t-3: {TOO_OLD}"),
        (for_code(87)(), f"Kafka takes no record without a key into t-3: {COMPACTED}"),
    ],
)
async def test_what_a_topic_refuses_by_a_setting_names_place_and_setting(
    monkeypatch: pytest.MonkeyPatch, refusal: Exception, says: str
) -> None:
    died: list[BaseException] = []
    monkeypatch.setattr(lanes, "die", died.append)
    kafka = Kafka()
    box = outbox(kafka)
    box.put("t", 3, [Message(b"1", b"a")])
    await turn()
    kafka.pending[0].set_exception(refusal)
    await turn()
    assert [str(cause) for cause in died] == [says]
    assert isinstance(died[0], Misfit)
    box.stop()


async def test_rows_that_a_changelog_refuses_for_their_size_are_told_alike() -> None:
    kafka = Kafka()
    kafka.refusal = MessageSizeTooLargeError()
    with pytest.raises(Misfit, match=r"^Kafka takes no 1200 bytes into log-0: max\.message\.bytes of log is too low"):
        await changelogs(kafka, store()).append(Work(LOG, rows=[[(b"a", b"1")]]))


async def test_whatever_else_kafka_refuses_names_its_place() -> None:
    kafka = Kafka()
    kafka.refusal = UnknownError()
    with pytest.raises(UnknownError) as refused:
        await changelogs(kafka, store()).append(Work(LOG, rows=[[(b"a", b"1")]]))
    assert repr(refused.value) == "UnknownError('log-0')"


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (InvalidSessionTimeoutError(), "Kafka takes no LEADSTREAM_SESSION_TIMEOUT=40m: set one between its group.min.session"),
        (InconsistentGroupProtocolError(), "in the group crm is a consumer that is no worker: stop it"),
    ],
)
async def test_a_group_that_lets_no_worker_in_names_the_setting(error: Exception, says: str) -> None:
    def refuse() -> None:
        raise error

    coordinator = SimpleNamespace(check_errors=refuse, group_id="crm", _session_timeout_ms=2_400_000)
    member: Any = SimpleNamespace(_ensure_consumer=lambda: SimpleNamespace(_coordinator=coordinator))
    with pytest.raises(Misfit, match=f"^{says}"):
        await Member._check_membership(member)


async def test_a_worker_that_stood_still_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    died: list[BaseException] = []
    monkeypatch.setattr(lanes, "die", died.append)

    def guard() -> None:
        raise Stale("frozen")

    kafka: Any = Kafka()
    Outbox(lambda: kafka, guard).put("t", 0, [Message(b"1", b"a")])
    await turn()
    assert [str(cause) for cause in died] == ["frozen"]
    assert kafka.batches == []


async def test_nothing_more_is_read_while_too_much_waits_for_its_acknowledgement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "MAX_BYTES", 1000)
    kafka, heard = Kafka(size=2), []
    box = Outbox(lambda: kafka, lambda: None, lambda: heard.append(1))  # type: ignore[arg-type, return-value]  # a stand-in
    messages = [Message(b"1", bytes(700)), Message(b"2", bytes(700)), Message(b"3", None)]
    box.put("t", 0, messages[:1])
    await asyncio.wait_for(box.room(), 5)
    box.put("t", 1, messages[1:])
    waiting = asyncio.ensure_future(box.room())
    await turn()
    assert not waiting.done()
    assert box.waiting == sum(message.size + lanes.MESSAGE_BYTES for message in messages)
    kafka.pending[0].set_result(None)
    await turn()
    assert not waiting.done()
    kafka.pending[1].set_result(None)
    await asyncio.wait_for(waiting, 5)
    assert (box.waiting, len(heard)) == (0, 2)
    box.stop()


def rows_of(table_store: Any) -> RowTable[bytes]:
    return RowTable(lambda: table_store, "log", lambda data: data, lambda data: data)


async def test_a_checkpoint_takes_each_changed_row_once_and_then_nothing_is_owed() -> None:
    kept = store()
    part = rows_of(kept).open(0)
    assert not part.owes
    for version in (1, 2):
        part.put(b"k", row(version))
    part.put_raw(b"\x00rules", row(0))
    part.done(Batch(EVENTS, 0, 9, []))
    assert part.bytes_of(b"k") == row(2)
    work = part.take()
    assert work.rows == [[(b"\x00rules", row(0)), (b"k", row(2))]]
    assert {tp: at.next for tp, at in work.positions.items()} == {EVENTS: 9}
    assert kept.part(0)[b"k"] == row(2)
    assert part.get(b"k") == row(2)
    assert part.get(b"other") is None
    assert not part.owes


async def test_events_of_a_few_hot_keys_fill_a_partition_as_rows_do() -> None:
    part = rows_of(store()).open(0)
    part.put(b"k", row(1))
    part.received += [0] * 4_000
    assert part.backlog == 1_000
    part.take()
    assert part.backlog == 0


async def test_a_removed_row_gets_a_null() -> None:
    kept = store()
    load(kept, (b"k", row(7)))
    part = rows_of(kept).open(0)
    part.take()
    part.drop(b"k")
    assert part.owes
    assert part.take().rows == [[(b"k", None)]]
    assert part.get(b"k") is None


async def test_stale_rows_are_written_again_by_the_first_checkpoint() -> None:
    kept = store()
    load(kept, (b"k", row(7)), (b"k", row(3)))
    part = rows_of(kept).open(0)
    assert part.owes
    assert part.take().rows == [[(b"k", row(7))]]


class Fold:
    """A fold whose rows say how far it is."""

    cut_bytes = CUT_BYTES

    def __init__(self, stored: MutableMapping[bytes, bytes]) -> None:
        self.stored = stored
        self.next = int.from_bytes(stored.get(b"\x00log", row(0))[1:9], "big")
        self.size = 0

    def cut(self) -> list[Pair]:
        self.size = 0
        rows = {b"a": row(self.next), b"\x00log": row(self.next)}
        self.stored.update(rows)
        return [(b"gone", None), *rows.items()]


async def test_a_cut_is_made_when_a_batch_is_full_and_each_is_a_record_batch_of_its_own() -> None:
    kept = store()
    table = AtomicTable(lambda: kept, "log", Fold)
    assert table.position(0) is None
    part = table.open(0)
    part.fold.next, part.fold.size = 4, CUT_BYTES + 1
    part.cut_for(10)
    part.fold.next = 6
    part.done(Batch(TP("people", 0), 0, 6, []))
    work = part.take()
    assert work.atomic
    assert [rows[-1] for rows in work.rows] == [(b"\x00log", row(4)), (b"\x00log", row(6))]
    assert table.position(0) == 6
    assert not part.owes
    assert kept.part(0) == {b"a": row(6), b"\x00log": row(6)}


async def test_a_fold_is_kept_with_its_partition_and_built_anew_after_a_load() -> None:
    kept = store()
    table = AtomicTable(lambda: kept, "log", Fold)
    fold = table.open(0).fold
    table.reset()
    assert table.open(0).fold is fold
    load(kept, (b"\x00log", row(12)))
    assert table.open(0).fold is not fold
    assert table.position(0) == 12
    kept.parts.clear()
    table.reset()
    assert table.parts == {}


async def test_stale_rows_of_older_cuts_are_written_in_pieces() -> None:
    kept = store()
    large = b"x" * (CUT_BYTES // 2 - 100)
    for key in (b"a", b"b", b"c"):
        load(kept, (key, row(7, large)), (key, row(3)))
    work = AtomicTable(lambda: kept, "log", Fold).open(0).take()
    assert sorted(len(rows) for rows in work.rows) == [1, 2]


async def test_a_stale_row_larger_than_a_piece_is_one_of_its_own() -> None:
    kept = store()
    for key in (b"a", b"b", b"c"):
        load(kept, (key, row(7, b"x" * CUT_BYTES)), (key, row(3)))
    work = AtomicTable(lambda: kept, "log", Fold).open(0).take()
    assert [len(rows) for rows in work.rows] == [1, 1, 1]


def changelogs(kafka: Any, kept: Any, end: int = 0) -> Changelogs:
    async def ends(tps: Any) -> dict[TP, tuple[int, int]]:
        return dict.fromkeys(tps, (0, end))

    def lost(tp: TP, whole: int, said: int) -> Misfit:
        return Misfit(f"{tp.topic}-{tp.partition} is whole up to {whole}, not up to {said}")

    return Changelogs(lambda: kafka, ends, lambda: {"log": kept}, lost)


async def test_rows_follow_each_other_in_a_changelog() -> None:
    kept = store()
    logs = changelogs(Kafka(size=2), kept)
    await logs.append(Work(LOG, rows=[[(b"a", b"1"), (b"b", b"2"), (b"c", b"3")]]))
    assert logs.last(LOG) == 2
    await logs.append(Work(LOG, rows=[[(b"d", b"4")]]))
    assert logs.last(LOG) == 3


async def test_an_acknowledgement_that_does_not_follow_tells_a_second_writer() -> None:
    kept = store()
    kept.at[LOG] = 10
    with pytest.raises(SecondWriter, match="expected offset 11, got 12"):
        await changelogs(Kafka(offset=12), kept).append(Work(LOG, rows=[[(b"a", b"1")]]))


async def test_an_acknowledgement_below_what_is_known_tells_that_rows_were_lost() -> None:
    kept = store()
    kept.at[LOG] = 10
    with pytest.raises(Misfit, match="log-0 is whole up to 6, not up to 10"):
        await changelogs(Kafka(offset=7), kept).append(Work(LOG, rows=[[(b"a", b"1")]]))
    assert kept.at[LOG] == 10


async def test_a_cut_that_does_not_fit_one_batch_is_refused() -> None:
    work = Work(LOG, rows=[[(b"a", b"1"), (b"b", b"2"), (b"c", b"3")]], atomic=True)
    with pytest.raises(ValueError, match="must be one"):
        await changelogs(Kafka(size=2), store()).append(work)


async def test_a_changelog_that_grew_without_us_tells_a_second_writer_though_nothing_is_written() -> None:
    kept = store()
    kept.at[LOG] = 10
    await changelogs(Kafka(), kept, end=11).check(asyncio.Lock(), lambda: {LOG})
    with pytest.raises(SecondWriter, match="expected the end 11, found 12"):
        await changelogs(Kafka(), kept, end=12).check(asyncio.Lock(), lambda: {LOG})


async def test_a_changelog_that_shrank_is_noticed_though_nothing_is_written() -> None:
    kept, owned = store(), {LOG}
    kept.at[LOG] = 10
    with pytest.raises(Misfit, match="log-0 is whole up to 6, not up to 10"):
        await changelogs(Kafka(), kept, end=7).check(asyncio.Lock(), lambda: owned)
    owned.clear()
    await changelogs(Kafka(), kept, end=7).check(asyncio.Lock(), lambda: owned)


async def test_a_changelog_is_whole_as_long_as_it_holds_what_is_known_of_it() -> None:
    kept = store()
    await changelogs(Kafka(), kept, end=11).require_whole({LOG: 10})
    with pytest.raises(Misfit, match="log-0 is whole up to 9, not up to 10"):
        await changelogs(Kafka(), kept, end=10).require_whole({LOG: 10})


@pytest.mark.parametrize(
    ("turned", "heartbeat", "says"), [(10.0, 0.0, "the loop stood still"), (0.0, 10.0, "no good heartbeat"), (0.0, 0.0, "")]
)
async def test_a_process_that_stood_still_or_is_cut_off_may_not_send(turned: float, heartbeat: float, says: str) -> None:
    now = asyncio.get_running_loop().time()
    watchdog = Watchdog(5.0, lambda: now - heartbeat)
    watchdog.turned_at = now - turned
    if says:
        with pytest.raises(Stale, match=says):
            watchdog.check()
    else:
        watchdog.check()


async def test_a_fault_is_injected_at_its_time_only() -> None:
    faults = Faults("commit:2")
    await faults.reach("commit")
    await faults.reach("outputs")
    with pytest.raises(Fault):
        await faults.reach("commit")
    await Faults().reach("commit")


async def test_a_part_may_be_opened_by_a_thread_while_others_are_looked_at() -> None:
    table: Any = AtomicTable(store, "log", Fold)

    class Opens:
        @property
        def has_changed(self) -> bool:
            table.parts[len(table.parts)] = SimpleNamespace(has_changed=False)
            return True

    table.parts = {0: Opens(), 1: Opens()}
    assert len(table.changed()) == 2
