"""What an operator's unlink leaves of one person: two, each with what is its own, in the order the CRM has to hear it."""

from itertools import count
from typing import Any

import orjson
import pytest

from stream.domain.event import Event
from stream.domain.ids import lead_id
from stream.domain.log import Linking, Members, Restored, Unlinking, decode
from stream.domain.people import People
from stream.domain.ruleset.model import Ruleset
from tests.told import BEHAVIOURS, DAY, HOUR, LADDER, LEAD_1, START, Log, happened, rules

MAIL, CRM, COOKIE = "email::x@acme.example", "crm::9", "anon::a"
MAIL_LEAD, CRM_LEAD = lead_id(MAIL), lead_id(CRM)
SEQUENCE = '[sequences.read-met]\nsteps = ["viewed", "met"]\nwithin = "30d"\npoints = 20\nhalf_life = "30d"\n'
_words = count()


def page(node: str, t: int = START, *links: str, **more: Any) -> Event:
    return happened("page", node, t, links=links, **more)


def asked(node: str, t: int = START, *links: str) -> Event:
    return happened("Asked", node, t, links=links)


def moved(node: str, stage: str, t: int = START) -> Event:
    return happened("Lead Stage Changed", node, t, crm_stage=stage)


def says(log: Log, what: type[Linking | Unlinking], one: str, other: str) -> dict[str, Any]:
    """Let an operator say something; returns what was decided."""
    word = str(next(_words))
    log.append(what(word, one, other, "ticket 4711"))
    decided: dict[str, Any] = orjson.loads(log.people.log.words[word])
    return decided


def unlink(log: Log, one: str, other: str) -> None:
    assert says(log, Unlinking, one, other)["done"]


def link(log: Log, one: str, other: str) -> None:
    assert says(log, Linking, one, other)["done"]


def merged(first: Event, second: Event, ruleset: Ruleset | None = None) -> Log:
    """Return what two leads did, who turn out to be one a day later; the clock runs on to the second day."""
    log = Log(ruleset)
    log.add(first, second, page(first.node, START + DAY, second.node))
    log.tick(START + 2 * DAY)
    return log


def total(log: Log, node: str, at: int = START + 3 * DAY) -> float:
    score: float = log.document(node, at)["score"]["total"]
    return score


# -- facts


def test_the_crm_hears_first_that_a_lead_is_on_its_own_again_then_where_both_stand() -> None:
    log = merged(page("user::1"), asked(MAIL, START + HOUR))
    known = len(log.facts)
    unlink(log, "user::1", MAIL)

    told = [(fact["subject"], fact["type"], fact["sequence"]) for fact in log.facts[known:]]
    assert told == [
        (MAIL_LEAD, "lead.unmerged.v1", "0000000003"),
        (MAIL_LEAD, "lead.stage_changed.v1", "0000000004"),
        (LEAD_1, "lead.stage_changed.v1", "0000000003"),
    ]
    assert {fact["time"] for fact in log.facts[known:]} == {"2026-01-07T00:00:00.000Z"}, "the people's clock"
    unmerged = log.facts[known]["data"]
    assert (unmerged["from"], unmerged["lead"]["id"]) == (LEAD_1, MAIL_LEAD)
    assert unmerged["lead"]["externalIds"] == [{"type": "email", "id": "x@acme.example"}]


def test_a_lead_stands_again_where_it_stood_and_its_state_shows_it() -> None:
    log = merged(page("user::1"), asked(MAIL, START + HOUR))
    unlink(log, "user::1", MAIL)

    again = log.facts[-2]["data"]
    assert log.moves(MAIL_LEAD)[-1] == ("mql", "mql", "unmerge", 2 * DAY)
    assert again["stage"]["enteredAt"] == "2026-01-05T01:00:00.000Z"
    assert again["reason"]["ruleId"] == "stages.mql"
    assert again["lead"]["previousIds"] == []
    states = {out.key: out.value for out in log.out if out.topic == "lead-states"}
    assert orjson.loads(states[MAIL_LEAD.encode()] or b"")["id"] == f"{MAIL_LEAD}-0000000004"


