"""Records of the people log, as bytes that say their format."""

import pytest

from stream.domain.event import Company, Link
from stream.domain.log import Record, Snapshot, Tick, Unreadable, Wake, decode, encode
from stream.domain.state import GroupCall, State, Trait

STATE = State(
    as_of=9, events=3, tags={1.5: {"a": 0.25}}, counts={"x": 2}, times={"x": [1, 2]},
    traits={"title": Trait("Head", 4, None, 2), "gone": Trait(None, 5)}, groups={"g": GroupCall(3, {"name": Trait("Acme", 3)})},
    company=Company("Acme", "acme.example", "business", 1.0, "ranges", "192.0.2.0/24", "", {"size": "big"}), company_t=4,
)  # fmt: skip


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(Tick(3, 1_767_571_200_000), id="tick"),
        pytest.param(Wake("anon::a", 7), id="wake"),
        pytest.param(
            Snapshot("user::1", 5, 9, 8, STATE, [Link("anon::a"), Link("email::x@y.z", "free")], "", "sql"), id="snapshot"
        ),
        pytest.param(Snapshot("email::x@y.z", 5, 9, 8, State(), kind="business", wake=True, judged=False), id="a bot's"),
    ],
)
def test_a_record_comes_back_from_its_bytes(record: Record) -> None:
    assert decode(encode(record)) == record


@pytest.mark.parametrize(
    ("data", "told"),
    [
        pytest.param(b"", "format none", id="nothing"),
        pytest.param(b"\x02" + encode(Tick(0, 1))[1:], "format 02", id="a newer release's"),
        pytest.param(b"\x01\xff", "cannot be read", id="no msgpack"),
        pytest.param(encode(Tick(0, 1))[:-1], "cannot be read", id="cut short"),
    ],
)
def test_what_this_release_cannot_read_says_why(data: bytes, told: str) -> None:
    with pytest.raises(Unreadable, match=told):
        decode(data)
