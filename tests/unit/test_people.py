"""The people log: stages, the clock, the CRM's word, lead ids as keys, wakes."""

from typing import Any

import pytest

from stream.domain import leads
from stream.domain.crossing import END
from stream.domain.event import Link
from stream.domain.ids import lead_id
from stream.domain.log import Snapshot, Tick, Unreadable, Wake, encode
from stream.domain.people import People
from stream.domain.person import Identity
from stream.domain.state import State
from tests.told import BEHAVIOURS, DAY, HOUR, LADDER, LEAD_1, SECOND, START, Log, facts_in, happened, replay, rules

USER, COOKIE, LEAD = "user::1", "anon::a", f"lead::{LEAD_1}"
IDLE = '[idle]\nafter = "1d"\npoints = -30\n'
DWELL = LADDER.replace("exit = { interest = 40 }", 'exit = { interest = 40 }\ndwell = "20d"')
FALL = 10 * DAY + 1
"""When 80 points of a half-life of ten days are below 40."""


def asked(t: int = START, node: str = USER, **more: Any) -> Any:
    return happened("Asked", node, t, **more)


def crm(stage: str, t: int, **more: Any) -> Any:
    return happened("Lead Stage Changed", USER, t, crm_stage=stage, **more)


# -- stages


def test_an_event_promotes_to_the_highest_stage_whose_enter_holds() -> None:
    log = Log()
    log.add(asked())

    assert log.moves() == [("visitor", "mql", "threshold_up", 0)]


def test_negative_points_demote_at_the_event() -> None:
    log = Log()
    log.add(asked(), happened("Left", USER, START + HOUR))

    assert log.moves()[-1] == ("mql", "lead", "threshold_down", HOUR)


def test_what_fell_due_is_done_at_its_own_instant_before_the_next_event_counts() -> None:
    log = Log()
    log.add(asked(), asked(START + 20 * DAY))

    assert log.moves()[1:] == [("mql", "lead", "decay", FALL), ("lead", "mql", "threshold_up", 20 * DAY)]


def test_several_changes_may_be_due_one_after_the_other() -> None:
    log = Log()
    log.add(asked(), asked(), happened("page", USER, START + 90 * DAY))

    assert [(m[0], m[1]) for m in log.moves()] == [("visitor", "mql"), ("mql", "sql"), ("sql", "mql"), ("mql", "lead")]


def test_a_full_idle_period_is_due_at_its_instant() -> None:
    log = Log(rules(IDLE.replace("-30", "-20") + BEHAVIOURS + LADDER))
    log.add(asked())
    log.tick(START + 5 * DAY)

    assert log.moves()[-1] == ("mql", "lead", "idle", 2 * DAY)
    assert log.facts[-1]["data"]["reason"]["text"].endswith("no interaction for 2 idle periods")


def test_no_idle_period_before_the_first_interaction() -> None:
    log = Log(rules(IDLE + "[interest]\nfloor = -99\n" + BEHAVIOURS + LADDER))
    log.add(crm("lead", START))

    assert log.document(USER, START + 9 * DAY)["score"]["interest"] == pytest.approx(2**-0.9)


def test_a_dwell_holds_a_stage_until_its_very_end() -> None:
    log = Log(rules(BEHAVIOURS + DWELL))
    log.add(asked(), happened("Left", USER, START + DAY))
    log.tick(START + 20 * DAY - 1)
    assert log.moves() == [("visitor", "mql", "threshold_up", 0)]

    log.tick(START + 20 * DAY)

    assert log.moves()[-1] == ("mql", "lead", "decay", 20 * DAY)


def test_an_older_event_is_judged_at_the_clock_that_never_goes_back() -> None:
    log = Log()
    log.add(happened("page", USER, START + DAY), asked(START - 10 * DAY, r=START), asked(START - 10 * DAY, r=START))

    assert log.person(USER).as_of == START + DAY
    assert log.moves()[-1] == ("lead", "mql", "threshold_up", DAY)


