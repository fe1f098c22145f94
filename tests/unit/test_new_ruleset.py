"""Another ruleset among people: where it holds from, what it moves, and why; and the leads whose stage is gone."""

from typing import Any

import pytest

from stream.domain import arming, asking
from stream.domain.editions import KEPT
from stream.domain.log import Deployment, NewRuleset, decode, encode
from stream.domain.people import People
from stream.domain.ruleset.model import Ruleset
from tests.told import BEHAVIOURS, DAY, HOUR, LADDER, LEAD_1, START, Log, happened, replay, rules

USER, OTHER, COOKIE = "user::1", "user::2", "anon::a"
OLD = rules()
FALL = 10 * DAY + 1
"""When 80 points of a half-life of ten days are below 40."""


def ladder(
    mql: str = "enter = { interest = 60 }\nexit = { interest = 40 }", name: str = "mql", behaviours: str = BEHAVIOURS
) -> Ruleset:
    return rules(behaviours + f'[[stages]]\nname = "lead"\nenter = {{ identified = true }}\n[[stages]]\nname = "{name}"\n{mql}\n')


EASY = ladder("enter = { interest = 20 }\nexit = { interest = 10 }")
HARD = ladder("enter = { interest = 100 }\nexit = { interest = 70 }")


def asked(t: int = START, node: str = USER, **more: Any) -> Any:
    return happened("Asked", node, t, **more)


def met(t: int = START, node: str = USER) -> Any:
    return happened("Met", node, t)


def page(t: int, **more: Any) -> Any:
    return happened("page", USER, t, **more)


def switched(log: Log, to: Ruleset, clock: int = DAY) -> Log:
    """Let the clock run, then another ruleset come."""
    log.tick(START + clock)
    log.deploy(to)
    return log


def log_of(*events: Any, first: Ruleset = OLD) -> Log:
    log = Log(first)
    log.add(*events)
    return log


# -- in the log


def test_it_is_passed_on_to_every_partition_of_events_with_its_place() -> None:
    log = Log(partitions=3)
    log.append(Deployment(EASY.text))

    told = [out for out in log.out if out.topic == "events"]
    assert [out.partition for out in told] == [0, 1, 2]
    assert [decode(out.value or b"") for out in told] == [NewRuleset(2, EASY.text)] * 3
    assert log.people.rules.hash == EASY.hash


def test_the_ruleset_in_force_again_changes_nothing_and_is_passed_on_only_if_that_is_asked() -> None:
    log = log_of(asked())
    before = len(log.out)
    log.append(Deployment(OLD.text))
    assert len(log.out) == before

    log.append(Deployment(OLD.text, again=True))

    assert [decode(out.value or b"") for out in log.out[before:]] == [NewRuleset(4, OLD.text)]
    assert (log.people.in_force.place, log.people.rules.hash) == (0, OLD.hash)


def test_a_table_knows_the_ruleset_in_force_and_those_before_it() -> None:
    log = Log()
    for number in range(KEPT + 2):
        log.tick(START + number * DAY)
        log.deploy(rules(BEHAVIOURS + LADDER + f"# {number}\n"))
    log.people.cut()

    again = People(log.people.rows.stored, 1, "leadstream", OLD)

    assert again.rules.text == log.rules.text
    assert again.in_force.editions == log.people.in_force.editions
    assert [edition.place for edition in again.in_force.editions.held] == [7, 9, 11, 13]
    assert again.in_force.since == START + 5 * DAY


def test_what_was_prepared_is_what_comes() -> None:
    log, twin = log_of(asked()), log_of(asked())
    value = encode(Deployment(HARD.text))
    twin.tick(START + DAY)
    log.tick(START + DAY)
    pauses = list(twin.people.prepare(3, value))
    twin.people.apply(3, value)
    log.people.apply(3, value)

    assert pauses == []
    assert twin.people.leads.timers.at(LEAD_1) == log.people.leads.timers.at(LEAD_1)
    assert list(log.people.prepare(4, value)) == [], "it is in force already"


def test_what_was_prepared_for_another_place_is_not_what_comes() -> None:
    log = log_of(asked())
    list(log.people.prepare(9, encode(Deployment(HARD.text))))

    log.deploy(EASY)

    assert (log.people.rules.hash, log.people.in_force.place) == (EASY.hash, 3)


def test_what_is_prepared_leaves_nothing_read_behind() -> None:
    log = log_of(asked(), page(START + HOUR))
    log.people.cut()
    log.tick(START + FALL)  # looks at the lead, and finds that it falls later
    list(log.people.prepare(9, encode(Deployment(HARD.text))))
    log.add(asked(START + FALL), asked(START + 20 * DAY))

    assert replay(log.records, OLD) == log.out


def test_setting_the_timers_of_many_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arming, "AT_ONCE", 1)
    log = log_of(asked(), asked(node=OTHER))

    assert len(list(log.people.prepare(3, encode(Deployment(HARD.text))))) == 2
    log.people.cut()
    assert len(People(log.people.rows.stored, 1, "leadstream", OLD).leads.timers) == 2


