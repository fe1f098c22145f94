"""What the CRM reads: members in their order, reasons in words, numbers that sum."""

from typing import Any

import orjson
import pytest

from stream.domain import facts
from stream.domain.event import Company, Group, Link
from stream.domain.facts import Change, because
from stream.domain.ruleset.model import Stage
from stream.domain.scoring import Outlook
from stream.domain.stages import Move
from tests.told import BEHAVIOURS, DAY, HOUR, LADDER, LEAD_1, START, Log, happened, rules

USER, COOKIE, MAIL = "user::1", "anon::a", "email::x@acme.example"
LOW, HIGH, ODD = Stage("low", 1), Stage("high", 2, enter={"interest": 60.0}, exit={"interest": 40.0}), Stage("crm", 3, "crm")


def change(left: Stage, entered: Stage, code: str) -> Change:
    return Change(left, entered, 9, 9, -1, code, "", 9)


@pytest.mark.parametrize(
    ("left", "entered", "code", "rule", "direction"),
    [
        pytest.param(LOW, HIGH, "threshold_up", "stages.high", "up", id="the stage entered on the way up"),
        pytest.param(HIGH, LOW, "threshold_down", "stages.high", "down", id="the one left on the way down"),
        pytest.param(HIGH, LOW, "decay", "stages.high", "down", id="also at a crossing"),
        pytest.param(HIGH, LOW, "crm", "stages.low", "down", id="the CRM: the one entered"),
        pytest.param(ODD, LOW, "merge", "stages.low", "down", id="a merge: the one entered"),
        pytest.param(HIGH, HIGH, "merge", "stages.high", "same", id="the same by order"),
    ],
)
def test_rule_and_direction(left: Stage, entered: Stage, code: str, rule: str, direction: str) -> None:
    told = change(left, entered, code)

    assert (told.rule, told.direction) == (rule, direction)


FULL = Stage("full", 2, enter={"identified": True, "interest": 60.0, "grade": "B"}, exit={"interest": 40.0, "grade": "C"})


@pytest.mark.parametrize(
    ("left", "move", "look", "expected"),
    [
        pytest.param(
            LOW, Move(FULL, 0, "threshold_up"), {"interest": {1.0: 62.0}, "grade": "A"},
            "identified, interest reached 62.0 (needs 60), grade is A (needs B)", id="raised",
        ),
        pytest.param(LOW, Move(Stage("bare", 2), 0, "merge"), {}, "", id="raised into a stage that asks nothing"),
        pytest.param(
            FULL, Move(LOW, 0, "decay"), {"interest": {1.0: 39.9}, "grade": "C"}, "interest fell to 39.9, below 40",
            id="only what fell is told",
        ),
        pytest.param(
            FULL, Move(LOW, 0, "threshold_down"), {"interest": {1.0: 80.0}, "grade": "D"}, "grade is D (stays with C)",
            id="the grade",
        ),
        pytest.param(
            Stage("known", 2, enter={"identified": True}, exit={"identified": True}), Move(LOW, 0, "decay"),
            {"identified": False}, "identified is False (stays with True)", id="nobody known any more",
        ),
        pytest.param(Stage("bare", 2), Move(LOW, 0, "merge"), {}, "", id="left one that asks nothing"),
    ],
)  # fmt: skip
def test_reasons_in_words(left: Stage, move: Move, look: dict[str, Any], expected: str) -> None:
    assert because(left, move, Outlook(0, rules(), **look)) == expected


# -- a whole fact


def told(log: Log) -> dict[str, Any]:
    return log.facts[-1]


TOLD = {"title": "Head", "company.name": "A", "company.place.city": "B", "company.gone": None}


def full_log() -> Log:
    ruleset = rules(
        BEHAVIOURS
        + '[fit.title]\nmatch = { "traits.title" = "*" }\npoints = 20\n[events]\ntraits = ["title", "company", "none"]\n'
        + LADDER
    )
    log = Log(ruleset)
    company = Company("Acme", "acme.example", "business", 0.9, "ranges", "192.0.2.0/24", "")
    links = [COOKIE, "anon::0", Link(MAIL, "free"), "wechat_openid:wx1:oX"]
    log.add(
        happened("page", USER, START, links=links, r=START + 7, company=company, url="x/pricing"),
        happened("page", USER, START + HOUR, traits=TOLD),
        happened("Asked", USER, START + DAY, properties={"topics": [f"t{n:02}" for n in range(12)]}),
    )  # fmt: skip
    return log


