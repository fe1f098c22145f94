"""The words of the demo: one line a fact, three at the end."""

import json
import time
from typing import Any

import pytest
from rich.text import Text

from stream.demo.telling import Tally, clock, company_of, line, name_of, visitor_line
from tests.unit.test_schemas_stage_change import EXAMPLE, LEAD, OTHER, changed, envelope


def said(fact: dict[str, Any]) -> str:
    return Text.from_markup(line(fact)).plain


def test_a_stage_change_says_who_from_where_to_where_and_why() -> None:
    assert said(json.loads(EXAMPLE)).endswith(
        "▲ buyer@acme.example (Acme): lead → mql interest reached 62.0 (needs 60) "
        f"(threshold_up; 82 points, C, nurture, lead on {clock('2026-11-30T18:12:44.123Z')})"
    )


@pytest.mark.parametrize(
    ("path", "value", "shown"),
    [
        pytest.param("data.account", None, "▲ buyer@acme.example: lead → mql", id="no company"),
        pytest.param("data.account.name", None, " (account::acme.example): ", id="a company without a name"),
        pytest.param("data.lead.traits", {"name": "Ada [x]"}, "▲ Ada [x] (Acme)", id="a name that looks like markup"),
        pytest.param("data.lead.traits", {}, "▲ buyer@acme.example (Acme)", id="an identity"),
        pytest.param("data.reason.text", "", " mql threshold_up (threshold_up; ", id="no words"),
        pytest.param("data.score.nextCrossingAt", None, "nurture)", id="nothing falls due"),
        pytest.param("data.stage.direction", "down", "▼ ", id="down"),
    ],
)
def test_what_may_be_missing_leaves_no_gap(path: str, value: Any, shown: str) -> None:
    assert shown in said(json.loads(changed(path, value)))


def test_somebody_without_a_name_is_called_by_what_is_known() -> None:
    data = json.loads(EXAMPLE)["data"]
    data["lead"] |= {"traits": {}, "externalIds": [], "userId": None}

    assert name_of(data) == LEAD
    assert company_of({"account": None}) == ""


@pytest.mark.parametrize(
    ("kind", "data", "shown"),
    [
        ("lead.merged.v1", {"lead": {"id": LEAD}, "into": OTHER}, f"⇄ {LEAD} is the same person as {OTHER}"),
        (
            "identity.conflict.v1",
            {"ids": ["user::1", "user::2"], "leads": [], "code": "class_a"},
            "≠ user::1 and user::2 stay apart (class_a)",
        ),
        ("lead.erased.v1", {"lead": {"id": LEAD}}, f"• {LEAD}: lead.erased.v1"),
    ],
)
def test_other_facts_have_a_line_too(kind: str, data: dict[str, Any], shown: str) -> None:
    assert said(envelope(kind, data)).endswith(shown)


def test_an_instant_of_today_is_a_time_and_another_day_a_date() -> None:
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())

    assert clock(now) == now[11:19]
    assert clock("2001-02-03T00:00:00.000Z") == "03 Feb 01"


def test_a_visitor_is_told_with_company_points_and_topics() -> None:
    visitor = {
        "id": "anon::9f2c",
        "asOf": "2001-02-03T00:00:00.000Z",
        "company": {"name": "Acme"},
        "interest": 12.4,
        "events": 3,
        "tags": [{"tag": "pricing", "weight": 1.74}, {"tag": "products", "weight": 1.0}],
    }

    assert Text.from_markup(visitor_line(visitor)).plain.endswith(
        "somebody at Acme (anon::9f2c): 12 points of interest in 3 events; pricing 1.7, products 1.0"
    )
    assert "no topic yet" in visitor_line({**visitor, "tags": []})
    assert "(anon::[/x])" in Text.from_markup(visitor_line({**visitor, "id": "anon::[/x]"})).plain


def test_the_summary_counts_changes_reasons_and_where_leads_are() -> None:
    tally = Tally(time.monotonic())
    assert tally.summary() == "0 events sent, 0 stage changes\nreasons: none\nleads: none"

    tally.take(json.loads(EXAMPLE))
    tally.take({**json.loads(EXAMPLE), "subject": OTHER})
    tally.take({**envelope("lead.merged.v1", {"into": LEAD}), "subject": OTHER})

    assert tally.changes == 2
    assert tally.summary().startswith("0 events sent, 2 stage changes, the first after 0.0 s\n")
    assert tally.summary().endswith("\nreasons: 2 threshold_up, 1 lead.merged.v1\nleads: 1 mql")
