"""What becomes of an event at its visitor's row: what is known already, when somebody was seen, who hands on a snapshot."""

from typing import Any

import pytest

from stream.domain import visitor
from stream.domain.event import Event, Link
from stream.domain.state import NEVER
from stream.domain.visitor import REPLAYS, Visitor
from tests.told import BEHAVIOURS, DAY, HOUR, LADDER, START, happened, row_after, rules, worth

PLAIN = rules()
A, USER = "anon::a", "user::1"


def outcomes(*given: tuple[Event, dict[str, Any]]) -> list[str]:
    row: Visitor | None = None
    verdicts = []
    for position, (event, how) in enumerate(given, 1):
        outcome = visitor.apply(row, event, position, PLAIN, **how)
        row = outcome.row
        verdicts.append(outcome.verdict)
    return verdicts


def numbered(message: bytes) -> Event:
    return happened("page", A, START, message=message)


def test_a_known_message_changes_nothing() -> None:
    first = happened("page", A, START)
    row = row_after(first)

    outcome = visitor.apply(row, first, 9, PLAIN)

    assert (outcome.verdict, outcome.snapshot, row.position, row.state.events) == ("duplicate", None, 1, 1)


def test_the_last_256_messages_are_known() -> None:
    given: list[tuple[Event, dict[str, Any]]] = [(numbered(n.to_bytes(6, "big")), {}) for n in range(257)]
    again = [given[1], given[256], given[0]]

    assert outcomes(*given, *again)[-3:] == ["duplicate", "duplicate", "applied"]


@pytest.mark.parametrize(
    ("known", "new", "verdict"),
    [
        pytest.param(b"aaabbb", b"bbbccc", "applied", id="across two hashes"),
        pytest.param(b"cccccc", b"cccccc", "duplicate", id="a hash that also fits across"),
        pytest.param(b"cccddd", b"cccddd", "duplicate", id="the second one"),
    ],
)
def test_a_hash_counts_at_its_place_only(known: bytes, new: bytes, verdict: str) -> None:
    assert outcomes((numbered(known), {}), (numbered(b"cccddd"), {}), (numbered(new), {}))[-1] == verdict


def test_a_forward_is_taken_once() -> None:
    events = [happened("page", A, START) for _ in range(4)]
    places: list[dict[str, Any]] = [{"forwarded": p} for p in ((2, 10), (2, 10), (2, 11), (3, 5))]

    assert outcomes(*zip(events, places, strict=True)) == ["applied", "duplicate", "applied", "applied"]


def test_a_replay_is_taken_once() -> None:
    events = [happened("page", A, START) for _ in range(4)]
    places: list[dict[str, Any]] = [{"replayed": p} for p in (("dead", 0, 7), ("dead", 0, 7), ("dead", 0, 8), ("dead", 1, 7))]

    assert outcomes(*zip(events, places, strict=True)) == ["applied", "duplicate", "applied", "applied"]


def test_the_newest_replays_are_remembered() -> None:
    row: Visitor | None = None
    for offset in range(REPLAYS + 1):
        row = visitor.apply(row, happened("page", A, START), offset, PLAIN, replayed=("dead", 0, offset)).row

    assert row is not None
    assert row.replayed == {"dead:0": list(range(1, REPLAYS + 1))}


# -- times


def test_first_and_last_seen_are_event_times_and_as_of_a_receive_time() -> None:
    row = row_after(
        happened("page", A, START, r=START + HOUR), happened("page", A, START - DAY, r=START + 9), happened("page", A, START)
    )

    assert (row.state.first_seen, row.state.last_seen, row.state.as_of) == (START - DAY, START, START + HOUR)


@pytest.mark.parametrize(("t", "late"), [(START - 1, True), (START, False), (START + 1, False)])
def test_late_is_what_is_older_than_the_newest(t: int, late: bool) -> None:  # noqa: FBT001 -- a vector
    assert visitor.apply(row_after(happened("page", A, START)), happened("page", A, t), 2, PLAIN).late is late


