"""What the CRM tells beside stages: owners, deals, orders settle by its own time and belong to each identity."""

import sys
from math import inf
from typing import Any

import pytest

from stream.domain import outcomes
from stream.domain.event import Event
from stream.domain.ids import lead_id
from stream.domain.outcomes import CURRENCIES, LONGEST, NO_CURRENCY, ORDERS, Moved, Order, Outcomes, Owner, Sum
from tests.told import DAY, HOUR, LEAD_1, START, Log, happened

USER, MAIL = "user::1", "email::a@b.example"
LEAD = f"lead::{LEAD_1}"


def said(name: str, node: str = USER, t: int = START, r: int | None = None, **told: Any) -> Event:
    return happened(name, node, t, r=t if r is None else r, properties=told)


def owned(name: object, node: str = USER, t: int = START, **more: Any) -> Event:
    return said("Owner Changed", node, t, owner=name, **more)


def ordered(order: object, total: object, node: str = USER, t: int = START, **told: Any) -> Event:
    return said("Order Completed", node, t, order_id=order, total=total, **{"currency": "EUR"} | told)


def shown(*events: Event) -> dict[str, Any]:
    log = Log()
    log.add(happened("page", USER, START - HOUR), *events)
    return log.document(USER, START + 9 * DAY)


def orders(*events: Event) -> Any:
    return shown(*events)["outcomes"]["orders"]


def test_who_was_told_nothing_has_no_owner_and_no_outcomes() -> None:
    document = shown()
    assert document["owner"] is None
    assert document["outcomes"] == {"won": None, "lost": None, "orders": {"count": 0, "lastAt": None, "currencies": {}}}
    assert list(document)[-2:] == ["owner", "outcomes"]


# -- owners


@pytest.mark.parametrize(
    ("why", "events", "owner"),
    [
        ("the newest by its own time", [owned("anna"), owned("ben", t=START + 1)], "ben"),
        ("one that comes late is older", [owned("ben", t=START + 1), owned("anna", r=START + HOUR)], "ben"),
        ("the later applied among equals", [owned("anna"), owned("ben")], "ben"),
        ("a repeat changes nothing", [owned("anna"), owned("ben", t=START + 1), owned("anna")], "ben"),
        ("nobody any more", [owned("anna"), owned(None, t=START + 1)], None),
        ("a blank is nobody", [owned("anna"), owned(" ", t=START + 1)], None),
        ("a number is an id", [owned(17)], "17"),
        ("a wrong type is no word", [owned("anna"), owned({"id": 1}, t=START + 1), owned(True, t=START + 2)], "anna"),
        ("no owner at all is no word", [owned("anna"), said("Owner Changed", t=START + 1)], "anna"),
        ("a long name is cut", [owned("x" * 999)], "x" * LONGEST),
        ("only a track says it", [happened("page", USER, START, event="Owner Changed", properties={"owner": "a"})], None),
        ("a bot says nothing", [happened("Owner Changed", USER, START, bot=True, properties={"owner": "a"})], None),
        ("by the lead's id", [owned("anna", LEAD)], "anna"),
        ("across identities by time", [owned("ben", LEAD, START + 2), owned("anna", t=START + 1)], "ben"),
        ("across identities the later applied", [owned("ben", LEAD), owned("anna")], "anna"),
        ("also where the first one is said again", [owned("ben", LEAD), owned("anna"), ordered(1, 1, LEAD)], "anna"),
    ],
)  # fmt: skip
def test_an_owner_is_the_newest_by_the_time_of_the_crm(why: str, events: list[Event], owner: str | None) -> None:
    assert shown(*events)["owner"] == owner, why


# -- deals


def test_the_newest_deal_of_each_kind_is_shown() -> None:
    document = shown(
        said("Deal Won", t=START + 2, amount=120, currency=" eur ", reason="the price"),
        said("Deal Lost", t=START + 3, reason="a competitor"),
        said("Deal Won", t=START + 1, amount=1, currency="EUR", r=START + HOUR),
    )
    assert document["outcomes"]["won"] == {
        "at": "2026-01-05T00:00:00.002Z", "amount": 120.0, "currency": "EUR", "reason": "the price",
    }  # fmt: skip
    assert document["outcomes"]["lost"] == {
        "at": "2026-01-05T00:00:00.003Z", "amount": None, "currency": None, "reason": "a competitor",
    }  # fmt: skip


@pytest.mark.parametrize("amount", ["120", True, None, [1], float("inf")])
def test_an_amount_that_is_no_number_is_none(amount: object) -> None:
    assert shown(said("Deal Won", amount=amount, currency="euro"))["outcomes"]["won"]["amount"] is None


def test_a_deal_or_an_order_moves_no_stage() -> None:
    log = Log()
    log.add(happened("page", USER, START), said("Deal Won"), ordered("1", 99), said("Deal Lost"), owned("anna"))
    assert [move[:2] for move in log.moves()] == [("visitor", "lead")]


def test_the_newest_move_is_remembered_with_the_time_it_was_received() -> None:
    moves = [("mql", START, START + HOUR), ("customer", START + 2, START + 3), ("sql", START + 1, START + 9)]
    log = Log()
    log.add(happened("Lead Stage Changed", USER, START))
    assert log.visitors[USER].state.outcomes == Outcomes()
    log.add(*(happened("Lead Stage Changed", USER, t, r=r, crm_stage=stage) for stage, t, r in moves))
    known = log.visitors[USER].state.outcomes
    assert known is not None
    assert known.moved == Moved("customer", START + 2, START + 3)


# -- orders


