"""What a CRM says about leads, by any of their ids: stages, echoes, order, holds, merges, and the side after the sale."""

from typing import Any

import pytest

from stream import rulesets
from stream.domain.event import Event
from stream.domain.ids import lead_id
from stream.domain.log import Linking, Unlinking
from stream.domain.ruleset.load import load
from tests.told import DAY, HOUR, LEAD_1, START, Log, happened

USER, MAIL, THIRD = "user::1", "email::a@b.example", "email::c@b.example"
SHIPPED = load(rulesets.default_text())
SUCCESS = ("opportunity", "customer", "onboarding", "active", "renewal", "churned")


def moved(stage: str, node: str = USER, t: int = START, **more: Any) -> Event:
    return happened("Lead Stage Changed", node, t, crm_stage=stage, properties={"stage": stage}, **more)


def by_lead(node: str) -> str:
    return f"lead::{lead_id(node)}"


def interested() -> Log:
    log = Log()
    log.add(happened("Asked", USER, START))
    assert log.person(USER).stage == "mql"
    return log


# -- by which id


@pytest.mark.parametrize("node", [USER, MAIL, "crm::00Q7", by_lead(USER)])
def test_a_lead_is_moved_by_any_of_its_ids(node: str) -> None:
    log = interested()
    log.add(happened("page", USER, START, links=[MAIL, "crm::00Q7"]), moved("customer", node, START + 1))
    assert log.moves(LEAD_1)[-1] == ("mql", "customer", "crm", 1)


def test_a_lead_id_that_nobody_has_moves_nobody_and_counts_once_somebody_has_it() -> None:
    log = Log()
    log.add(moved("customer", by_lead(USER)))
    assert log.moves() == []
    log.add(happened("page", USER, START + HOUR))
    assert by_lead(USER) in log.person(USER).members
    log.add(moved("customer", by_lead(USER), START + 2 * HOUR))
    assert log.person(USER).stage == "customer"


# -- order and repeats


@pytest.mark.parametrize(
    ("why", "events", "stage"),
    [
        ("the later one came first", [moved("customer", t=START + 2), moved("lead", t=START + 1)], "customer"),
        ("of equals the later applied", [moved("customer", t=START + 1), moved("sql", t=START + 1)], "sql"),
        ("told under two ids", [moved("customer", by_lead(USER), START + 2), moved("sql", USER, START + 1)], "customer"),
        ("a bot's", [moved("customer", t=START + 1, bot=True)], "mql"),
        ("back to the visitors", [moved("visitor", t=START + 1)], "visitor"),
    ],
)
def test_moves_settle_by_the_time_of_the_crm(why: str, events: list[Event], stage: str) -> None:
    log = interested()
    log.add(*events)
    assert log.person(USER).stage == stage, why


def test_a_repeat_under_another_message_is_no_move() -> None:
    log = interested()
    log.add(moved("customer", t=START + 1), moved("customer", t=START + 1), moved("customer", by_lead(USER), START + 1))
    assert [move[1:3] for move in log.moves() if move[2] == "crm"] == [("customer", "crm")]


# -- ids of leads that were merged away


def merged_twice() -> Log:
    """Return three leads that are one: the third was merged into the second, which was merged into the first."""
    log = Log()
    log.add(happened("page", USER, START), happened("page", MAIL, START + 1), happened("page", THIRD, START + 2))
    log.add(happened("page", MAIL, START + 3, links=[THIRD]), happened("page", USER, START + 4, links=[MAIL]))
    return log


def test_the_old_id_of_a_merge_of_merges_still_works() -> None:
    log = merged_twice()
    log.add(moved("customer", by_lead(THIRD), START + HOUR))
    assert log.moves(LEAD_1)[-1] == ("lead", "customer", "crm", HOUR)
    assert by_lead(THIRD) in log.person(USER).members


def test_a_merge_behind_the_old_ids_first_event_takes_it_along() -> None:
    log = Log()
    log.add(happened("page", USER, START), happened("page", MAIL, START + 1), moved("lead", by_lead(MAIL), START + 2))
    log.add(happened("page", USER, START + 3, links=[MAIL]), moved("customer", by_lead(MAIL), START + HOUR))
    assert log.person(USER).stage == "customer"


def test_after_an_unlink_each_id_moves_its_own_lead_again() -> None:
    log = merged_twice()
    log.add(moved("mql", by_lead(MAIL), START + HOUR))
    log.append(Unlinking("word", USER, MAIL))
    log.add(moved("customer", by_lead(MAIL), START + 2 * HOUR), moved("sql", by_lead(USER), START + 3 * HOUR))
    assert (log.person(MAIL).id, log.person(MAIL).stage) == (lead_id(MAIL), "customer")
    assert (log.person(USER).id, log.person(USER).stage) == (LEAD_1, "sql")
    log.append(Linking("again", USER, MAIL))
    assert log.person(MAIL).id == LEAD_1


# -- after the sale


def after_the_sale() -> Log:
    log = Log(SHIPPED)
    traits = {"email": "a@b.example"}
    log.add(happened("Meeting Attended", USER, START, traits=traits), happened("Quote Requested", USER, START + HOUR))
    log.add(*(moved(stage, by_lead(USER), START + DAY * n) for n, stage in enumerate(SUCCESS, 1)))
    return log


def test_a_customer_goes_on_to_renewal_or_churns_as_the_crm_says() -> None:
    log = after_the_sale()
    assert [move[1:3] for move in log.moves()[-len(SUCCESS) :]] == [(stage, "crm") for stage in SUCCESS]
    directions = [fact["data"]["stage"]["direction"] for fact in log.facts[-len(SUCCESS) :]]
    assert directions == ["up"] * len(SUCCESS)
    assert log.document(USER, START + 9 * DAY)["stage"]["owner"] == "crm"


@pytest.mark.parametrize("stage", SUCCESS)
def test_the_engine_never_moves_whom_the_crm_has(stage: str) -> None:
    log = after_the_sale()
    log.add(moved(stage, USER, START + 10 * DAY))
    before = len(log.moves())
    log.add(happened("Quote Requested", USER, START + 11 * DAY))
    log.tick(START + 900 * DAY)
    assert len(log.moves()) == before
    document = log.document(USER, START + 901 * DAY)
    assert (document["stage"]["name"], document["nextCrossingAt"]) == (stage, None)


@pytest.mark.parametrize("back", ["customer", "opportunity", "mql"])
def test_who_churned_may_return(back: str) -> None:
    log = after_the_sale()
    log.add(moved(back, by_lead(USER), START + 30 * DAY))
    fact = log.facts[-1]["data"]
    assert (fact["stage"]["from"]["name"], fact["stage"]["to"]["name"]) == ("churned", back)
    assert fact["stage"]["direction"] == "down"
    assert fact["stage"]["timeInPreviousMs"] == (30 - len(SUCCESS)) * DAY


def test_who_returns_to_a_stage_of_the_engine_is_held_and_then_judged() -> None:
    log = after_the_sale()
    log.add(moved("mql", USER, START + 300 * DAY))
    log.tick(START + 300 * DAY + SHIPPED.hold_ms)
    assert log.moves()[-1] == ("mql", "lead", "decay", 300 * DAY + SHIPPED.hold_ms)