def test_a_crm_move_is_no_interaction() -> None:
    row = row_after(happened("page", A, START), happened("Lead Stage Changed", A, START + DAY, crm_stage="sql"))

    assert (row.state.active, row.state.last_seen) == (START, START + DAY)
    assert worth(row, START + DAY)["moved"] == 1.0


def test_a_bot_is_counted_labelled_and_nothing_else() -> None:
    row = row_after(happened("Asked", A, START, bot=True, url="x/pricing", links=["user::1"]))

    assert (row.state.events, row.state.bot, row.state.active, row.listened) == (1, True, NEVER, False)
    assert (row.state.points, row.state.tags) == ({}, {})


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        pytest.param([(0, True), (1, False)], False, id="a person came later"),
        pytest.param([(1, False), (0, True)], False, id="the bot's event is older"),
        pytest.param([(0, False), (0, True)], True, id="equal times: the later applied"),
    ],
)
def test_bot_is_the_newest_events(times: list[tuple[int, bool]], expected: bool) -> None:  # noqa: FBT001
    assert row_after(*(happened("page", A, START + t, bot=bot) for t, bot in times)).state.bot is expected


# -- traits, groups, companies


@pytest.mark.parametrize(
    ("node", "more", "expected"),
    [
        pytest.param("user::1", {}, True, id="class A from its first event"),
        pytest.param("email::x@y.example", {}, True, id="class B too"),
        pytest.param("lead::lead_0687587883fab020", {}, True, id="a lead id too"),
        pytest.param(A, {}, False, id="a device is silent"),
        pytest.param(A, {"links": ["user::1"]}, True, id="until its own first link"),
        pytest.param("user::1", {"bot": True}, False, id="a bot's event wakes nobody"),
    ],
)
def test_who_hands_on_a_snapshot(node: str, more: dict[str, Any], expected: bool) -> None:  # noqa: FBT001
    outcome = visitor.apply(None, happened("page", node, START, **more), 1, PLAIN)

    assert (outcome.snapshot is not None) is expected


def test_typed_addresses_may_be_weak() -> None:
    weak = rules(BEHAVIOURS + LADDER + '[identity]\ntyped_email = "C"\n')

    assert visitor.apply(None, happened("page", "email::x@y.example", START), 1, weak).snapshot is None


def test_a_snapshot_says_what_its_event_told() -> None:
    event = happened("Lead Stage Changed", "email::x@y.example", START, r=START + 5, crm_stage="sql",
                     links=[Link("anon::a"), Link("phone::+1", "mobile")], node_kind="business")  # fmt: skip
    snapshot = visitor.apply(None, event, 7, PLAIN).snapshot

    assert snapshot is not None
    assert (snapshot.version, snapshot.r, snapshot.t, snapshot.kind) == (7, START + 5, START, "business")
    assert (snapshot.crm_stage, snapshot.judged, snapshot.wake) == ("sql", True, False)
    assert snapshot.links == [Link("anon::a"), Link("phone::+1", "mobile")]


def test_a_bots_snapshot_moves_no_stage_and_is_not_judged() -> None:
    row = row_after(happened("page", USER, START))
    snapshot = visitor.apply(row, happened("page", USER, START, bot=True, crm_stage="sql"), 2, PLAIN).snapshot

    assert snapshot is not None
    assert (snapshot.crm_stage, snapshot.judged) == (None, False)


def test_a_wake_that_meets_no_row_makes_an_empty_one() -> None:
    row, snapshot = visitor.wake(None, A, START, PLAIN)

    assert (row.listened, row.position, row.state.events) == (True, 0, 0)
    assert (snapshot.node, snapshot.version, snapshot.r, snapshot.t, snapshot.wake) == (A, 0, START, NEVER, True)


def test_a_wakes_receive_time_is_the_greatest_its_row_has_applied() -> None:
    row, snapshot = visitor.wake(row_after(happened("page", A, START, r=START + DAY)), A, START, PLAIN)

    assert (snapshot.r, snapshot.t, row.state.as_of) == (START + DAY, START, START + DAY)
    assert visitor.apply(row, happened("page", A, START), 2, PLAIN).snapshot is not None


# -- bytes
