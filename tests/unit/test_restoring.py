"""People that were lost: leads stand again where the CRM knows them, and nobody moves down before all sums are back."""

from typing import Any

import orjson
import pytest

from stream.domain import visitor
from stream.domain.event import Link
from stream.domain.ids import lead_id
from stream.domain.log import (
    Deployment,
    Erasing,
    Record,
    Restored,
    Resync,
    Settled,
    Settling,
    Tick,
    Unlinking,
    Wake,
    decode,
    encode,
    takes_long,
)
from stream.domain.people import People
from stream.domain.visitor import LINKS, say_again
from stream.ops.lead_states import newest_numbers, restored, shown
from tests.told import BEHAVIOURS, DAY, HOUR, LADDER, START, Log, happened, rules

USER, OTHER, COOKIE, MAIL = "user::1", "user::2", "anon::a", "email::a@b.example"


def asked(node: str = USER, t: int = START, **more: Any) -> Any:
    return happened("Asked", node, t, **more)


def lost(log: Log, partitions: int = 1) -> Log:
    """Return a log whose people are empty, with what a resync puts into it before the sums."""
    again = Log(log.rules, partitions)
    again.visitors = log.visitors
    facts = [out.value for out in log.out if out.topic == "stage-changes" and out.value is not None]
    states = {out.key.decode(): out.value for out in log.out if out.topic == "lead-states"}
    again.append(Settling("run"))
    for lead in restored({id_: v for id_, v in states.items() if v is not None}, newest_numbers(facts)):
        again.append(lead)
    return again


def say_all(log: Log, *nodes: str) -> None:
    for node in nodes or tuple(log.visitors):
        if log.visitors[node].listened:
            log.append(say_again(log.visitors[node], node))


def test_facts_in_any_order_say_what_lead_states_shows() -> None:
    log = Log()
    log.add(asked(), asked(MAIL), asked(OTHER), asked(COOKIE, links=[USER]), asked(MAIL, START + HOUR, links=[USER]))
    log.append(Unlinking("word", USER, MAIL))
    log.tick(START + 30 * DAY)
    log.append(Erasing("another word", OTHER, b"salt"))
    facts = [out.value for out in log.out if out.topic == "stage-changes" and out.value is not None]
    types = {orjson.loads(fact)["type"] for fact in facts}
    assert types == {"lead.stage_changed.v1", "lead.merged.v1", "lead.unmerged.v1", "lead.erased.v1"}
    states = {out.key.decode(): out.value for out in log.out if out.topic == "lead-states"}
    assert states.keys() == {lead_id(USER), lead_id(MAIL), lead_id(OTHER)}
    there = {id_: value for id_, value in states.items() if value is not None}
    assert shown(facts) == shown([*reversed(facts), b"{}", b"no fact"]) == there


def test_who_was_merged_or_erased_is_not_shown_whatever_comes_first() -> None:
    def fact(type_: str, number: int) -> bytes:
        return orjson.dumps({"type": type_, "subject": "lead_1", "sequence": f"{number:010}"})

    for end in ("lead.merged.v1", "lead.erased.v1"):
        facts = [fact("lead.stage_changed.v1", 9), fact(end, 10), fact("identity.conflict.v1", 11)]
        assert shown(facts) == shown(facts[::-1]) == {}
        back = fact("lead.stage_changed.v1", 12)
        assert shown([back, *facts]) == {"lead_1": back}


def test_leads_come_back_with_stage_members_sums_and_numbers() -> None:
    log = Log()
    log.add(happened("page", COOKIE, START), asked(links=[COOKIE, MAIL]), asked(MAIL, START + HOUR))
    again = lost(log)
    say_all(again)
    again.append(Settled("run", 0))
    assert again.moves() == []
    before, after = log.person(USER), again.person(USER)
    assert set(after.members) == {USER, COOKIE, MAIL}
    assert (after.id, after.stage, after.entered_at, after.sequence) == (
        before.id, before.stage, before.entered_at, before.sequence,
    )  # fmt: skip
    at = START + 2 * HOUR
    assert again.document(USER, at)["score"] == log.document(USER, at)["score"]


def test_nobody_moves_down_before_every_partition_has_sent_its_sums() -> None:
    log = Log()
    log.add(asked(), asked(MAIL, links=[USER]))
    assert log.person(USER).stage == "sql"
    again = lost(log, partitions=2)
    say_all(again, USER)
    again.tick(START + 30 * DAY, 0)
    again.tick(START + 30 * DAY, 1)
    again.append(Settled("run", 0))
    again.append(Settled("another run", 1))
    again.append(Settled("run", 0))
    assert again.moves() == []
    say_all(again, MAIL)
    again.append(Settled("run", 1))
    assert again.moves() == []
    again.tick(START + 30 * DAY, 0)
    log.tick(START + 30 * DAY)
    assert again.moves() == log.moves()[-2:]


