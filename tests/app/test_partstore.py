"""What a recovery keeps of a changelog."""

from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP
from yarl import URL

from stream.agents.latch import keep_flags
from stream.runtime.partstore import PartStore


def row(position: int, body: bytes = b"", flags: int = 0) -> bytes:
    return b"\x01" + position.to_bytes(8, "big") + bytes((flags,)) + body


def store(**merges: Any) -> PartStore:
    app: Any = SimpleNamespace(merges=merges, conf=None)
    table: Any = SimpleNamespace(name="visitors", changelog_topic=SimpleNamespace(topics=["log"]))
    return PartStore(URL("part://"), app, table)


def load(into: PartStore, *pairs: tuple[bytes | None, bytes | None], partition: int = 0) -> None:
    records: Any = [SimpleNamespace(key=key, value=value) for key, value in pairs]
    into.load(partition, records)


def test_the_greatest_position_counts_not_the_last_record() -> None:
    made = store()
    load(made, (b"k", row(7, b"new")), (b"k", row(3, b"a frozen worker's")))
    assert made.part(0) == {b"k": row(7, b"new")}
    assert made.stale[0] == {b"k"}


def test_a_good_row_behind_a_stale_one_heals_the_changelog() -> None:
    made = store()
    load(made, (b"k", row(7)), (b"k", row(3)), (b"k", row(8)))
    assert made.part(0) == {b"k": row(8)}
    assert made.stale[0] == set()


def test_of_equal_positions_the_last_counts() -> None:
    made = store()
    load(made, (b"k", row(7, b"a")), (b"k", row(7, b"b")))
    assert made.part(0) == {b"k": row(7, b"b")}


def test_a_null_removes_a_row() -> None:
    made = store()
    load(made, (b"k", row(7)), (b"k", row(3)), (b"k", None))
    assert made.part(0) == {}
    assert made.stale[0] == set()


def test_a_record_without_a_key_is_no_row() -> None:
    made = store()
    load(made, (None, row(7)))
    assert len(made) == 0


@pytest.mark.parametrize("pairs", [[row(7, b"new"), row(3, b"old", 1)], [row(3, b"old", 1), row(7, b"new")]])
def test_a_flag_is_taken_from_any_row_of_the_key_and_written_again(pairs: list[bytes]) -> None:
    made = store(visitors=keep_flags)
    load(made, *((b"k", value) for value in pairs))
    assert made.part(0) == {b"k": row(7, b"new", 1)}
    assert made.stale[0] == {b"k"}


def test_the_ruleset_has_no_flags() -> None:
    assert keep_flags(b"\x00ruleset", row(0, b"new"), row(0, b"old", 1)) == row(0, b"new")


async def test_partitions_that_went_leave_no_ghosts_and_kept_ones_stay() -> None:
    made = store()
    for partition in (0, 1):
        load(made, (b"k%d" % partition, row(1)), partition=partition)
        made.at[TP("log", partition)] = 5
    await made.on_rebalance({TP("log", 0)}, {TP("log", 1), TP("other", 0)}, set())
    assert made.persisted_offset(TP("log", 0)) == 5
    assert made.persisted_offset(TP("log", 1)) is None
    assert list(made) == [b"k0"]
    assert made[b"k0"] == row(1)
    with pytest.raises(KeyError):
        made[b"k1"]


def test_rows_are_written_by_checkpoints_only() -> None:
    with pytest.raises(TypeError, match="checkpoints"):
        store()[b"k"] = b"v"
    with pytest.raises(TypeError, match="checkpoints"):
        del store()[b"k"]