# -- what it moves


def test_nobody_is_moved_by_a_ruleset_that_lets_more_in_before_the_next_record() -> None:
    log = switched(log_of(met()), EASY)
    log.tick(START + 2 * DAY)
    assert log.moves() == [("visitor", "lead", "threshold_up", 0)]

    log.add(page(START + 2 * DAY))

    assert log.moves()[1:] == [("lead", "mql", "ruleset_change", 2 * DAY)]
    assert log.facts[-1]["data"]["reason"]["text"] == "interest reached 32.7 (needs 20); the ruleset changed"
    assert log.facts[-1]["data"]["ruleset"]["hash"] == EASY.hash


def test_what_the_former_ruleset_would_have_done_too_has_its_own_reason() -> None:
    log = switched(log_of(met()), EASY)
    log.add(asked(START + DAY))

    assert log.moves()[1:] == [("lead", "mql", "threshold_up", DAY)]


def test_who_becomes_a_lead_under_the_new_ruleset_knows_no_former_one() -> None:
    log = switched(Log(rules(BEHAVIOURS)), EASY)
    log.add(met(START + DAY))

    assert log.moves() == [("visitor", "mql", "threshold_up", DAY)]


def test_only_the_first_judgement_is_compared_with_the_former_ruleset() -> None:
    log = switched(log_of(page(START)), EASY)
    log.add(page(START + DAY), page(START + DAY), page(START + DAY))

    assert log.moves()[1:] == [("lead", "mql", "threshold_up", DAY)]


def test_who_stands_below_a_new_exit_falls_at_the_clock_of_the_switch() -> None:
    log = switched(log_of(asked()), HARD, clock=5 * DAY)
    assert len(log.moves()) == 1
    log.tick(START + 5 * DAY)

    assert log.moves()[1:] == [("mql", "lead", "ruleset_change", 5 * DAY)]


def test_who_falls_below_a_new_exit_later_falls_at_that_instant() -> None:
    log = switched(log_of(asked()), HARD)
    log.tick(START + 9 * DAY)

    fall = log.moves()[1]
    assert fall[:3] == ("mql", "lead", "ruleset_change")
    assert DAY < fall[3] < 3 * DAY


def test_a_fall_at_which_the_former_exit_holds_too_has_its_own_reason() -> None:
    log = switched(log_of(asked()), ladder("enter = { interest = 60 }\nexit = { interest = 30 }"))
    log.tick(START + 30 * DAY)

    assert log.moves()[1][:3] == ("mql", "lead", "decay")
    assert log.moves()[1][3] > FALL


def test_an_event_that_promotes_where_the_former_ruleset_would_demote_is_a_change_of_the_ruleset() -> None:
    log = switched(
        log_of(asked(), first=ladder()), rules(HARD.text.decode() + '[[stages]]\nname = "top"\nenter = { interest = 1 }\n')
    )
    log.add(happened("Left", USER, START + DAY))

    assert log.moves()[1:] == [("mql", "top", "ruleset_change", DAY)]


def test_an_event_before_the_switch_is_judged_at_its_own_time() -> None:
    log = switched(log_of(asked()), HARD, clock=5 * DAY)
    log.add(page(START + HOUR))

    assert log.moves()[1:] == []
    log.tick(START + 9 * DAY)
    assert log.moves()[1][:3] == ("mql", "lead", "decay")


def test_sums_keep_the_half_lives_they_were_made_with() -> None:
    slow = ladder(behaviours=BEHAVIOURS.replace('half_life = "10d"', 'half_life = "100d"'))
    log = switched(log_of(asked()), slow)
    log.add(asked(START + DAY))

    interest = log.document(USER, START + 11 * DAY)["score"]["interest"]
    assert interest == pytest.approx(80 * 2**-1.1 + 80 * 2**-0.1)


def test_a_merge_is_told_as_a_merge_whatever_the_ruleset() -> None:
    log = switched(log_of(met(), met(node="email::x@acme.example")), EASY)
    log.add(page(START + DAY, links=["email::x@acme.example"]))

    assert log.moves()[-1][:3] == ("lead", "mql", "merge")


def test_without_a_clock_nothing_is_due_before_the_leads_own() -> None:
    log = Log(partitions=2)
    log.add(asked())
    log.deploy(HARD)
    for partition in (0, 1):
        log.tick(START + 9 * DAY, partition)

    assert log.moves()[1][:3] == ("mql", "lead", "ruleset_change")
    assert log.moves()[1][3] < 3 * DAY


def test_the_oldest_known_ruleset_stands_for_one_that_is_forgotten() -> None:
    log = log_of(met())
    for number in range(KEPT + 1):
        log.deploy(rules(BEHAVIOURS + LADDER + f"# {number}\n"))
    log.deploy(EASY)
    log.add(page(START + DAY))

    assert log.moves()[1:] == [("lead", "mql", "ruleset_change", DAY)]