def test_members_and_their_order_are_the_contracts() -> None:
    fact = told(full_log())

    assert list(fact) == [
        "specversion", "id", "source", "type", "subject", "time", "recordedtime", "sequence", "datacontenttype", "data",
    ]  # fmt: skip
    assert list(fact["data"]) == [
        "lead", "account", "stage", "reason", "score", "explain", "tags", "route", "journey", "ruleset", "freshness",
    ]  # fmt: skip
    assert list(fact["data"]["lead"]) == ["id", "userId", "anonymousIds", "externalIds", "previousIds", "traits"]
    assert list(fact["data"]["stage"]) == ["from", "to", "direction", "enteredAt", "timeInPreviousMs"]
    assert list(fact["data"]["score"]) == ["total", "fit", "interest", "timing", "grade", "nextCrossingAt", "nextStageIfIdle"]


def test_the_envelope() -> None:
    fact = told(full_log())

    assert (fact["id"], fact["subject"], fact["sequence"]) == (f"{LEAD_1}-0000000002", LEAD_1, "0000000002")
    assert (fact["source"], fact["type"]) == ("/leadstream/leadstream", "lead.stage_changed.v1")
    assert fact["time"] == fact["recordedtime"] == fact["data"]["freshness"]["asOf"] == "2026-01-06T00:00:00.000Z"


def test_who_the_lead_is() -> None:
    lead = told(full_log())["data"]["lead"]

    assert lead["userId"] == "1"
    assert lead["anonymousIds"] == ["0", "a"]
    assert lead["externalIds"] == [
        {"type": "email", "id": "x@acme.example"},
        {"type": "wechat_openid", "id": "oX", "scope": "wx1"},
    ]
    assert lead["traits"] == {"title": "Head", "company": {"name": "A", "place": {"city": "B"}}}


def test_a_lead_without_a_registration() -> None:
    log = Log()
    log.add(happened("page", MAIL, START, node_kind="business"))

    assert told(log)["data"]["lead"]["userId"] is None
    assert told(log)["data"]["account"]["id"] == "account::acme.example"
    assert told(log)["data"]["lead"]["traits"] == {}


def test_a_group_names_the_account() -> None:
    log = Log()
    log.add(happened("page", USER, START, group=Group("g")), happened("Asked", USER, START, group=Group("g", {"name": "Told"})))

    assert [fact["data"]["account"]["name"] for fact in log.facts] == ["g", "Told"]


def test_the_ledger_sums_and_the_ten_heaviest_tags_are_shown() -> None:
    data = told(full_log())["data"]

    assert sum(row["points"] for row in data["explain"]) == pytest.approx(data["score"]["total"], abs=1e-9)
    assert [row["ruleId"] for row in data["explain"]] == ["behaviours.asked", "fit.title", "behaviours.viewed"]
    assert [row["count"] for row in data["explain"]] == [1, 1, 2]
    assert [tag["tag"] for tag in data["tags"]] == [f"t{n:02}" for n in range(10)]


def test_the_first_change_has_no_time_in_the_previous_stage() -> None:
    stages = [fact["data"]["stage"] for fact in full_log().facts]

    assert [stage["timeInPreviousMs"] for stage in stages] == [None, DAY - 7]
    assert [stage["enteredAt"] for stage in stages] == ["2026-01-05T00:00:00.007Z", "2026-01-06T00:00:00.000Z"]


def test_what_changes_next_if_nothing_happens_is_what_then_changes() -> None:
    log = full_log()
    score = told(log)["data"]["score"]
    log.tick(START + 90 * DAY)

    after = told(log)
    assert (after["time"], after["data"]["stage"]["to"]["name"]) == (score["nextCrossingAt"], score["nextStageIfIdle"])
    assert after["data"]["reason"]["text"] == "interest fell below 40"
    assert (after["data"]["score"]["nextCrossingAt"], after["data"]["score"]["nextStageIfIdle"]) == (None, None)


def test_a_fact_is_what_orjson_writes() -> None:
    value = next(out.value for out in full_log().out if out.topic == "stage-changes")
    assert value is not None
    assert orjson.dumps(orjson.loads(value)) == value


def test_a_trait_that_is_a_list_is_a_leaf() -> None:
    log = Log(rules(BEHAVIOURS + LADDER + '[events]\ntraits = ["products", "bant"]\n'))
    log.add(happened("page", USER, START, traits={"products": ["crm", {"a": 1}], "bant.budget": False}))

    assert facts.trait_out(log.people.leads.view(log.person(USER)), "products") == ["crm", {"a": 1}]
    assert told(log)["data"]["lead"]["traits"] == {"products": ["crm", {"a": 1}], "bant": {"budget": False}}