def test_a_bots_event_does_what_is_due_and_nothing_else() -> None:
    log = Log()
    log.add(asked(), asked(START + 20 * DAY, bot=True))

    assert log.moves()[1:] == [("mql", "lead", "decay", FALL)]
    assert log.person(USER).as_of == START + 20 * DAY


def test_a_bot_makes_no_lead() -> None:
    log = Log()
    log.add(asked(bot=True))

    assert (log.records, log.facts) == ([], [])


# -- the clock


def test_the_clock_is_undefined_until_every_partition_has_ticked() -> None:
    log = Log(partitions=2)
    log.add(asked())
    log.tick(START + 30 * DAY, 0)
    assert log.people.clock is None
    assert len(log.moves()) == 1

    log.tick(START + 15 * DAY, 1)

    assert log.people.clock == START + 15 * DAY
    assert log.moves()[-1] == ("mql", "lead", "decay", FALL)


@pytest.mark.parametrize(("until", "due"), [(FALL - 1, False), (FALL, True), (FALL + 1, True)])
def test_a_tick_does_what_is_due_at_or_before_it(until: int, due: bool) -> None:  # noqa: FBT001 -- a vector
    log = Log()
    log.add(asked())
    log.tick(START + until)

    assert (len(log.moves()) == 2) is due


def test_a_tick_sets_as_of_to_the_due_instant_and_no_further() -> None:
    log = Log()
    log.add(asked())
    log.tick(START + 30 * DAY)

    assert log.person(USER).as_of == START + FALL
    assert log.facts[-1]["recordedtime"] == log.facts[-1]["time"]


def test_a_tick_that_goes_back_turns_the_clock_back() -> None:
    log = Log()
    log.tick(START + 30 * DAY)
    log.tick(START)

    assert log.people.clock == START


def test_a_tick_moves_leads_part_by_part_and_goes_on_after_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    log, tick = Log(), encode(Tick(0, START + 30 * DAY))
    log.add(*(asked(START + n * SECOND, f"user::{n}") for n in range(5)))
    log.people.cut()
    stored = dict(log.people.rows.stored)
    assert log.people.apply_part(6, tick)
    expected = log.people.take_out()

    monkeypatch.setattr(leads, "DUE", 2)
    made = expected[:0]
    for part in range(3):
        people = People(stored, 1, "leadstream", rules())
        assert people.apply_part(6, tick) is (part == 2)
        made += people.take_out()
        people.cut()
        assert people.next == (7 if part == 2 else 6)
    assert made == expected
    times = [fact["time"] for fact in facts_in(made)]
    assert times == sorted(times)
    assert len(times) == 5


def test_a_tick_stops_where_the_cut_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    log, tick = Log(), encode(Tick(0, START + 30 * DAY))
    log.add(*(asked(START + n * SECOND, f"user::{n}") for n in range(3)))
    log.people.cut()
    monkeypatch.setattr("stream.domain.ownrows.CUT_BYTES", 1)
    parts: list[bool] = []
    while not parts or not parts[-1]:
        parts.append(log.people.apply_part(4, tick))
        assert len([fact for fact in facts_in(log.people.take_out()) if fact["type"].endswith("stage_changed.v1")]) == 1
        log.people.cut()
    assert parts == [False, False, True]


def test_no_more_stays_decoded_behind_a_cut_than_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log()
    log.add(asked())
    log.people.cut()
    kept = log.person(USER)
    log.people.cut()
    assert log.person(USER) is kept
    monkeypatch.setattr("stream.domain.rows.KEPT_BYTES", 0)
    log.people.cut()
    assert log.person(USER) is not kept
    assert log.person(USER).id not in log.people.leads._views


def test_facts_of_a_tick_come_in_order_of_instant_then_lead() -> None:
    log = Log()
    log.add(asked(START + SECOND, "user::3"), *(asked(START, f"user::{n}") for n in (1, 2)))
    log.tick(START + 30 * DAY)

    falls = [(fact["time"], fact["subject"]) for fact in log.facts[3:]]
    assert falls == sorted(falls)
    assert falls[-1][1] == lead_id("user::3")