def test_a_stage_that_came_from_who_leaves_is_given_back() -> None:
    log = merged(page("user::1"), asked(MAIL, START + HOUR))
    assert log.person("user::1").stage == "mql"
    unlink(log, "user::1", MAIL)

    assert log.moves(LEAD_1)[-1] == ("mql", "lead", "unmerge", 2 * DAY)
    assert log.facts[-1]["data"]["stage"]["enteredAt"] == "2026-01-05T00:00:00.000Z"
    assert MAIL_LEAD in log.facts[-1]["data"]["reason"]["text"]


def test_a_stage_of_its_own_stays_until_it_is_judged() -> None:
    log = merged(asked("user::1"), asked(MAIL))
    assert log.person("user::1").stage == "sql", "together"
    known = len(log.facts)
    unlink(log, "user::1", MAIL)

    moves = [move for move in log.moves(LEAD_1) if move[3] == 2 * DAY]
    assert moves == [("sql", "mql", "unmerge", 2 * DAY)], "sql was reached together, and is its own; alone it does not hold"
    assert len(log.facts) - known == 3
    assert log.facts[-1]["data"]["reason"]["ruleId"] == "stages.mql"


def test_a_stage_the_crm_gave_meanwhile_stays() -> None:
    log = merged(page("user::1"), asked(MAIL, START + HOUR))
    log.add(moved("user::1", "mql", START + 2 * DAY))
    unlink(log, "user::1", MAIL)

    assert log.person("user::1").stage == "mql", "the CRM said so of the whole lead"
    assert log.moves(LEAD_1)[-1][2] == "merge"


def test_a_stage_it_rose_to_since_is_its_own() -> None:
    log = merged(page("user::1"), asked(MAIL, START + HOUR))
    log.add(asked("user::1", START + 2 * DAY), asked("user::1", START + 2 * DAY))
    assert log.person("user::1").stage == "sql"
    unlink(log, "user::1", MAIL)

    assert log.person("user::1").stage == "sql"
    assert log.moves(LEAD_1)[-1] == ("mql", "sql", "threshold_up", 2 * DAY)


def test_a_lead_that_never_told_a_stage_has_none_to_get_back() -> None:
    log = merged(page("user::1"), page(MAIL), rules(BEHAVIOURS + LADDER.replace("identified = true", "interest = 15")))
    unlink(log, "user::1", MAIL)

    assert [fact["type"] for fact in log.facts] == ["lead.merged.v1", "lead.stage_changed.v1", "lead.unmerged.v1"]


def test_who_leaves_may_be_the_older_half_the_id_stays_where_it_was_made() -> None:
    log = merged(page("user::1"), asked(MAIL, START + HOUR))
    unlink(log, MAIL, "user::1")

    assert (log.person("user::1").id, log.person(MAIL).id) == (LEAD_1, MAIL_LEAD)
    assert log.facts[-2]["type"] == "lead.stage_changed.v1"
    assert log.facts[-3]["data"]["from"] == LEAD_1


def test_who_never_was_a_lead_becomes_one_under_its_first_id() -> None:
    log = Log()
    log.add(page("user::1", START, MAIL, COOKIE))
    log.tick(START + DAY)
    unlink(log, "user::1", MAIL)

    assert log.person(MAIL).id == MAIL_LEAD
    assert log.moves(MAIL_LEAD) == [("visitor", "lead", "unmerge", DAY)]
    assert [fact["type"] for fact in log.facts if fact["subject"] == MAIL_LEAD] == ["lead.unmerged.v1", "lead.stage_changed.v1"]
    assert log.person(COOKIE).id == LEAD_1


