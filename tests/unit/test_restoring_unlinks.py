"""People that were lost: whom an operator took apart stays apart, whom one joined stays one; the visitors' rows know it."""

from typing import Any

import pytest

from stream.domain import visitor
from stream.domain.event import Event
from stream.domain.ids import lead_id
from stream.domain.log import Erasing, Linking, Record, Said, Settled, Settling, Unlinking, decode, encode
from stream.domain.person import Cut
from stream.domain.visitor import Visitor
from stream.ops.crm_moves import Moves
from stream.ops.lead_states import newest_numbers, refused, restored
from tests.told import DAY, HOUR, LEAD_1, START, Log, copied, happened
from tests.unit.test_restoring import say_all

USER, OTHER, MAIL, PHONE, DEVICE = "user::1", "user::2", "email::a@b.example", "phone::+4930123456", "anon::a"
MAIL_LEAD = lead_id(MAIL)


def page(node: str, t: int = START, *links: str, **more: Any) -> Event:
    return happened("page", node, t, links=links, **more)


def says(log: Log, what: type[Linking | Unlinking], one: str, other: str) -> None:
    log.append(what(f"w{len(log.records)}", one, other))


def lost(log: Log, *order: str) -> Log:
    """Return the people as they stand once their sums have come back, in an order of the visitors."""
    back, moves = Log(log.rules), Moves()
    back.visitors = log.visitors
    for node, row in log.visitors.items():
        moves.look(node.encode(), visitor.encode(row))
    facts = [out.value for out in log.out if out.topic == "stage-changes" and out.value is not None]
    newest = {out.key.decode(): out.value for out in log.out if out.topic == "lead-states"}
    states = {id_: value for id_, value in newest.items() if value is not None}
    pairs = [pair for pair in refused(facts, moves.unshared()) if moves.knows(pair)]
    records: list[Record] = [
        Settling("run"), *moves.said(), *restored(states, newest_numbers(facts)), *pairs, *moves.told(),
    ]  # fmt: skip
    for record in records:
        back.append(record)
    say_all(back, *order)
    back.append(Settled("run", 0))
    return back


def people(log: Log) -> set[str]:
    """Return who is one person, as space separated identities."""
    return {" ".join(sorted(person.members)) for person in log.people.rows.persons() if person.members}


def merged() -> Log:
    log = Log()
    log.add(page(USER), page(MAIL, START + HOUR), page(USER, START + DAY, MAIL), page(USER, START + DAY, DEVICE))
    log.tick(START + 2 * DAY)
    return log


@pytest.mark.parametrize("order", [(USER, MAIL, DEVICE), (DEVICE, MAIL, USER), (MAIL, DEVICE, USER)])
def test_two_leads_that_were_taken_apart_are_two_again(order: tuple[str, ...]) -> None:
    log = merged()
    says(log, Unlinking, USER, MAIL)
    back = lost(log, *order)

    assert people(back) == people(log) == {f"{DEVICE} {USER}", MAIL}
    assert (back.person(USER).id, back.person(MAIL).id) == (LEAD_1, MAIL_LEAD)
    assert back.person(USER).previous == []
    assert [fact["type"] for fact in back.facts] == [], "the CRM knows all of it"
    back.add(page(USER, START + 3 * DAY, MAIL), page(DEVICE, START + 3 * DAY, MAIL))
    assert people(back) == {f"{DEVICE} {USER}", MAIL}, "no event joins them"


def test_also_through_a_third_one_that_came_since() -> None:
    log = merged()
    says(log, Unlinking, USER, DEVICE)
    log.add(page(USER, START + 3 * DAY, PHONE), page(PHONE, START + 3 * DAY, DEVICE))
    for order in ((USER, DEVICE, PHONE, MAIL), (USER, PHONE, MAIL, DEVICE)):
        assert people(lost(log, *order)) == people(log) == {f"{MAIL} {PHONE} {USER}", DEVICE}


def test_who_was_joined_again_is_one_and_nothing_keeps_them_apart() -> None:
    log = merged()
    says(log, Unlinking, USER, MAIL)
    says(log, Linking, USER, MAIL)
    back = lost(log)

    assert people(back) == {f"{DEVICE} {MAIL} {USER}"}
    identity = back.people.rows.identity(MAIL)
    assert identity is not None
    assert identity.apart == []
    assert (log.visitors[MAIL].said or ())[1:] == ([], -1)


def test_whom_only_an_operator_ever_joined_is_still_joined() -> None:
    log = Log()
    log.add(page(USER), page(MAIL), page(DEVICE))
    says(log, Linking, MAIL, USER)
    says(log, Linking, USER, DEVICE)
    assert people(lost(log)) == people(log) == {f"{DEVICE} {MAIL} {USER}"}


