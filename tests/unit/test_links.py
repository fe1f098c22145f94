"""Who belongs together: merges, refused links, shared devices."""

from typing import Any

import pytest

from stream.domain.event import Event, Link
from stream.domain.ids import lead_id
from stream.domain.links import REFUSED
from tests.told import BEHAVIOURS, DAY, HOUR, LADDER, LEAD_1, LEAD_2, START, Log, happened, rules

COOKIE = "anon::a"
SEQUENCE = '[sequences.read-met]\nsteps = ["viewed", "met"]\nwithin = "30d"\npoints = 20\nhalf_life = "30d"\n'
MAIL = "email::x@acme.example"
MAIL_LEAD = lead_id(MAIL)


def page(node: str, t: int = START, *links: str | Link, **more: Any) -> Event:
    return happened("page", node, t, links=links, **more)


def asked(node: str, t: int = START, *links: str) -> Event:
    return happened("Asked", node, t, links=links)


def conflicts(log: Log) -> list[tuple[str, dict[str, Any]]]:
    return [(fact["subject"], fact["data"]) for fact in log.facts if fact["type"] == "identity.conflict.v1"]


def merges(log: Log) -> list[tuple[str, str]]:
    return [(fact["subject"], fact["data"]["into"]) for fact in log.facts if fact["type"] == "lead.merged.v1"]


# -- two leads become one


@pytest.mark.parametrize(("key", "other"), [("user::1", MAIL), (MAIL, "user::1")])
def test_the_one_identified_first_goes_on_whichever_names_the_other(key: str, other: str) -> None:
    log = Log()
    log.add(asked("user::1"), page(MAIL, START + HOUR), page(key, START + DAY, other))

    assert merges(log) == [(MAIL_LEAD, LEAD_1)]
    assert log.person(MAIL) is log.person("user::1")
    assert log.person(MAIL).members == ["user::1", MAIL]
    assert log.facts[-1]["time"] == "2026-01-06T00:00:00.000Z"


def test_one_that_ends_has_no_state_any_more_and_its_own_last_number() -> None:
    log = Log()
    log.add(page("user::1"), page(MAIL), page("user::1", START, MAIL))

    states = [(out.key, out.value is None) for out in log.out if out.topic == "lead-states"]
    assert states == [(LEAD_1.encode(), False), (MAIL_LEAD.encode(), False), (MAIL_LEAD.encode(), True)]
    assert [fact["sequence"] for fact in log.facts if fact["subject"] == MAIL_LEAD] == ["0000000001", "0000000002"]


def test_the_survivor_takes_over_the_higher_stage_and_when_it_was_entered() -> None:
    log = Log()
    log.add(page("user::1"), asked(MAIL, START + HOUR), page("user::1", START + DAY, MAIL))

    taken = log.facts[-1]["data"]
    assert log.moves(LEAD_1)[-1] == ("lead", "mql", "merge", DAY)
    assert taken["stage"]["enteredAt"] == "2026-01-05T01:00:00.000Z"
    assert taken["stage"]["timeInPreviousMs"] == DAY
    assert taken["lead"]["previousIds"] == [MAIL_LEAD]
    assert taken["reason"]["ruleId"] == "stages.mql"


def test_a_crm_stage_wins_over_a_higher_one() -> None:
    log = Log()
    log.add(*(asked("user::1") for _ in range(20)), happened("Lead Stage Changed", MAIL, START, crm_stage="customer"))
    assert log.person("user::1").stage == "star"
    log.add(page("user::1", START + HOUR, MAIL))

    assert log.moves(LEAD_1)[-1] == ("star", "customer", "merge", HOUR)
    assert log.facts[-1]["data"]["stage"]["direction"] == "down"
    assert log.facts[-1]["data"]["reason"]["ruleId"] == "stages.customer"


def test_equal_stages_keep_the_survivors_entry_and_are_judged_together() -> None:
    log = Log()
    log.add(asked("user::1"), asked(MAIL, START + HOUR), page("user::1", START + DAY, MAIL))

    assert log.moves(LEAD_1) == [("visitor", "mql", "threshold_up", 0), ("mql", "sql", "merge", DAY)]


def test_both_sides_first_do_what_is_due() -> None:
    log = Log()
    log.add(page("user::1"), asked(MAIL), page("user::1", START + 30 * DAY, MAIL))

    assert log.moves(MAIL_LEAD)[-1][:3] == ("mql", "lead", "decay")
    assert log.person(MAIL).stage == "lead"
    assert log.people.leads.timers.at(MAIL_LEAD) is None