def test_a_device_that_leaves_is_nobodys_and_nobody_hears_of_it() -> None:
    log = Log()
    log.add(asked(COOKIE), page("user::1", START + HOUR, COOKIE))
    log.tick(START + DAY)
    assert log.person("user::1").stage == "mql"
    unlink(log, "user::1", COOKIE)

    assert log.person(COOKIE).id == f"~{COOKIE}"
    assert log.moves()[-1] == ("mql", "lead", "unmerge", DAY)
    assert not any(fact["type"] == "lead.unmerged.v1" for fact in log.facts)


def test_two_devices_of_nobody_part_without_a_word() -> None:
    log = Log()
    log.add(page("anon::a", START, "anon::b"))
    unlink(log, "anon::a", "anon::b")

    assert (log.person("anon::a").members, log.person("anon::b").members) == (["anon::a"], ["anon::b"])
    assert log.facts == []


# -- who leaves


def test_what_hangs_on_one_identity_alone_leaves_with_it() -> None:
    log = Log()
    log.add(page("user::1", START, MAIL), page(MAIL, START, CRM), page(MAIL, START, COOKIE), page("user::1", START, COOKIE))
    unlink(log, "user::1", MAIL)

    assert set(log.person("user::1").members) == {"user::1", COOKIE}, "the cookie is linked to both"
    assert set(log.person(MAIL).members) == {MAIL, CRM}
    assert log.person(MAIL).id == MAIL_LEAD


def test_what_a_shared_device_names_of_its_own_person_does_not_hang_on_the_device() -> None:
    log = Log()
    log.add(page("user::1", START, COOKIE, CRM), page(CRM, START, MAIL), page("user::2", START + HOUR, COOKIE))
    log.add(page(COOKIE, START + 2 * HOUR, MAIL))
    unlink(log, "user::1", CRM)

    assert set(log.person("user::1").members) == {"user::1", COOKIE}
    assert set(log.person(CRM).members) == {CRM, MAIL}


def test_an_identity_leaves_also_where_others_join_it_to_the_rest() -> None:
    log = Log()
    log.add(page("user::1", START, MAIL), page(COOKIE, START, MAIL, "user::1"))
    unlink(log, "user::1", MAIL)

    assert set(log.person("user::1").members) == {"user::1", COOKIE}
    assert log.person(MAIL).members == [MAIL]


def test_a_lead_id_as_a_member_goes_with_its_lead() -> None:
    log = merged(page("user::1"), page(MAIL))
    log.add(page(f"lead::{MAIL_LEAD}"), page(f"lead::{LEAD_1}"))
    unlink(log, "user::1", MAIL)

    assert set(log.person(MAIL).members) == {MAIL, f"lead::{MAIL_LEAD}"}
    assert set(log.person("user::1").members) == {"user::1", f"lead::{LEAD_1}"}


@pytest.mark.parametrize("higher", [True, False])
def test_leads_that_came_one_by_one_and_leave_together_are_one(higher: bool) -> None:  # noqa: FBT001 - of the table
    log = Log()
    log.add(page("user::1"), page(MAIL), asked(CRM) if higher else page(CRM))
    log.add(page("user::1", START + HOUR, MAIL), page(MAIL, START + HOUR, CRM))
    log.tick(START + DAY)
    unlink(log, "user::1", MAIL)

    assert log.person(CRM).id == MAIL_LEAD, "the one identified first"
    assert log.person(CRM).previous == [CRM_LEAD]
    assert log.person("user::1").previous == []
    assert log.people.rows.person(CRM_LEAD) is log.person(MAIL)
    moves = [("lead", "lead", "unmerge"), ("lead", "mql", "unmerge")]
    assert [move[:3] for move in log.moves(MAIL_LEAD)[1:]] == (moves if higher else moves[:1])


