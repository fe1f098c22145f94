"""Where a partition goes on, and when a start is refused."""

from typing import Any

import pytest
from faust.types import TP
from msgspec.structs import replace

from stream.runtime.fatal import Misfit
from stream.runtime.resume import Found, Mark, Resume, other_source, prove, read_mark, resume, write_mark

EVENTS = TP("events", 3)
MARK = Mark(changelog=40, partitions=8, last=99, print="abc", rules="r1")


def found(**changed: Any) -> Found:
    usual: dict[str, Any] = {
        "committed": 100, "mark": MARK, "stored": (100, MARK), "state_at": None,
        "first": 0, "end": 500, "partitions": 8, "changelog": 40,
    }  # fmt: skip
    return Found(EVENTS, **(usual | changed))


@pytest.mark.parametrize(
    ("kafka", "goes_on"),
    [
        pytest.param(
            found(committed=None, mark=None, stored=None, first=7), Resume(7, 7), id="never committed: at the beginning"
        ),
        pytest.param(found(mark=None, stored=None), Resume(100, 100), id="committed by somebody else, or by the embedded broker"),
        pytest.param(found(), Resume(99, 100, MARK), id="the record before the commit is read to prove it"),
        pytest.param(found(first=100), Resume(100, 100), id="that record is deleted already"),
        pytest.param(found(mark=Mark(40, 8)), Resume(100, 100), id="the last batch held no record"),
        pytest.param(found(state_at=140), Resume(140, 140), id="an atomic table knows better than the commit"),
        pytest.param(
            found(committed=None, mark=None, stored=None, state_at=140), Resume(140, 140), id="its commit was never made"
        ),
        pytest.param(found(end=100), Resume(99, 100, MARK), id="nothing new"),
        pytest.param(found(committed=None, mark=None, stored=(100, MARK)), Resume(99, 100, MARK), id="the commit expired"),
        pytest.param(found(mark=None, stored=(100, MARK)), Resume(99, 100, MARK), id="a broker that drops metadata"),
        pytest.param(found(mark=None, stored=(120, MARK)), Resume(100, 100), id="... and a crash before the commit"),
        pytest.param(found(mark=None, committed=170, stored=(100, MARK)), Resume(99, 100, MARK), id="somebody reads in our name"),
        pytest.param(
            found(mark=None, committed=170, stored=(100, replace(MARK, turn=1))),
            Resume(99, 100, replace(MARK, turn=1)),
            id="... after an operator's turn",
        ),
        pytest.param(found(stored=(120, MARK)), Resume(99, 100, MARK), id="a crash before the commit"),
        pytest.param(found(changelog=77), Resume(99, 100, MARK), id="the changelog went on before the crash"),
    ],
)
def test_a_partition_goes_on(kafka: Found, goes_on: Resume) -> None:
    assert resume(kafka) == goes_on


@pytest.mark.parametrize(
    ("kafka", "says"),
    [
        pytest.param(found(end=99), r"events-3 ends at 99, but was read up to 100.*topics --adopt", id="recreated, shorter"),
        pytest.param(
            found(committed=None, mark=None, stored=(100, MARK), end=20),
            "ends at 20, but was read up to 100",
            id="its commits went with it",
        ),
        pytest.param(found(partitions=12), r"events has 12 partitions, its state was made with 8", id="repartitioned"),
        pytest.param(found(changelog=39), r"changelog of events-3 is whole up to 39, not up to 40", id="changelog cut"),
        pytest.param(found(changelog=-1), r"is whole up to -1", id="changelog recreated"),
        pytest.param(found(stored=None, changelog=4000), "whole up to -1, not up to 40", id="... and written since"),
        pytest.param(
            found(stored=(70, replace(MARK, changelog=30)), changelog=4000),
            "is whole up to 30, not up to 40",
            id="cut, and written since",
        ),
        pytest.param(
            found(stored=(170, replace(MARK, changelog=30)), mark=replace(MARK, turn=1), changelog=4000),
            "is whole up to 30, not up to 40",
            id="an operator's turn was lost with what is behind it",
        ),
        pytest.param(found(state_at=501), r"ends at 500, but was read up to 501", id="people recreated"),
    ],
)
def test_a_start_is_refused(kafka: Found, says: str) -> None:
    with pytest.raises(Misfit, match=says):
        resume(kafka)


def test_another_record_at_the_same_offset_is_another_topic() -> None:
    prove(EVENTS, MARK, 99, "abc")
    prove(EVENTS, MARK, 100, "other")
    with pytest.raises(Misfit, match="events-3 holds another record at 99"):
        prove(EVENTS, MARK, 99, "other")


@pytest.mark.parametrize(
    ("keys", "other"),
    [
        pytest.param([], None, id="an empty table"),
        pytest.param([b"anon::a"], None, id="rows, and no checkpoint yet"),
        pytest.param([b"anon::a", b"\x00mark:wakes"], None, id="ours"),
        pytest.param([b"anon::a", b"\x00mark:old-events"], "old-events", id="another prefix"),
        pytest.param([b"\x00mark:old-events", b"\x00mark:events"], None, id="an older release let us go on here"),
    ],
)
def test_a_table_tells_whose_it_is(keys: list[bytes], other: str | None) -> None:
    assert other_source(keys, ("events", "wakes")) == other


def test_a_mark_survives_the_metadata_of_a_commit() -> None:
    assert read_mark(write_mark(MARK)) == MARK


@pytest.mark.parametrize("foreign", ["", "kafka-ui", "{}[", '{"changelog": "x"}'])
def test_metadata_of_others_is_no_mark(foreign: str) -> None:
    assert read_mark(foreign) is None