def test_the_larger_clock_hold_and_crm_time_go_on() -> None:
    log = Log()
    log.add(page("user::1"), happened("Lead Stage Changed", MAIL, START + DAY, crm_stage="mql", r=START + 9 * DAY))
    log.add(page("user::1", START + HOUR, MAIL))

    person = log.person("user::1")
    assert (person.as_of, person.hold_until, person.crm_t) == (START + 9 * DAY, START + 23 * DAY, START + DAY)
    merged = next(fact for fact in log.facts if fact["type"] == "lead.merged.v1")
    assert (merged["time"], merged["recordedtime"]) == ("2026-01-14T00:00:00.000Z", "2026-01-05T01:00:00.000Z")


def test_a_bonus_both_have_is_the_survivors_once() -> None:
    log = Log(rules(BEHAVIOURS + SEQUENCE + LADDER))
    for node, t in (("user::1", START), (MAIL, START + DAY)):
        log.add(page(node, t), happened("Met", node, t))
    log.add(page("user::1", START + 2 * DAY, MAIL))

    rows = {row["ruleId"]: row for row in log.document(MAIL, START + 2 * DAY)["explain"]}
    assert rows["sequences.read-met"]["points"] == pytest.approx(20 * 2 ** (-2 / 30))


def test_a_bonus_only_the_other_has_comes_along_and_one_may_be_made_by_both() -> None:
    log = Log(
        rules(
            BEHAVIOURS
            + SEQUENCE
            + SEQUENCE.replace("read-met", "met-read").replace('"viewed", "met"', '"met", "viewed"')
            + LADDER
        )
    )
    log.add(page("user::1"), page(MAIL, START + 1), happened("Met", MAIL, START + 2), page("user::1", START + DAY, MAIL))

    assert set(log.person(MAIL).bonuses) == {"read-met", "met-read"}
    assert log.person(MAIL).bonuses["read-met"].t == START + 2


def test_who_was_merged_before_is_remembered() -> None:
    log = Log()
    log.add(page("user::1"), page(MAIL), page("phone::+491"), page(MAIL, START, "phone::+491"), page("user::1", START, MAIL))

    assert log.person("phone::+491").previous == [MAIL_LEAD, lead_id("phone::+491")]
    assert log.document(MAIL, START)["id"] == LEAD_1


@pytest.mark.parametrize("key_is_lead", [True, False])
def test_a_person_that_is_no_lead_joins_and_nothing_is_told(key_is_lead: bool) -> None:  # noqa: FBT001
    log = Log()
    log.add(asked(COOKIE, START, "weibo::w"), page("user::1", START + 1))
    log.add(page("user::1", START + HOUR, COOKIE) if key_is_lead else page(COOKIE, START + HOUR, "user::1"))

    assert merges(log) == []
    assert log.person("weibo::w").id == LEAD_1
    assert log.moves()[-1] == ("lead", "mql", "threshold_up", HOUR)


def test_of_two_persons_that_are_no_leads_the_elder_goes_on() -> None:
    log = Log()
    log.add(page("anon::b", START, "weibo::v"), page(COOKIE, START, "weibo::w"), page(COOKIE, START, "weibo::v"))

    assert log.person(COOKIE).id == "~anon::b"
    assert set(log.person(COOKIE).members) == {"anon::b", "weibo::v", COOKIE, "weibo::w"}


def test_a_link_known_already_changes_nothing() -> None:
    log = Log()
    log.add(page("user::1", START, MAIL), page("user::1", START + 1, MAIL))

    assert log.person(MAIL).members == ["user::1", MAIL]
    assert len(log.facts) == 1


# -- refused links


@pytest.mark.parametrize(("key", "other"), [("user::1", "user::2"), ("user::2", "user::1")])
def test_two_values_of_one_class_a_kind_never_meet(key: str, other: str) -> None:
    log = Log()
    log.add(page("user::1"), page("user::2"), page(key, START + HOUR, other), page(other, START + HOUR, key))

    by_key = {"user::1": LEAD_1, "user::2": LEAD_2}
    leads = [by_key[key], by_key[other]]
    assert conflicts(log) == [(lead, {"ids": [key, other], "leads": leads, "code": "class_a"}) for lead in leads]
    assert merges(log) == []


@pytest.mark.parametrize(("key", "other"), [("user::2", COOKIE), (COOKIE, "user::2")])
def test_a_device_that_meets_a_second_holder_is_shared(key: str, other: str) -> None:
    log = Log()
    log.add(page("user::1", START, COOKIE), page("user::2"), page(key, START + HOUR, other))

    identity = log.people.rows.identity(COOKIE)
    assert identity is not None
    assert identity.shared
    assert [data["ids"] for _, data in conflicts(log)] == [[key, other]] * 2


def test_what_a_shared_device_gave_stays_and_what_it_does_is_nobodys() -> None:
    log = Log()
    log.add(asked(COOKIE), page("user::1", START, COOKIE), page("user::2", START, COOKIE))
    before = log.document("user::1", START + DAY)["explain"]
    log.add(*(asked(COOKIE, START + HOUR) for _ in range(9)))

    assert log.document("user::1", START + DAY)["explain"] == before
    assert log.person("user::1").as_of == START