def test_a_lead_that_left_with_another_answers_under_it_also_after_a_restart() -> None:
    log = Log()
    log.add(page("user::1"), page(MAIL), page(CRM))
    log.add(page("user::1", START + HOUR, MAIL), page(MAIL, START + HOUR, CRM))
    log.people.cut()
    unlink(log, "user::1", MAIL)
    log.people.cut()
    log.people = People(log.people.rows.stored, 1, "leadstream", log.rules)
    log.add(page(f"lead::{CRM_LEAD}", START + DAY))

    assert set(log.person(MAIL).members) == {MAIL, CRM, f"lead::{CRM_LEAD}"}
    assert log.person("user::1").members == ["user::1"]


def test_each_of_two_changes_of_one_instant_says_what_comes_next_from_where_it_leads() -> None:
    log = Log()
    log.add(page("user::1"), page(MAIL), asked(CRM))
    log.add(page("user::1", START + HOUR, MAIL), page(MAIL, START + HOUR, CRM))
    log.tick(START + DAY)
    unlink(log, "user::1", MAIL)

    told = [fact["data"] for fact in log.facts if fact["subject"] == MAIL_LEAD and "stage" in fact["data"]][-2:]
    assert [(one["stage"]["to"]["name"], one["score"]["nextStageIfIdle"]) for one in told] == [("lead", None), ("mql", "lead")]


def test_of_leads_that_leave_together_the_higher_stage_is_kept_also_where_its_sum_would_not_enter_it_anew() -> None:
    log = Log()
    log.add(page("user::1"), page(MAIL), asked(CRM))
    log.add(page("user::1", START + HOUR, MAIL), page(MAIL, START + HOUR, CRM))
    log.tick(START + 8 * DAY)
    unlink(log, "user::1", MAIL)

    assert log.document(MAIL, START + 8 * DAY)["score"]["interest"] < 60
    stage = log.document(MAIL, START + 8 * DAY)["stage"]
    assert (stage["name"], stage["enteredAt"]) == ("mql", "2026-01-05T00:00:00.000Z")


def test_a_lead_merged_into_one_that_leaves_stays_where_its_identity_does() -> None:
    log = Log()
    log.add(page("user::1"), page(MAIL), page(CRM))
    log.add(page(MAIL, START + HOUR, CRM), page("user::1", START + HOUR, MAIL, CRM))
    unlink(log, "user::1", MAIL)

    assert log.person(MAIL).members == [MAIL]
    assert set(log.person(CRM).members) == {"user::1", CRM}
    assert log.person(CRM).previous == [CRM_LEAD]
    assert log.people.rows.person(CRM_LEAD) is log.person("user::1")
    assert log.person(MAIL).previous == []


def test_a_stage_that_came_from_a_third_one_who_stays_is_not_taken_along() -> None:
    log = Log()
    log.add(page("user::1"), page(MAIL), asked(CRM))
    log.add(page(MAIL, START + HOUR, CRM), page("user::1", START + HOUR, MAIL, CRM))
    known = len(log.moves(MAIL_LEAD))
    unlink(log, "user::1", MAIL)

    assert (log.person("user::1").stage, log.person(MAIL).stage) == ("mql", "lead")
    assert [move[:3] for move in log.moves(MAIL_LEAD)[known:]] == [("mql", "lead", "unmerge")]


def test_rows_of_a_release_that_kept_no_links_let_go_of_the_one_that_is_named() -> None:
    log = Log()
    log.add(page("user::1", START, MAIL, COOKIE))
    for node in ("user::1", MAIL, COOKIE):
        identity = log.people.rows.identity(node)
        assert identity is not None
        identity.linked = b""
    unlink(log, "user::1", MAIL)

    assert log.person("user::1").members == ["user::1", COOKIE]


# -- sums, sequences, what the CRM holds


def test_sums_are_exact_again_also_of_what_was_done_while_they_were_one() -> None:
    alone = Log()
    alone.add(page("user::1"), asked(MAIL, START + HOUR), page("user::1", START + DAY), asked("user::1", START + DAY + HOUR))
    log = merged(page("user::1"), asked(MAIL, START + HOUR))
    log.add(asked("user::1", START + DAY + HOUR))
    unlink(log, "user::1", MAIL)

    for node in ("user::1", MAIL):
        assert total(log, node) == pytest.approx(total(alone, node), rel=1e-9)


