"""People that were lost: what the CRM said holds on, what was refused stays refused, and the CRM hears of neither again."""

from typing import Any

import orjson
import pytest

from stream.domain import visitor
from stream.domain.event import Event
from stream.domain.ids import lead_id
from stream.domain.log import Record, Refused, Restored, Settled, Told, decode, encode
from stream.domain.state import NEVER
from stream.domain.visitor import Visitor
from stream.ops.crm_moves import Moves
from stream.ops.lead_states import refused
from tests.told import DAY, HOUR, LEAD_1, LEAD_2, START, Log, happened
from tests.unit.test_restoring import lost, say_all

USER, OTHER, MAIL, DEVICE = "user::1", "user::2", "email::a@b.example", "anon::a"
LEAD = f"lead::{LEAD_1}"
HOLD = 14 * DAY


def moved(stage: str, node: str = LEAD, t: int = START, **more: Any) -> Event:
    return happened("Lead Stage Changed", node, t, crm_stage=stage, **more)


def again(log: Log, partitions: int = 1) -> Log:
    """Return the people as they stand after a loss, before the first sums."""
    back, moves = lost(log, partitions), Moves()
    facts = [out.value for out in log.out if out.topic == "stage-changes" and out.value is not None]
    for node, row in log.visitors.items():
        moves.look(node.encode(), visitor.encode(row))
    records: list[Record] = [*(pair for pair in refused(facts) if moves.knows(pair)), *moves.told()]
    for record in records:
        back.append(record)
    return back


def settle(back: Log, *nodes: str) -> Log:
    say_all(back, *nodes)
    back.append(Settled("run", 0))
    return back


# -- what the CRM said


@pytest.mark.parametrize(
    ("why", "events"),
    [
        ("a stage set by hand", [moved("mql")]),
        ("the present stage", [moved("lead")]),
        ("received later than it was made", [moved("mql", t=START, r=START + HOUR)]),
        ("under the address", [moved("mql", MAIL, links=[USER])]),
        ("the newer of two, though the older came last", [moved("mql", t=START + 2), moved("lead", t=START + 1, r=START + DAY)]),
        ("of two lead ids the newer", [moved("mql", t=START + 1), moved("sql", USER, t=START + 2)]),
        ("of one received in the same moment as another", [moved("sql"), moved("mql", USER)]),
        ("a stage of its own ends a hold", [moved("mql"), moved("customer", t=START + 1)]),
    ],
)  # fmt: skip
def test_a_hold_and_the_time_of_the_newest_move_hold_on(why: str, events: list[Event]) -> None:
    log = Log()
    log.add(happened("Asked", USER, START - HOUR), *events)
    back = settle(again(log))
    before, after = log.person(USER), back.person(USER)
    assert (after.stage, after.crm_t, after.hold_until) == (before.stage, before.crm_t, before.hold_until), why
    assert back.moves() == []


def test_sums_that_come_back_before_the_crms_word_lift_nobody_it_holds() -> None:
    log = Log()
    log.add(happened("Asked", USER, START), moved("lead", t=START + 1))
    back = again(log)
    say_all(back, USER)
    assert back.moves() == []
    assert back.person(USER).hold_until == START + 1 + HOLD


def test_a_hold_that_came_back_ends_at_its_instant() -> None:
    log = Log()
    log.add(happened("page", USER, START), moved("mql", t=START + 1))
    back = settle(again(log))
    back.tick(START + HOLD)
    assert back.moves() == []
    back.tick(START + HOLD + 1)
    assert back.moves() == [("mql", "lead", "decay", HOLD + 1)]


def test_an_older_move_that_comes_late_is_ignored_as_before() -> None:
    log = Log()
    log.add(happened("page", USER, START), moved("customer", t=START + 5))
    back = settle(again(log))
    back.add(moved("mql", t=START + 4, r=START + DAY))
    assert back.person(USER).stage == "customer"


def test_a_stage_entered_by_itself_after_a_hold_is_held_no_more() -> None:
    log = Log()
    log.add(happened("page", USER, START), moved("mql"), happened("Asked", USER, START + HOLD + DAY))
    log.tick(START + HOLD + 30 * DAY)
    log.add(happened("Asked", USER, START + HOLD + 31 * DAY))
    assert log.person(USER).stage == "mql"
    back = settle(again(log))
    assert back.person(USER).hold_until == START + HOLD


def test_an_identity_that_comes_back_with_its_sums_only_brings_its_move() -> None:
    log = Log()
    log.add(happened("page", USER, START), happened("page", "user::9", START), moved("lead", MAIL, START + 1, links=[USER]))
    back = lost(log)
    say_all(back, MAIL)
    assert (back.person(USER).crm_t, back.person(USER).hold_until) == (START + 1, START + 1 + HOLD)