def test_several_due_changes_of_one_lead_come_in_their_turn_of_one_tick() -> None:
    log = Log()
    log.add(asked(), asked())
    log.tick(START + 90 * DAY)

    assert [(m[0], m[1], m[2]) for m in log.moves()[2:]] == [("sql", "mql", "decay"), ("mql", "lead", "decay")]


def test_a_timer_is_a_lower_bound_that_is_looked_at_again() -> None:
    log = Log()
    log.add(asked(), happened("page", USER, START + HOUR))
    log.tick(START + FALL)
    assert len(log.moves()) == 1

    log.tick(START + 15 * DAY)

    assert log.moves()[-1][:3] == ("mql", "lead", "decay")


def test_a_timer_of_nobody_does_nothing() -> None:
    log = Log()
    log.people.leads.timers.arm("lead_0000000000000000", START)
    log.tick(START)

    assert log.facts == []


def test_after_a_restart_what_is_due_is_still_due() -> None:
    log = Log()
    log.add(asked())
    log.tick(START + 30 * DAY)

    assert replay(log.records, log.rules, cuts={1}) == log.out


def test_a_person_that_is_no_lead_is_read_again_and_has_no_timer() -> None:
    log = Log()
    log.add(asked(node=COOKIE, links=["weibo::w"]), happened("page", COOKIE, START + HOUR, links=[USER]))

    assert replay(log.records, log.rules, cuts={1, 2, 3}) == log.out
    assert len(log.people.leads.timers) == 1


LONG = BEHAVIOURS.replace('"10d"', '"30000000d"')


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            BEHAVIOURS + LADDER.replace("exit = { interest = 40 }", 'exit = { interest = 40 }\ndwell = "9000000d"'), id="dwell"
        ),
        pytest.param('[crm]\nhold = "9000000d"\n' + BEHAVIOURS + LADDER, id="hold"),
        pytest.param('[idle]\nafter = "3000000d"\npoints = -500\n' + LONG + LADDER, id="an idle period"),
        pytest.param('[idle]\nafter = "1000000d"\npoints = -1\n[interest]\nfloor = -99\n' + LONG + LADDER, id="idle periods"),
    ],
)
def test_what_is_due_after_the_year_9999_is_never_due(text: str) -> None:
    log = Log(rules(text))
    log.add(asked(), crm("mql", START))

    assert log.document(USER, START)["nextCrossingAt"] is None
    log.tick(END)
    assert len(log.moves()) == 1


@pytest.mark.parametrize("years", [1, 25, 7_900])
def test_a_lead_whose_clock_lies_before_what_joins_it_is_no_error(years: int) -> None:
    then = START + years * 365 * DAY
    log = Log(rules(BEHAVIOURS.replace('"10d"', '"1h"') + LADDER))
    log.add(asked(then, COOKIE, links=["weibo::w"]), happened("page", USER, START), happened("page", USER, START, links=[COOKIE]))

    assert log.person(COOKIE).as_of == START
    assert log.document(USER, then)["score"]["interest"] == pytest.approx(80.0)


# -- the CRM's word


def test_a_crm_move_replaces_the_judgement() -> None:
    log = Log()
    log.add(asked(), crm("customer", START + HOUR), asked(START + DAY))

    assert log.moves()[1:] == [("mql", "customer", "crm", HOUR)]
    assert log.facts[-1]["data"]["reason"]["ruleId"] == "stages.customer"


def test_the_engine_never_moves_a_lead_out_of_a_crm_stage() -> None:
    log = Log()
    log.add(asked(), crm("customer", START))
    log.tick(START + 900 * DAY)

    assert log.moves()[-1][1] == "customer"
    assert log.people.leads.timers.at(LEAD_1) is None


def test_an_older_move_than_the_newest_applied_is_ignored() -> None:
    log = Log()
    log.add(crm("customer", START + HOUR), crm("lead", START + HOUR - 1, r=START + DAY))
    assert [m[1] for m in log.moves()] == ["customer"]

    log.add(crm("lead", START + HOUR, r=START + DAY))

    assert [m[1] for m in log.moves()] == ["customer", "lead"]