def test_a_shared_device_links_nobody_and_nobody_links_it() -> None:
    log = Log()
    log.add(page("user::1", START, COOKIE), page("user::2", START, COOKIE))
    log.add(page(COOKIE, START + 1, "weibo::w"), page("user::1", START + 1, COOKIE))

    weibo = log.people.rows.identity("weibo::w")
    assert weibo is None or not weibo.person
    assert len(conflicts(log)) == 2


def test_a_conflict_counts_where_the_device_is_shared_already() -> None:
    log = Log()
    log.add(page("user::1", START, COOKIE), page("user::2", START, COOKIE), page("user::3", START, COOKIE))
    log.add(page(COOKIE, START, "user::3"), page("user::3", START, COOKIE), page(COOKIE, START, "user::4"))

    assert [data["ids"] for _, data in conflicts(log)] == [["user::2", COOKIE]] * 2 + [["user::3", COOKIE]] * 2 + [
        [COOKIE, "user::4"]
    ]


def test_a_conflict_is_numbered_and_dated_by_each_leads_own_clock_before_the_judgement() -> None:
    log = Log()
    log.add(page("user::1", START + 5), page("user::2", START), asked("user::2", START + HOUR, "user::1"))

    told = log.facts[2:]
    assert [(fact["subject"], fact["type"]) for fact in told] == [
        (LEAD_2, "identity.conflict.v1"), (LEAD_1, "identity.conflict.v1"), (LEAD_2, "lead.stage_changed.v1"),
    ]  # fmt: skip
    assert [fact["time"] for fact in told[:2]] == ["2026-01-05T01:00:00.000Z", "2026-01-05T00:00:00.005Z"]
    assert [fact["recordedtime"] for fact in told[:2]] == ["2026-01-05T01:00:00.000Z"] * 2


def test_a_person_that_is_no_lead_gets_no_conflict() -> None:
    log = Log(rules(BEHAVIOURS + LADDER + "[identity]\nmax_members = 2\n"))
    log.add(page(COOKIE, START, "weibo::w"), page("user::1", START), page("user::1", START, COOKIE))

    assert conflicts(log) == [(LEAD_1, {"ids": ["user::1", COOKIE], "leads": [LEAD_1], "code": "max_members"})]


def test_over_max_members_a_link_is_refused_nothing_is_shared_and_scoring_goes_on() -> None:
    log = Log(rules(BEHAVIOURS + LADDER + "[identity]\nmax_members = 2\n"))
    log.add(page("user::1", START, COOKIE), asked("user::1", START + 1, MAIL), page("user::1", START + 2, MAIL))

    assert [data["code"] for _, data in conflicts(log)] == ["max_members"]
    assert log.moves()[-1][1] == "mql"
    assert [one for one in ("user::1", COOKIE, MAIL) if (known := log.people.rows.identity(one)) and known.shared] == []


def test_refused_nodes_are_remembered_in_a_few_bytes_the_newest() -> None:
    log = Log()
    log.add(page("user::1"), *(page("user::1", START, f"user::x{n}") for n in range(REFUSED + 1)))
    told = len(conflicts(log))
    log.add(page("user::1", START, f"user::x{REFUSED}"), page("user::1", START, "user::x0"))

    assert len(conflicts(log)) == told + 1


def test_several_links_of_one_event_are_decided_in_their_order() -> None:
    log = Log()
    log.add(page("user::1"), page("user::2"), page(COOKIE, START, "user::1", "user::2", MAIL))

    assert log.person(COOKIE).id == LEAD_1
    assert [data["ids"] for _, data in conflicts(log)] == [[COOKIE, "user::2"]] * 2
    assert log.people.rows.identity(MAIL) is None


# -- kinds


def test_the_newest_naming_of_an_address_counts() -> None:
    log = Log()
    log.add(page("user::1", START, Link(MAIL, "business")), page("user::1", START - DAY, Link(MAIL)))
    log.add(page("user::1", START + DAY, "email::z@b.example", r=START + DAY), page("user::1", START + 2 * DAY, MAIL))

    identity = log.people.rows.identity(MAIL)
    assert identity is not None
    assert (identity.kind, identity.named_t) == ("business", START + 2 * DAY)


def test_a_weak_address_makes_no_lead_and_is_woken_like_a_device() -> None:
    log = Log(rules(BEHAVIOURS + LADDER + '[identity]\ntyped_email = "C"\n'))
    log.add(page(COOKIE, START, MAIL))
    assert (log.facts, [out.key for out in log.out]) == ([], [MAIL.encode()])

    log.add(page("user::1", START, MAIL), page("user::2", START, MAIL))

    identity = log.people.rows.identity(MAIL)
    assert identity is not None
    assert identity.shared