def test_what_falls_due_meanwhile_waits_also_where_its_lead_is_heard_of() -> None:
    log = Log()
    log.add(asked(), asked(MAIL, links=[USER]))
    again = lost(log)
    say_all(again, USER)
    again.add(happened("page", USER, START + DAY))
    assert again.moves() == []
    say_all(again, MAIL)
    again.append(Settled("run", 0))
    again.tick(START + DAY)
    assert again.moves() == []


def test_who_rises_meanwhile_rises() -> None:
    log = Log()
    log.add(happened("page", USER, START))
    again = lost(log)
    say_all(again)
    again.add(asked(t=START + HOUR), asked(t=START + 2 * HOUR))
    assert [move[:2] for move in again.moves()] == [("lead", "mql"), ("mql", "sql")]
    assert again.facts[0]["id"] == f"{lead_id(USER)}-0000000002"


def test_the_table_may_be_cut_while_sums_come_back() -> None:
    log = Log()
    log.add(asked())
    again, stored = lost(log), dict[bytes, bytes]()
    people = People(stored, 1, "leadstream", log.rules)
    for offset, record in enumerate(again.records, 1):
        people.apply(offset, record)
    people.cut()
    people = People(stored, 1, "leadstream", log.rules)
    assert people.leads.settling
    people.apply(9, encode(Tick(0, START + 99 * DAY)))
    assert people.take_out() == []
    people.apply(10, encode(Settled("run", 0)))
    assert not people.leads.settling


def test_the_timers_of_all_leads_may_be_set_beforehand() -> None:
    log = Log()
    log.add(asked())
    again = lost(log)
    say_all(again)
    last = encode(Settled("run", 0))
    assert list(again.people.prepare(99, last)) == []
    again.people.apply(99, last)
    again.people.apply(100, encode(Tick(0, START + 99 * DAY)))
    assert [out.topic for out in again.people.take_out()] == ["stage-changes", "lead-states"]
    assert list(again.people.prepare(101, last)) == []


def test_a_lead_that_was_merged_answers_under_the_survivor_and_is_numbered_on() -> None:
    log = Log()
    log.add(asked(), asked(MAIL), asked(links=[MAIL]))
    again = lost(log)
    say_all(again)
    gone = again.people.rows.person(lead_id(MAIL))
    assert gone is not None
    assert gone.id == lead_id(USER)
    assert again.person(USER).previous == [lead_id(MAIL)]


def test_a_lead_that_is_on_its_own_again_is_nobodys_former_id_though_an_older_state_says_so() -> None:
    log = Log()
    log.add(asked(), asked(MAIL), asked(links=[MAIL]))
    log.append(Unlinking("w", USER, MAIL))
    states = {out.key.decode(): out.value for out in log.out if out.topic == "lead-states"}
    merged = next(
        out.value for out in reversed(log.out) if out.key.decode() == lead_id(USER) and b'"merge"' in (out.value or b"")
    )
    again = restored({lead_id(USER): merged or b"", lead_id(MAIL): states[lead_id(MAIL)] or b""}, {})
    assert {lead.lead: lead.previous for lead in again} == {lead_id(USER): {}, lead_id(MAIL): {}}


def test_a_lead_of_whom_only_a_number_is_known_is_numbered_on() -> None:
    again = Log()
    again.append(Restored(lead_id(USER), 7))
    again.append(Restored(lead_id(USER), 1, [USER]))
    again.add(happened("page", f"lead::{lead_id(USER)}", START), happened("page", USER, START))
    assert again.facts[0]["sequence"] == "0000000008"
    assert set(again.person(USER).members) == {USER, f"lead::{lead_id(USER)}"}


def test_a_lead_of_whom_only_a_number_is_known_is_none_before_its_sums_come_back() -> None:
    log = Log()
    log.append(Settling("run"))
    log.append(Restored(lead_id(USER), 7, [USER]))
    assert not any(person.identified for person in log.people.rows.persons())

    log.add(asked())
    assert [fact["sequence"] for fact in log.facts] == ["0000000008"]
    assert log.moves() == [("visitor", "mql", "threshold_up", 0)]


def test_an_identity_that_is_somebodys_stays_so() -> None:
    again = Log()
    again.append(Restored("lead_a", 1, [USER, COOKIE], stage="mql"))
    again.append(Restored("lead_b", 1, [OTHER, COOKIE], stage="lead"))
    assert again.person(COOKIE).id == "lead_a"
    assert again.person(OTHER).members == [OTHER]