def test_an_identity_that_only_others_named_is_remembered_too() -> None:
    log = Log()
    log.add(page(USER, START, MAIL), page(USER, START, PHONE))
    says(log, Unlinking, USER, MAIL)
    assert log.visitors[MAIL].listened
    assert people(lost(log)) == people(log) == {f"{PHONE} {USER}", MAIL}


def kiosk() -> Log:
    log = Log()
    log.add(page(DEVICE), page(USER, START + HOUR, DEVICE), page(OTHER, START + 2 * HOUR, DEVICE))
    log.tick(START + DAY)
    return log


def test_a_device_that_was_given_to_the_other_one_is_theirs_and_shared_no_more() -> None:
    log = kiosk()
    says(log, Unlinking, USER, DEVICE)
    says(log, Linking, OTHER, DEVICE)
    assert people(log) == {USER, f"{DEVICE} {OTHER}"}
    for order in ((USER, OTHER, DEVICE), (DEVICE, OTHER, USER)):
        back = lost(log, *order)
        assert people(back) == people(log)
        device = back.people.rows.identity(DEVICE)
        assert device is not None
        assert not device.shared
        assert back.facts == []


def test_a_device_whose_sharing_was_ended_is_shared_again_by_the_next_refusal_only() -> None:
    log = kiosk()
    says(log, Linking, USER, DEVICE)
    back = lost(log)
    device = back.people.rows.identity(DEVICE)
    assert device is not None
    assert not device.shared
    assert people(back) == {f"{DEVICE} {USER}", OTHER}
    back.add(page(OTHER, START + 2 * DAY, DEVICE))
    assert device.shared
    assert back.facts == [], "that conflict was told"


def test_a_device_that_was_taken_away_is_nobodys_and_shared_still() -> None:
    log = kiosk()
    says(log, Unlinking, USER, DEVICE)
    back = lost(log)
    device = back.people.rows.identity(DEVICE)
    assert device is not None
    assert (device.shared, device.person) == (True, "")
    assert people(back) == {USER, OTHER}


def test_who_was_erased_since_leaves_no_word_behind() -> None:
    log = merged()
    says(log, Unlinking, USER, MAIL)
    place = len(log.records)
    log.append(Erasing("e", MAIL, b"salt"))
    grave = visitor.bury(log.visitors[MAIL], place + 1, START + 2 * DAY, 99)
    assert grave.said is None
    risen = visitor.rise(grave)
    assert not visitor.remember(risen, Said(MAIL, place, [Cut(place, left=True, size=2)]))
    assert visitor.remember(risen, Said(MAIL, place + 2, []))


# -- the row


def test_the_newest_word_counts_in_whatever_order_they_come() -> None:
    row, cut = Visitor(), Cut(3, left=True, size=2)
    assert visitor.remember(row, Said(MAIL, 7, [cut], 50))
    assert not visitor.remember(row, Said(MAIL, 5, []))
    assert not visitor.remember(row, Said(MAIL, 7, []))
    assert visitor.remember(row, Said(MAIL, 9, [], -1, USER))
    assert row.said == (9, [], 50)
    assert list(row.links or ()) == [USER]
    assert visitor.decode(visitor.encode(row)) == row


def test_of_rows_with_one_position_that_with_the_newest_word_counts() -> None:
    """A worker that was frozen may write an older one behind it."""
    moves, row, cut = Moves(), Visitor(listened=True, position=5), Cut(3, left=True, size=2)
    stale = visitor.encode(row)
    visitor.remember(row, Said(MAIL, 7, [cut]))
    moves.look(MAIL.encode(), visitor.encode(row))
    moves.look(MAIL.encode(), stale)
    assert moves.said() == [Said(MAIL, 7, [cut])]


def test_a_record_comes_back_from_its_bytes() -> None:
    record = Said("user::1", 3, [Cut(3, left=True, size=2, other="lead_a")], 7, "anon::a")
    assert decode(encode(record)) == copied(record) == record


def test_who_is_on_its_own_again_after_a_loss_is_numbered_on() -> None:
    log = Log()
    log.add(page("crm::9", START, MAIL), page(MAIL, START, DEVICE))
    log.tick(START)
    says(log, Unlinking, "crm::9", MAIL)
    says(log, Unlinking, MAIL, DEVICE)
    says(log, Linking, MAIL, "crm::9")
    log.add(happened("Asked", "crm::9", START + HOUR))
    log.tick(START + HOUR)
    back = lost(log)
    back.tick(START + HOUR + 1)
    told = {fact["id"]: fact for fact in log.facts}
    assert [fact["id"] for fact in back.facts if told.get(fact["id"], fact) != fact] == []