def test_a_sequence_stays_where_it_was_earned() -> None:
    log = merged(page("user::1"), happened("Met", MAIL, START + HOUR), rules(BEHAVIOURS + SEQUENCE + LADDER))
    assert log.person("user::1").bonuses["read-met"].by == ""
    unlink(log, "user::1", MAIL)

    assert "read-met" in log.person("user::1").bonuses, "earned by both, and there"
    assert log.person(MAIL).bonuses == {}


def test_a_sequence_that_was_brought_along_goes_again() -> None:
    ruleset = rules(BEHAVIOURS + SEQUENCE + LADDER)
    log = Log(ruleset)
    log.add(page("user::1"), page(MAIL), happened("Met", MAIL, START + HOUR), page("user::1", START + DAY, MAIL))
    assert log.person("user::1").bonuses["read-met"].by == MAIL_LEAD
    unlink(log, "user::1", MAIL)

    assert log.person("user::1").bonuses == {}
    assert log.person(MAIL).bonuses["read-met"].by == ""
    link(log, MAIL, "user::1")
    assert log.person("user::1").bonuses["read-met"].by == MAIL_LEAD


def test_a_sequence_that_was_brought_along_goes_and_one_of_its_own_done_since_takes_its_place() -> None:
    log = Log(rules(BEHAVIOURS + SEQUENCE + LADDER))
    log.add(page("user::1"), page(MAIL), happened("Met", MAIL, START + HOUR), page("user::1", START + DAY, MAIL))
    log.add(happened("Met", "user::1", START + 2 * DAY))
    assert log.person("user::1").bonuses["read-met"].by == MAIL_LEAD
    unlink(log, "user::1", MAIL)

    assert {node: log.person(node).bonuses["read-met"].t for node in ("user::1", MAIL)} == {
        "user::1": START + 2 * DAY,
        MAIL: START + HOUR,
    }


def test_a_sequence_that_both_had_is_both_of_theirs_again_also_where_nobody_could_earn_it_anew() -> None:
    log = Log(rules(BEHAVIOURS + SEQUENCE + LADDER))
    log.add(page("user::1"), happened("Met", "user::1", START), page(MAIL, START, CRM), happened("Met", CRM, START))
    unlink(log, MAIL, CRM)
    assert log.person(MAIL).bonuses["read-met"].by == "", "it stays where it was earned"
    log.add(page("user::1", START + DAY, MAIL))
    unlink(log, "user::1", MAIL)

    assert [log.person(node).bonuses["read-met"].by for node in ("user::1", MAIL)] == ["", ""]


def test_what_a_third_one_brought_stays_with_it() -> None:
    log = Log(rules(BEHAVIOURS + SEQUENCE + LADDER))
    log.add(page("user::1"), page(MAIL), asked(CRM), page(CRM), happened("Met", CRM, START + HOUR))
    log.add(page(MAIL, START + DAY, CRM), page("user::1", START + DAY, MAIL, CRM))
    person = log.person("user::1")
    assert (person.bonuses["read-met"].by, person.joined and person.joined.by) == (CRM_LEAD, CRM_LEAD)
    unlink(log, "user::1", MAIL)

    assert log.person(MAIL).bonuses == {}
    assert log.person(MAIL).stage == "lead", "sql was the third one's"
    assert log.person("user::1").bonuses["read-met"].by == CRM_LEAD
    unlink(log, "user::1", CRM)
    assert (log.person("user::1").stage, log.person(CRM).stage) == ("lead", "sql")


