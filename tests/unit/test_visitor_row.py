"""A visitor's row and its bytes."""

import pytest

from stream.domain import visitor
from stream.domain.event import Company, Group
from stream.domain.log import Unreadable
from stream.domain.visitor import Visitor
from tests.told import LADDER, START, copied, happened, row_after, rules

CAPPED = rules('[behaviours.x]\nmatch = { type = "page" }\npoints = 10\ncap = { points = 25 }\n' + LADDER)
A = "anon::a"
ACME = Company("Acme", "acme.example", "business", 0.9, "ranges", "192.0.2.0/24", "")


def full() -> Visitor:
    row = row_after(
        happened("Asked", A, START, url="x/pricing", company=ACME, group=Group("g", {"name": "G"}),
                 traits={"a.b": [1, {"c": None}]}),
        happened("page", A, START, links=["user::1"]), ruleset=CAPPED,
    )  # fmt: skip
    visitor.apply(row, happened("page", A, START), (1 << 48) | 77, rules(), forwarded=(3, 9))
    visitor.apply(row, happened("page", A, START), (1 << 48) | 78, rules(), replayed=("dead", 1, 2))
    return row


@pytest.mark.parametrize("row", [Visitor(), full()], ids=["empty", "full"])
def test_a_row_comes_back_from_its_bytes(row: Visitor) -> None:
    data = visitor.encode(row)

    assert visitor.decode(data) == row
    assert int.from_bytes(data[1:9], "big") == row.position
    assert visitor.encode(visitor.decode(data)) == data
    assert copied(row) == row


def test_rows_of_a_key_compare_by_position_without_decoding() -> None:
    old, new = Visitor(position=(1 << 48) | 5), Visitor(position=2 << 48, listened=True)

    assert visitor.encode(old)[:9] < visitor.encode(new)[:9]
    assert (visitor.encode(old)[9], visitor.encode(new)[9]) == (0, 1)
    assert visitor.encode(old)[10:] == visitor.encode(Visitor())[10:]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(b"", "format none", id="nothing"),
        pytest.param(b"\x07" + visitor.encode(Visitor())[1:], "format 07", id="a newer release's"),
        pytest.param(visitor.encode(full())[:-1], "cannot be read", id="cut short"),
    ],
)
def test_a_row_that_cannot_be_read_says_why(data: bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        visitor.decode(data)