def test_a_fact_of_a_recreated_log_names_its_offset_there() -> None:
    log = Log()
    log.add(asked())
    people = People({}, 1, "leadstream", log.rules)
    people.apply((3 << 48) + 5, log.records[-1])
    (fact, _) = people.take_out()
    assert orjson.loads(fact.value or b"")["data"]["freshness"]["offset"] == 5


# -- what visitors remember for it


def test_a_row_remembers_whom_it_named_and_says_it_again() -> None:
    log = Log()
    log.add(asked(links=[COOKIE, Link(MAIL, "free")]), asked(links=[MAIL]))
    told = say_again(log.visitors[USER], USER)
    assert told.links == [Link(COOKIE), Link(MAIL, "free")]
    assert told.version == log.visitors[USER].position
    log.add(happened("page", COOKIE, START))
    assert say_again(log.visitors[COOKIE], COOKIE).links == []


def test_a_row_remembers_the_newest_links_and_none_of_a_bot() -> None:
    log = Log()
    log.add(*(asked(links=[f"anon::{n}"]) for n in range(LINKS + 3)), asked(links=["anon::bot"], bot=True))
    known = log.visitors[USER].links or {}
    assert list(known) == [f"anon::{n}" for n in range(3, LINKS + 3)]


def test_a_row_of_the_release_before_knows_no_links() -> None:
    row = visitor.Visitor(listened=True, position=5)
    body = visitor.encode(row)
    old = body[:10] + bytes([body[10] - 1]) + body[11:-1]  # an array of one member less, the nil at its end
    assert visitor.decode(old) == row


# -- the records


@pytest.mark.parametrize(
    "record",
    [Settling("a"), Settled("a", 1), Resync("a", 1, 64), Restored("lead_a", 1, [USER], {"lead_b": 2}, "mql", 1, 2)],
)
def test_a_record_of_a_resync_comes_back_from_its_bytes(record: Record) -> None:
    assert decode(encode(record)) == record


def test_records_that_set_all_timers_anew_are_told_without_reading_them() -> None:
    assert takes_long(encode(Settled("a", 0)))
    assert takes_long(encode(Deployment(b"...")))
    assert not takes_long(encode(Tick(0, 7)))


def test_other_records_of_the_log_do_nothing_to_people() -> None:
    log = Log()
    log.append(Wake(USER, 1))
    log.append(Deployment(rules().text))
    assert log.out == []


def test_what_the_word_lists_say_of_an_address_comes_back() -> None:
    free = '[fit.free]\nmatch = { email_kind = ["free", "disposable"] }\npoints = -20\n'
    log = Log(rules(BEHAVIOURS + free + LADDER.replace("total = 120", "total = 70").replace("total = 90", "total = 60")))
    log.add(asked(MAIL, node_kind="free"))
    before = log.document(MAIL, START + HOUR)
    again = lost(log)
    say_all(again)
    again.append(Settled("run", 0))
    again.tick(START)
    assert again.facts == []
    assert again.document(MAIL, START + HOUR) == before


@pytest.mark.parametrize("by_id_first", [True, False])
def test_a_lead_of_which_a_number_is_known_has_each_member_once_whoever_is_heard_first(*, by_id_first: bool) -> None:
    """It stands in no stage and told the CRM of a conflict; the CRM writes of it by its id."""
    by_id = f"lead::{lead_id(MAIL)}"
    log = Log(rules(BEHAVIOURS + '[[stages]]\nname = "mql"\nenter = { interest = 60 }\nexit = { interest = 40 }\n'))
    log.add(happened("Met", MAIL, START, links=["crm::9"]), happened("page", "crm::8", START + 1, links=[MAIL]))
    log.add(happened("page", by_id, START + 2, links=[MAIL]))
    before = log.document(MAIL, START + HOUR)
    again = lost(log)
    say_all(again, *((by_id, MAIL) if by_id_first else (MAIL, by_id)), "crm::8")
    again.append(Settled("run", 0))
    again.tick(START + 2)
    after = again.document(MAIL, START + HOUR)
    assert (sorted(after["members"]), after["score"]) == (sorted(before["members"]), before["score"])
    assert again.moves() == []


def test_a_lead_is_numbered_on_also_where_another_had_taken_in_its_id() -> None:
    log = Log()
    log.append(Restored(lead_id(USER), 7))
    log.add(happened("page", f"lead::{lead_id(USER)}", START, links=[COOKIE]), happened("page", OTHER, START + 1, links=[COOKIE]))
    log.add(happened("page", USER, START + 2))
    assert [int(fact["sequence"]) for fact in log.facts if fact["subject"] == lead_id(USER)] == [8]
