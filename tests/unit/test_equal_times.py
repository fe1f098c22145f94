"""What is told at one millisecond: the later applied counts, and the same facts come out of a fold that was read anew."""

import orjson
import pytest

from stream.domain.event import Event, Group, Link
from stream.domain.traits import LEAF
from tests.told import START, Log, happened, replay

USER = "user::1"
LATE = "x" * (LEAF - 200)


def facts_of(*events: Event) -> Log:
    """Return the log of events, made twice: by one process, and read anew from its rows before each record."""
    log = Log()
    log.add(*events)
    anew = replay(log.records, log.rules, range(len(log.records)))
    assert [out.value for out in anew] == [out.value for out in log.out]
    return log


def named(id_: str, t: int, r: int | None = None) -> Event:
    return happened("page", USER, START + t, r=START + (t if r is None else r), group=Group(id_))


def big(t: int) -> Event:
    return happened("Asked", USER, START + t)


@pytest.mark.parametrize(
    ("calls", "newest"),
    [
        pytest.param([named("x", 10), named("y", 10), named("x", 9, 11)], "y", id="an older call does not bring it back"),
        pytest.param([named("x", 10), named("y", 10), named("x", 10, 11)], "x", id="named again, it is the later applied"),
    ],
)
def test_of_groups_named_at_one_ms_the_last_applied_is_the_account(calls: list[Event], newest: str) -> None:
    log = facts_of(*calls, big(20))
    assert log.moves()
    assert log.document(USER, START + 20)["account"]["id"] == f"account:group:{newest}"
    assert log.facts[-1]["data"]["account"]["id"] == f"account:group:{newest}"


@pytest.mark.parametrize("order", [("anon::a", USER), (USER, "anon::a")])
def test_of_what_two_identities_told_of_a_group_at_one_ms_the_later_in_the_log_counts(order: tuple[str, str]) -> None:
    linked = happened("page", USER, START, links=("anon::a",))
    calls = [happened("page", node, START + 10, group=Group("g", {"name": node})) for node in order]
    again = happened("page", order[0], START + 11, group=Group("g"))
    log = facts_of(linked, *calls, again, big(20))
    assert log.document(USER, START + 20)["account"]["name"] == order[1]
    assert log.facts[-1]["data"]["account"]["name"] == order[1]


def test_a_trait_that_had_to_leave_is_gone_at_once() -> None:
    """Told late, a large one pushes out the two oldest, itself among them."""
    told = happened("page", USER, START + 4, traits={"title": "t" * 100})
    many = happened("page", USER, START + 10, traits=dict.fromkeys("bcde", "v" * (LEAF - 100)))
    late = happened("page", USER, START + 5, r=START + 11, traits={"z": LATE})
    log = facts_of(told, many, late, big(20))
    assert "title" not in orjson.dumps(log.facts[-1]["data"]["lead"]["traits"]).decode()
    assert log.person(USER).stage != "lead"


@pytest.mark.parametrize("known", [(), ("a@acme.example", "b@oil.example"), ("b@oil.example", "a@acme.example")])
@pytest.mark.parametrize("order", [("a@acme.example", "b@oil.example"), ("b@oil.example", "a@acme.example")])
def test_of_two_addresses_in_one_event_the_last_names_the_account(order: tuple[str, ...], known: tuple[str, ...]) -> None:
    before = [happened("page", USER, START + n, links=(_mail(one),)) for n, one in enumerate(known)]
    both = happened("page", USER, START + 5, links=tuple(map(_mail, order)))
    log = facts_of(*before, both, big(20))
    assert log.document(USER, START + 20)["account"]["id"] == f"account::{order[-1].partition('@')[2]}"


def _mail(address: str) -> Link:
    return Link(f"email::{address}", "business")