def test_a_move_that_is_ignored_does_what_is_due_and_judges_nothing() -> None:
    log = Log()
    log.add(crm("mql", START), crm("mql", START - 1, r=START + 20 * DAY))

    assert [m[:3] for m in log.moves()] == [("visitor", "mql", "crm"), ("mql", "lead", "decay")]


def test_a_named_engine_stage_is_held_and_at_the_end_of_the_hold_the_exit_is_judged() -> None:
    log = Log()
    log.add(crm("mql", START), asked(START + DAY), asked(START + DAY), happened("Left", USER, START + 2 * DAY))
    log.add(happened("Left", USER, START + 2 * DAY), happened("Left", USER, START + 2 * DAY))
    log.tick(START + 14 * DAY - 1)
    assert [m[:3] for m in log.moves()] == [("visitor", "mql", "crm")]

    log.tick(START + 14 * DAY)

    assert log.moves()[-1] == ("mql", "lead", "decay", 14 * DAY)


def test_a_bots_event_behind_the_end_of_a_hold_promotes_nobody() -> None:
    log = Log()
    log.add(asked(), crm("lead", START + HOUR))
    for _ in range(3):
        log.add(asked(START + DAY))
    log.add(happened("page", USER, START + 15 * DAY, bot=True))
    assert log.person(USER).stage == "lead"

    log.add(happened("page", USER, START + 15 * DAY + HOUR))
    assert log.moves()[-1] == ("lead", "sql", "threshold_up", 15 * DAY + HOUR)


def test_the_present_stage_named_again_is_no_change_but_a_hold() -> None:
    log = Log()
    log.add(asked(), crm("mql", START + 9 * DAY))
    log.tick(START + 23 * DAY - 1)
    assert len(log.moves()) == 1

    log.tick(START + 23 * DAY)

    assert log.moves()[-1] == ("mql", "lead", "decay", 23 * DAY)


def test_visitor_may_be_named() -> None:
    log = Log()
    log.add(asked(), crm("visitor", START + HOUR), asked(START + 10 * DAY), asked(START + 15 * DAY))

    assert [m[1] for m in log.moves()] == ["mql", "visitor", "sql"]
    assert log.facts[1]["data"]["stage"]["direction"] == "down"
    assert log.facts[1]["data"]["reason"]["ruleId"] == "stages.visitor"


def test_a_crm_stage_is_left_by_the_crm_only_and_not_held() -> None:
    log = Log()
    log.add(asked(), crm("lead", START), crm("customer", START + DAY), crm("lead", START + 40 * DAY))

    assert [m[1] for m in log.moves()] == ["mql", "lead", "customer", "lead"]
    assert log.person(USER).hold_until == START + 54 * DAY


# -- lead ids as keys


def test_an_unknown_lead_id_belongs_to_nobody() -> None:
    log = Log()
    log.add(asked(node=LEAD))
    log.tick(START + DAY)

    assert log.facts == []


def test_a_lead_id_is_one_more_member_of_its_lead() -> None:
    log = Log()
    log.add(happened("page", USER, START), asked(START + HOUR, LEAD))

    assert log.moves(LEAD_1)[-1] == ("lead", "mql", "threshold_up", HOUR)
    assert log.document(USER, START + DAY)["members"] == [LEAD, USER]
    assert log.facts[-1]["data"]["lead"]["externalIds"] == []


def test_what_came_before_the_lead_counts_from_when_it_exists() -> None:
    log = Log()
    log.add(asked(node=LEAD), asked(node=LEAD), happened("page", USER, START + HOUR))

    assert log.moves() == [("visitor", "sql", "threshold_up", HOUR)]


def test_an_id_merged_away_is_its_survivors() -> None:
    log = Log()
    log.add(happened("page", USER, START), happened("page", "user::2", START), happened("page", "crm::9", START))
    log.add(happened("page", USER, START, links=["crm::9"]), asked(START + HOUR, f"lead::{lead_id('crm::9')}"))

    assert log.moves(LEAD_1)[-1] == ("lead", "mql", "threshold_up", HOUR)


# -- the log itself