def test_stages_taken_over_one_above_the_other_are_given_back_in_any_order() -> None:
    for order in ([MAIL, CRM], [CRM, MAIL]):
        log = Log()
        log.add(page("user::1"), asked(MAIL), asked(CRM), asked(CRM))
        log.add(page("user::1", START + HOUR, MAIL), page("user::1", START + HOUR, CRM))
        person = log.person("user::1")
        assert person.joined is not None
        assert person.joined.by == CRM_LEAD or person.stage == "sql"
        for other in order:
            unlink(log, "user::1", other)
        assert [log.person(node).stage for node in ("user::1", MAIL, CRM)] == ["lead", "mql", "sql"]
        assert log.person("user::1").joined is None


def test_the_hold_and_the_newest_word_of_the_crm_go_with_whom_they_were_about() -> None:
    log = merged(moved("user::1", "lead"), moved(MAIL, "mql", START + HOUR))
    person = log.person("user::1")
    assert (person.hold_until, person.crm_t) == (START + HOUR + 14 * DAY, START + HOUR)
    unlink(log, "user::1", MAIL)

    assert (log.person("user::1").hold_until, log.person("user::1").crm_t) == (START + 14 * DAY, START)
    assert (log.person(MAIL).hold_until, log.person(MAIL).crm_t) == (START + HOUR + 14 * DAY, START + HOUR)


def test_both_sides_first_do_what_is_due() -> None:
    log = merged(asked("user::1"), page(MAIL))
    log.tick(START + 60 * DAY)
    assert log.person("user::1").stage == "lead"
    due = log.moves(LEAD_1)[-1]
    unlink(log, "user::1", MAIL)

    assert due[2] == "decay"
    assert log.person("user::1").as_of == log.person(MAIL).as_of == START + 60 * DAY


def test_each_side_falls_when_its_own_sum_does() -> None:
    log = merged(asked("user::1"), asked(MAIL, START + HOUR))
    unlink(log, "user::1", MAIL)
    log.tick(START + 40 * DAY)

    for lead, later in ((LEAD_1, 0), (MAIL_LEAD, HOUR)):
        assert log.moves(lead)[-1][:3] == ("mql", "lead", "decay")
        assert log.moves(lead)[-1][3] > 10 * DAY + later - 1


def test_one_that_came_back_after_a_loss_is_a_lead_again() -> None:
    log = Log()
    log.append(Restored(LEAD_1, 4, ["user::1", MAIL], {MAIL_LEAD: 7}, "mql", START, START))
    unlink(log, "user::1", MAIL)

    told = [(fact["subject"], fact["sequence"], fact["type"]) for fact in log.facts if fact["subject"] == MAIL_LEAD]
    assert told == [(MAIL_LEAD, "0000000008", "lead.unmerged.v1"), (MAIL_LEAD, "0000000009", "lead.stage_changed.v1")]


# -- afterwards


def test_every_pair_across_the_cut_stays_apart_whoever_names_whom() -> None:
    log = Log()
    log.add(page("user::1", START, COOKIE), page(MAIL, START, "anon::b"), page("user::1", START, MAIL))
    unlink(log, "user::1", MAIL)
    known = len(log.facts)
    for key, other in (("user::1", MAIL), (MAIL, "user::1"), (COOKIE, MAIL), ("anon::b", COOKIE), ("anon::b", "user::1")):
        log.add(page(key, START + DAY, other))

    assert log.person("user::1") is not log.person(MAIL)
    assert len(log.facts) == known, "and nothing is said"


def test_nobody_else_brings_them_together() -> None:
    log = Log()
    log.add(page("user::1", START, MAIL))
    unlink(log, "user::1", MAIL)
    log.add(page("user::1", START + DAY, "anon::new"), page(MAIL, START + DAY, "anon::new"))

    assert log.person("anon::new").id == LEAD_1, "who came first has it"
    log.add(page("anon::third", START + DAY, MAIL), page("anon::third", START + DAY, "user::1"))
    assert log.person("anon::third").id == MAIL_LEAD
    assert not any(fact["type"] == "identity.conflict.v1" for fact in log.facts)


