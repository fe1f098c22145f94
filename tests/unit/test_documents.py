"""Look-ups: visitor and lead documents as of an instant."""

from typing import Any

import pytest

from stream.domain import documents
from stream.domain.documents import TooEarly
from stream.domain.event import Company
from stream.domain.state import State
from tests.told import BEHAVIOURS, DAY, HOUR, LADDER, LEAD_1, START, Log, happened, rules

USER, COOKIE = "user::1", "anon::a"
ROUTES = """
[[routes]]
match = { "traits.title" = "student" }
route = "discard"
[[routes]]
match = { intent = "direct", journey = "decision" }
route = "sales"
[[routes]]
match = { stage = "mql", grade = "C" }
route = "sales"
"""


def visitor(log: Log, at: int, node: str = COOKIE) -> dict[str, Any]:
    row = log.visitors[node]
    return documents.visitor(node, row.state, log.rules, None, at, at)


def test_a_visitor_who_did_nothing_yet() -> None:
    document = documents.visitor(COOKIE, State(), rules(), None, START, START)

    assert document == {
        "id": COOKIE, "asOf": "2026-01-05T00:00:00.000Z", "firstSeen": None, "lastSeen": None, "events": 0, "bot": False,
        "company": None, "lead": None, "tags": [], "interest": 0.0, "explain": [],
    }  # fmt: skip


def test_a_visitor_who_did_something() -> None:
    log = Log()
    company = Company("Acme", "", "business", 1.0, "ranges", "192.0.2.0/24", "", {"size": "big"})
    log.add(
        happened("Asked", COOKIE, START, company=company, url="x/pricing"), happened("page", COOKIE, START + DAY, url="x/pricing")
    )

    document = visitor(log, START + 10 * DAY)

    assert (document["events"], document["firstSeen"], document["lastSeen"]) == (
        2,
        "2026-01-05T00:00:00.000Z",
        "2026-01-06T00:00:00.000Z",
    )
    assert document["company"] == {
        "name": "Acme", "domain": None, "kind": "business", "confidence": 1.0, "source": "ranges", "network": "192.0.2.0/24",
        "as_of": None, "size": "big",
    }  # fmt: skip
    assert document["interest"] == pytest.approx(40 + 10 * 2**-0.9)
    assert sum(row["points"] for row in document["explain"]) == pytest.approx(document["interest"], abs=1e-9)
    assert document["tags"] == [{"tag": "pricing", "weight": pytest.approx(0.5 + 2**-0.9)}]


def test_numbers_are_doubles_also_where_nothing_counts() -> None:
    log = Log(rules("[interest]\nfloor = -20\n" + BEHAVIOURS + LADDER))
    log.add(happened("Unknown", "user::1", START))
    shown = log.document("user::1", START)["score"]
    assert [type(shown[part]) for part in ("total", "fit", "interest", "timing")] == [float] * 4
    row = log.visitors["user::1"]
    assert type(documents.visitor("user::1", row.state, log.rules, None, START, START)["interest"]) is float


def test_a_visitors_interest_has_the_floor_and_neither_idle_nor_sequences() -> None:
    log = Log(rules('[idle]\nafter = "1d"\npoints = -30\n[interest]\nfloor = -20\n' + BEHAVIOURS + LADDER))
    log.add(happened("Left", COOKIE, START))

    document = visitor(log, START)

    assert document["interest"] == -20
    assert {row["ruleId"]: row["points"] for row in document["explain"]} == {"floor": 30.0, "behaviours.left": -50.0}


def test_a_lead_before_its_first_change() -> None:
    log = Log(rules(BEHAVIOURS + LADDER.replace("enter = { identified = true }", "enter = { interest = 50 }")))
    log.add(happened("page", USER, START))

    document = log.document(USER, START)

    assert document["stage"] == {"name": "visitor", "order": 0, "enteredAt": None, "owner": "engine"}
    assert (document["nextCrossingAt"], document["nextStageIfIdle"]) == (None, None)


def test_a_lead_as_of_later() -> None:
    log = Log()
    log.add(happened("Asked", USER, START, links=[COOKIE]))

    document = log.document(USER, START + 5 * DAY)

    assert (document["id"], document["members"]) == (LEAD_1, [COOKIE, USER])
    assert document["score"]["interest"] == pytest.approx(80 * 2**-0.5)
    assert document["stage"] == {"name": "mql", "order": 2, "enteredAt": "2026-01-05T00:00:00.000Z", "owner": "engine"}
    assert document["nextStageIfIdle"] == "lead"
    assert (document["journey"], document["account"]) == ("decision", None)
    assert document["ruleset"] == {"id": log.rules.id, "hash": log.rules.hash}


@pytest.mark.parametrize(
    ("title", "at", "expected"),
    [
        pytest.param("student", START, "discard", id="the first that matches"),
        pytest.param("head", START, "sales", id="direct and deciding"),
        pytest.param("head", START + 90 * DAY, "nurture", id="direct behaviours make less than a point by then"),
    ],
)
def test_the_route(title: str, at: int, expected: str) -> None:
    log = Log(rules(BEHAVIOURS + ROUTES + "[grades]\nC = { bant = 1 }\n" + LADDER))
    log.add(happened("Asked", USER, START, traits={"title": title}))

    assert log.document(USER, at)["route"] == expected


def test_the_route_as_last_decided_is_kept() -> None:
    log = Log(rules(BEHAVIOURS + ROUTES.replace(', grade = "C"', "") + LADDER))
    log.add(happened("Asked", USER, START))
    decided = documents.lead(log.people.leads, log.person(USER), START + 90 * DAY, START, decided=True)

    assert decided["route"] == "sales"
    assert decided["asOf"] == "2026-01-05T00:00:00.000Z"


def test_points_of_a_behaviour_that_the_ruleset_no_longer_has_show_no_intent() -> None:
    log = Log(rules(BEHAVIOURS + ROUTES.replace("mql", "visitor").replace(', grade = "C"', "") + LADDER))
    log.add(happened("Asked", USER, START))
    view = log.people.leads.view(log.person(USER))
    view.states[0].points = {h: {f"old-{n}": v for n, v in part.items()} for h, part in view.states[0].points.items()}

    assert view.route(START) == "nurture"


def test_the_floor_idle_and_sequences_are_rows_of_the_ledger() -> None:
    log = Log(
        rules(
            '[idle]\nafter = "1d"\npoints = -30\n' + BEHAVIOURS
            + '[sequences.s]\nsteps = ["met", "left"]\nwithin = "1d"\npoints = 9\nhalf_life = "1d"\n' + LADDER
        )
    )  # fmt: skip
    log.add(happened("Met", USER, START), happened("Left", USER, START + HOUR))

    document = log.document(USER, START + DAY + HOUR)

    rows = {row["ruleId"]: (row["count"], row["points"]) for row in document["explain"]}
    assert rows["idle"] == (1, -30.0)
    assert rows["sequences.s"] == (1, 4.5)
    assert rows["floor"][0] == 1
    assert document["score"]["interest"] == 0.0
    assert sum(points for _, points in rows.values()) == pytest.approx(document["score"]["total"], abs=1e-9)


def test_too_early_names_both_instants() -> None:
    with pytest.raises(TooEarly, match=r"at 2026-01-05T00:00:00.000Z is before asOf 2026-01-06T00:00:00.000Z"):
        raise TooEarly(START, START + DAY)