def test_a_snapshot_that_is_not_newer_changes_nothing() -> None:
    log = Log()
    log.add(asked())
    log.append(Snapshot(USER, 1, START + DAY, START, State(), [Link("anon::z")]))

    assert len(log.moves()) == 1
    assert log.person(USER).as_of == START


def test_a_wake_in_the_people_log_is_nobodys_business() -> None:
    people = People({}, 1, "leadstream", rules())
    people.apply(5, encode(Wake(COOKIE, START)))

    assert (people.next, people.out) == (6, [])


def test_a_record_that_cannot_be_read_ends_it() -> None:
    with pytest.raises(Unreadable):
        People({}, 1, "leadstream", rules()).apply(1, b"\x09")


def test_the_log_goes_on_behind_its_newest_record() -> None:
    stored: dict[bytes, bytes] = {}
    people = People(stored, 2, "leadstream", rules())
    people.cut()
    people.apply(7, encode(Tick(1, START)))
    assert people.size == 0
    people.cut()

    again = People(stored, 2, "leadstream", rules())

    assert (again.next, again.log.ticks) == (8, {1: START})


def test_the_ruleset_in_force_is_the_tables() -> None:
    stored: dict[bytes, bytes] = {}
    People(stored, 1, "leadstream", rules()).cut()
    other = rules(LADDER)

    assert People(stored, 1, "leadstream", other).rules.hash == rules().hash


def test_every_fact_is_numbered_and_the_newest_change_is_the_leads_state() -> None:
    log = Log()
    log.add(asked(), asked())

    assert [fact["sequence"] for fact in log.facts] == ["0000000001", "0000000002"]
    states = [(out.key, out.value) for out in log.out if out.topic == "lead-states"]
    changes = [(out.key, out.value) for out in log.out if out.topic == "stage-changes"]
    assert states == changes
    assert {key for key, _ in states} == {LEAD_1.encode()}


def test_the_cause_of_a_fact_is_its_records_receive_time() -> None:
    log = Log()
    log.add(asked(START, r=START + HOUR))

    assert {out.cause_ms for out in log.out} == {START + HOUR}


# -- wakes


def test_what_a_device_did_before_comes_in_as_sums_judged_when_it_comes() -> None:
    log = Log()
    log.add(asked(node=COOKIE), happened("page", USER, START + HOUR, links=[COOKIE]))

    assert [m[:3] for m in log.moves()] == [("visitor", "lead", "threshold_up"), ("lead", "mql", "merge")]
    assert [out.key for out in log.out if out.topic == "wakes"] == [COOKIE.encode()]


def test_a_device_is_woken_once() -> None:
    log = Log()
    log.add(*(happened("page", USER, START + n, links=[COOKIE]) for n in range(3)))

    assert len([out for out in log.out if out.topic == "wakes"]) == 1


def test_a_known_identity_of_class_a_is_not_woken() -> None:
    log = Log()
    log.add(happened("page", COOKIE, START, links=[USER]))

    assert [out.topic for out in log.out] == ["stage-changes", "lead-states"]


def test_a_device_that_speaks_first_makes_the_lead_of_whom_it_names() -> None:
    log = Log()
    log.add(asked(node=COOKIE), happened("page", COOKIE, START + HOUR, links=["email::x@y.z", USER]))

    assert log.person(COOKIE).id == lead_id("email::x@y.z")
    assert log.moves() == [("visitor", "mql", "threshold_up", HOUR)]


def test_two_devices_are_a_person_and_no_lead_until_somebody_identifies() -> None:
    log = Log()
    log.add(asked(node=COOKIE, links=["weibo::w"]))
    assert (log.person(COOKIE).identified, log.facts) == (0, [])

    log.add(happened("page", "weibo::w", START + HOUR, links=[USER]))

    assert log.person(COOKIE).id == LEAD_1
    assert log.moves() == [("visitor", "mql", "threshold_up", HOUR)]


def test_a_shared_identity_that_was_nobodys_is_passed_over() -> None:
    log = Log()
    log.people.rows.keep(Identity(COOKIE, shared=True))
    log.add(happened("page", COOKIE, START, links=[USER]))

    assert log.facts == []