def test_other_links_go_on() -> None:
    log = Log()
    log.add(page("user::1", START, MAIL))
    unlink(log, "user::1", MAIL)
    log.add(page(MAIL, START + DAY, "phone::+4930123456"), page("user::2", START + DAY, MAIL))

    assert set(log.person(MAIL).members) == {MAIL, "phone::+4930123456", "user::2"}


def test_a_device_across_the_cut_is_shared_by_a_third_registration_all_the_same() -> None:
    log = Log()
    log.add(page("user::1", START, MAIL, COOKIE))
    unlink(log, "user::1", MAIL)
    log.add(page("user::2", START + DAY, MAIL), page("user::2", START + DAY, COOKIE))

    cookie = log.people.rows.identity(COOKIE)
    assert cookie is not None
    assert cookie.shared
    assert [fact["data"]["ids"] for fact in log.facts if fact["type"] == "identity.conflict.v1"] == [["user::2", COOKIE]] * 2


def test_an_operators_link_ends_it() -> None:
    log = merged(page("user::1"), asked(MAIL, START + HOUR))
    unlink(log, "user::1", MAIL)
    link(log, MAIL, "user::1")

    assert log.person(MAIL).id == LEAD_1
    assert log.moves(LEAD_1)[-1] == ("lead", "mql", "merge", 2 * DAY)
    assert all(not (identity := log.people.rows.identity(node)) or identity.apart == [] for node in ("user::1", MAIL))
    unlink(log, "user::1", MAIL)
    log.add(page("user::1", START + 3 * DAY, MAIL))
    assert log.person(MAIL).id == MAIL_LEAD


def test_a_link_of_one_half_leaves_the_other_apart() -> None:
    log = Log()
    log.add(page("user::1", START, MAIL), page(MAIL, START, CRM))
    unlink(log, "user::1", MAIL)
    unlink(log, MAIL, CRM)
    link(log, "user::1", MAIL)
    log.add(page("user::1", START + DAY, CRM), page(MAIL, START + DAY, CRM))

    assert set(log.person("user::1").members) == {"user::1", MAIL}
    assert log.person(CRM).id == CRM_LEAD
    link(log, "user::1", CRM)
    assert set(log.person(CRM).members) == {"user::1", MAIL, CRM}


def test_a_link_that_was_cut_does_not_count_when_they_are_one_again() -> None:
    log = Log()
    log.add(page("user::1", START, MAIL), page(MAIL, START, CRM))
    unlink(log, "user::1", MAIL)
    link(log, "user::1", CRM)
    unlink(log, "user::1", CRM)

    assert log.person("user::1").members == ["user::1"]
    assert set(log.person(CRM).members) == {MAIL, CRM}


def test_a_link_that_the_leaving_side_told_does_not_count_when_they_are_one_again() -> None:
    log = Log()
    log.add(page("user::1"), page(MAIL, START, "user::1", CRM))
    unlink(log, "user::1", MAIL)
    link(log, "user::1", CRM)
    unlink(log, "user::1", CRM)

    assert log.person("user::1").members == ["user::1"]
    assert set(log.person(CRM).members) == {MAIL, CRM}


def test_accounts_hear_of_both() -> None:
    log = Log()
    log.people = People({}, 1, "leadstream", log.rules, accounts=True)
    mail = page(MAIL, START, node_kind="business")
    log.add(page("user::1"), mail, page("user::1", START + HOUR, MAIL))
    assert log.people.membership is not None
    log.people.membership.out.clear()
    unlink(log, "user::1", MAIL)

    told = [(member.id, member.left) for out in log.people.membership.out for member in _members(out.value)]
    assert sorted(told) == [(LEAD_1, True), (MAIL_LEAD, False)]


def _members(value: bytes | None) -> list[Any]:
    record = decode(value or b"")
    assert isinstance(record, Members)
    return record.changed