def test_orders_add_up_by_currency() -> None:
    assert orders(ordered("a", 10), ordered("b", 20.5, t=START + DAY), ordered("c", 7, currency="USD")) == {
        "count": 3,
        "lastAt": "2026-01-06T00:00:00.000Z",
        "currencies": {"EUR": {"count": 2, "total": 30.5}, "USD": {"count": 1, "total": 7.0}},
    }


@pytest.mark.parametrize(
    ("why", "events", "count", "total"),
    [
        ("told again it is the same", [ordered("a", 10), ordered("a", 10)], 1, 10.0),
        ("told again it is corrected", [ordered("a", 10), ordered("a", 12, t=START + 1)], 1, 12.0),
        ("an older word of it does not count", [ordered("a", 12, t=START + 1), ordered("a", 10)], 1, 12.0),
        ("by its number", [ordered(7, 1), ordered("7", 1)], 1, 1.0),
        ("told of two identities it is one", [ordered("a", 10), ordered("a", 10, LEAD)], 1, 10.0),
        ("without an id each event is one", [ordered(None, 1), ordered("null", 1)], 2, 2.0),
        ("without a total it counts", [ordered("a", None), ordered("b", "3")], 2, 0.0),
    ],
)
def test_an_order_counts_once(why: str, events: list[Event], count: int, total: float) -> None:
    told = orders(*events)
    assert (told["count"], told["currencies"]["EUR"]["total"]) == (count, total), why


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("earlier", [0, ORDERS], ids=["remembered", "summed up"])
def test_a_sum_that_no_number_holds_is_the_largest(sign: int, earlier: int) -> None:
    """Infinity would be null in the document, which its schema does not know."""
    huge = [ordered(n, sign * 1.7e308, t=START + n) for n in range(2)]
    small = [ordered(f"s{n}", 1, t=START + DAY + n) for n in range(earlier)]
    total = orders(*huge, *small, ordered("back", -sign * 1e308, currency="USD"))["currencies"]["EUR"]["total"]
    assert total == sign * sys.float_info.max


def test_sums_of_two_members_stop_there_too_and_one_that_an_older_release_kept_as_infinity_is_shown() -> None:
    one, other = Outcomes(earlier={"EUR": Sum(1, 1.7e308)}), Outcomes(earlier={"EUR": Sum(1, 1.7e308), "USD": Sum(1, inf)})
    sums = outcomes.document(outcomes.together((one, other)))["orders"]["currencies"]
    assert sums == {"EUR": {"count": 2, "total": sys.float_info.max}, "USD": {"count": 1, "total": sys.float_info.max}}


def test_an_order_without_a_currency_stands_apart() -> None:
    assert orders(ordered("a", 1, currency=None), ordered("b", 2, currency="€"))["currencies"] == {
        NO_CURRENCY: {"count": 2, "total": 3.0}
    }


def test_orders_beyond_those_remembered_are_in_the_sum() -> None:
    many = [ordered(n, 1, t=START + n) for n in range(64 + 3)]
    log = Log()
    log.add(happened("page", USER, START - HOUR), *many, ordered(64, 5, LEAD, t=START + 1000))
    known = log.visitors[USER].state.outcomes
    assert known is not None
    assert (len(known.orders), known.earlier["EUR"].count) == (64, 3)
    told = log.document(USER, START + DAY)["outcomes"]["orders"]
    assert told["currencies"] == {"EUR": {"count": 64 + 3, "total": 64 + 7.0}}


def test_currencies_are_bounded_too() -> None:
    codes = [f"{a}{b}A" for a in "ABCDEF" for b in "ABCDEFGH"]
    told = Outcomes()
    for n, code in enumerate(codes * 2):
        told = outcomes.tell(told, ordered(n, 1, t=START + n, currency=code))
    assert len(told.earlier) <= CURRENCIES + 1
    assert outcomes.document(told)["orders"]["count"] == 2 * len(codes)


# -- of whom


def test_a_merged_lead_has_what_both_were_told_and_its_old_id_still_works() -> None:
    log = Log()
    log.add(happened("page", USER, START - HOUR), happened("page", MAIL, START - HOUR), owned("ben", MAIL, START + 5))
    log.add(ordered("a", 1), ordered("b", 2, MAIL), happened("page", USER, START + HOUR, links=[MAIL]))
    log.add(owned("cleo", f"lead::{lead_id(MAIL)}", START + 7))
    document = log.document(USER, START + DAY)
    assert document["id"] == LEAD_1
    assert document["owner"] == "cleo"
    assert document["outcomes"]["orders"]["currencies"] == {"EUR": {"count": 2, "total": 3.0}}


def test_members_are_summed_in_any_order_of_earlier_orders() -> None:
    one, other = Outcomes(owner=Owner("anna", 1, 2)), Outcomes(owner=Owner("ben", 1, 3))
    for told, first in ((one, 0), (other, 1000)):
        for n in range(ORDERS + 1):
            outcomes.tell(told, ordered(first + n, 2, t=START + n))
    for pair in ((one, None, other), (other, one)):
        both = outcomes.together(pair)
        assert both.owner == Owner("ben", 1, 3)
        assert outcomes.document(both)["orders"]["currencies"]["EUR"] == {"count": 2 * ORDERS + 2, "total": 4.0 * ORDERS + 4}
    assert one.earlier["EUR"].count == 1


def test_a_place_in_the_log_stays_with_what_was_told_there() -> None:
    old = Outcomes(owner=Owner("anna", 1, 5), orders={"a": Order(1, 2.0, "EUR", 5)})
    new = Outcomes(owner=Owner("anna", 1), orders={"a": Order(1, 3.0, "EUR")})
    outcomes.stamp(new, old, 9)
    assert new.owner is not None
    assert (new.owner.stamp, new.orders["a"].stamp) == (5, 9)