def test_a_look_up_meets_what_a_record_would_meet() -> None:
    log = switched(log_of(asked()), HARD, clock=5 * DAY)

    ahead = asking.lead(log.people, USER, START, START + 6 * DAY)

    assert ahead is not None
    assert ahead["stage"]["name"] == "lead"
    assert ahead["ruleset"]["hash"] == HARD.hash
    assert len(log.moves()) == 1, "nothing is stored"


# -- stages that are gone

RENAMED = ladder(name="hot")


@pytest.mark.parametrize(
    ("before", "then"),
    [
        pytest.param(0, ("mql", "hot", "ruleset_change", DAY), id="up, where the new one lets it in"),
        pytest.param(5 * DAY, ("mql", "lead", "ruleset_change", 6 * DAY), id="down to the nearest that is left"),
    ],
)
def test_who_stands_in_a_stage_that_is_gone_is_placed_anew_at_the_switch(before: int, then: tuple[Any, ...]) -> None:
    log = switched(log_of(asked(START)), RENAMED, clock=before + DAY)
    log.tick(START + before + DAY)

    assert log.moves()[1:] == [then]
    assert log.facts[-1]["data"]["stage"]["from"] == {"name": "mql", "order": 2}


def test_who_comes_before_that_is_placed_by_what_it_does() -> None:
    log = switched(log_of(asked(START)), RENAMED, clock=6 * DAY)
    log.add(met(START + 7 * DAY))

    assert log.moves()[1:] == [("mql", "lead", "ruleset_change", 6 * DAY), ("lead", "hot", "threshold_up", 7 * DAY)]
    assert log.facts[-2]["data"]["reason"] == {
        "code": "ruleset_change", "ruleId": "stages.mql", "text": "the ruleset has no stage mql any more",
    }  # fmt: skip


def test_who_comes_at_the_switch_is_placed_by_one_move() -> None:
    log = switched(log_of(asked(START)), RENAMED, clock=6 * DAY)
    log.add(met(START + 6 * DAY - 1))

    assert log.moves()[1:] == [("mql", "hot", "ruleset_change", 6 * DAY - 1)]
    assert log.facts[-1]["data"]["reason"]["ruleId"] == "stages.hot"


def test_a_ladder_without_any_stage_leaves_visitors() -> None:
    log = switched(log_of(asked(START)), rules(BEHAVIOURS))
    log.tick(START + DAY)

    assert log.moves()[1:] == [("mql", "visitor", "ruleset_change", DAY)]


def test_a_stage_of_the_crms_that_is_gone_stays_the_crms() -> None:
    log = log_of(asked(), happened("Lead Stage Changed", USER, START, crm_stage="customer"))
    switched(log, RENAMED)
    log.add(asked(START + DAY))
    log.tick(START + 90 * DAY)

    assert log.moves()[2:] == []
    assert log.document(USER, START + 91 * DAY)["stage"]["name"] == "customer"
    log.add(happened("Lead Stage Changed", USER, START + 91 * DAY, crm_stage="lead"))
    assert log.moves()[2:] == [("customer", "lead", "crm", 91 * DAY)]


def test_a_hold_of_the_crms_holds_also_in_a_stage_that_is_gone() -> None:
    log = log_of(asked(), happened("Lead Stage Changed", USER, START, crm_stage="mql"))
    switched(log, RENAMED)
    log.tick(START + 30 * DAY)

    assert log.moves()[1:] == [("mql", "lead", "ruleset_change", 14 * DAY)]


def test_a_stage_that_comes_back_is_the_ladders_again() -> None:
    log = switched(log_of(asked()), RENAMED)
    log.deploy(OLD)
    log.tick(START + DAY)
    log.tick(START + FALL)

    assert log.moves()[1:] == [("mql", "lead", "decay", FALL)]


def test_the_crms_word_for_a_stage_that_was_never_known_here_is_ignored() -> None:
    log = log_of(asked())
    log.add(happened("Lead Stage Changed", USER, START + HOUR, crm_stage="elsewhere"))

    assert len(log.moves()) == 1


# -- read again


def test_one_that_lived_through_the_switch_and_one_that_was_read_from_the_rows_go_on_alike() -> None:
    log = log_of(asked(), met(START, OTHER))
    for number, ruleset in enumerate((HARD, RENAMED, OLD, EASY)):
        log.tick(START + number * DAY)
        log.deploy(ruleset)
        log.tick(START + number * DAY + HOUR)
        log.add(page(START + number * DAY + 2 * HOUR))
    log.tick(START + 60 * DAY)

    whole = replay(log.records, OLD)
    for cut in range(len(log.records) + 1):
        assert replay(log.records, OLD, cuts=[cut]) == whole
    assert replay(log.records, OLD, cuts=range(99)) == whole == log.out