def test_a_move_of_somebody_unknown_or_of_an_unknown_stage_holds_nobody() -> None:
    back = Log()
    back.append(Restored(LEAD_1, 1, [USER], stage="mql", entered_at=START, as_of=START))
    for told in (Told("user::9", "mql", 1, 1), Told("lead::lead_0000000000000000", "mql", 1, 1)):
        back.append(told)
    assert back.person(USER).crm_t == NEVER
    back.append(Told(USER, "dreamland", 1, 1))
    assert (back.person(USER).crm_t, back.person(USER).hold_until) == (1, NEVER)


def test_of_a_row_written_twice_the_greater_position_counts() -> None:
    moves, log = Moves(), Log()
    log.add(moved("mql", USER))
    old = visitor.encode(log.visitors[USER])
    log.add(moved("customer", USER, START + 1))
    new = visitor.encode(log.visitors[USER])
    for row in (old, new, old):
        moves.look(USER.encode(), row)
    moves.look(b"\x00ruleset", b"")
    moves.look(b"anon::x", visitor.encode(Visitor()))
    assert moves.told() == [Told(USER, "customer", START + 1, START + 1)]
    moves.look(USER.encode(), visitor.encode(Visitor(listened=True, position=1 << 40)))
    assert moves.told() == []


# -- what was refused


def shared() -> Log:
    """Return a log in which two users meet on one device, which is the first one's."""
    log = Log()
    log.add(happened("Asked", USER, START), happened("page", DEVICE, START), happened("page", OTHER, START))
    log.add(happened("page", USER, START, links=[DEVICE]), happened("page", OTHER, START + HOUR, links=[DEVICE]))
    return log


def told_conflicts(log: Log) -> list[Any]:
    return [fact["data"]["ids"] for fact in log.facts if fact["type"] == "identity.conflict.v1"]


def test_a_shared_device_is_still_the_first_ones_and_no_conflict_is_told_again() -> None:
    log = shared()
    assert told_conflicts(log) == [[OTHER, DEVICE]] * 2
    back = settle(again(log), OTHER, USER, DEVICE)
    identity = back.people.rows.identity(DEVICE)
    assert identity is not None
    assert identity.shared
    assert back.person(DEVICE).id == LEAD_1
    assert set(back.person(USER).members) == {USER, DEVICE}
    assert told_conflicts(back) == []
    at = START + DAY
    assert back.document(USER, at)["score"] == log.document(USER, at)["score"]
    back.add(happened("page", OTHER, START + DAY, links=[DEVICE]), happened("page", USER, START + DAY, links=[DEVICE]))
    assert told_conflicts(back) == []


def test_a_device_of_nobody_known_is_shared_all_the_same() -> None:
    back = Log()
    back.append(Restored(LEAD_1, 1, [USER], stage="lead", entered_at=START, as_of=START))
    back.append(Refused(OTHER, DEVICE, [LEAD_2], "class_a"))
    identity = back.people.rows.identity(DEVICE)
    assert identity is not None
    assert (identity.shared, identity.person) == (True, "")


def test_a_link_that_was_one_too_many_shares_nothing() -> None:
    back = Log()
    back.append(Restored(LEAD_1, 1, [USER], stage="lead", entered_at=START, as_of=START))
    back.append(Refused(USER, DEVICE, [LEAD_1], "max_members"))
    identity = back.people.rows.identity(DEVICE)
    assert identity is None or not identity.shared


def test_who_was_erased_is_not_brought_back_by_what_was_refused() -> None:
    facts = [out.value for out in shared().out if out.topic == "stage-changes" and out.value is not None]
    assert refused(facts) == [Refused(OTHER, DEVICE, [LEAD_2, LEAD_1], "class_a")]
    erased = orjson.dumps({"type": "lead.erased.v1", "subject": lead_id(USER), "data": {"lead": {"id": lead_id(USER)}}})
    assert refused([*facts, erased]) == []


def test_a_device_that_was_erased_is_not_brought_back_by_what_was_refused() -> None:
    moves, pair = Moves(), Refused(OTHER, DEVICE, [LEAD_2], "class_a")
    moves.look(DEVICE.encode(), visitor.encode(Visitor(listened=True, position=1)))
    assert moves.knows(pair)
    moves.look(DEVICE.encode(), None)
    assert not moves.knows(pair)
    assert moves.told() == []


@pytest.mark.parametrize("record", [Told("user::1", "mql", 1, 2), Refused("user::1", "anon::a", ["lead_a"], "class_a")])
def test_a_record_comes_back_from_its_bytes(record: Record) -> None:
    assert decode(encode(record)) == record
