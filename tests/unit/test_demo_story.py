"""The demo's story: what it must show, asked of the rules themselves."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
import pytest

from schemas.documents import Simulation as SimulationDocument
from stream.cli.rules import intake_of, rules_of
from stream.demo import story
from stream.demo.story import Step
from stream.domain import instants
from stream.settings import Settings
from stream.simulation import simulate

NOW = 1_795_341_600_000
DUE = NOW + 20_000
SPACED_MS = 100
RANGES = Path(story.__file__).with_name("ranges.csv")


def document(lines: Iterable[bytes], at: int | None = None) -> dict[str, Any]:
    rules = rules_of(None)
    return simulate(lines, rules, intake_of(Settings(), rules, RANGES), at)


def next_change(lines: Iterable[bytes]) -> int | None:
    lead = document(lines)["leads"][0]
    return instants.parse(lead["nextCrossingAt"])


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """Return all that becomes of the story when its steps are sent one after the other."""
    steps = story.dated(story.read(), NOW, DUE, next_change)
    lines = []
    for number, step in enumerate(steps):
        event = step.sent_at(NOW + number * SPACED_MS, f"m{number}")
        lines.append(orjson.dumps({"receivedAt": instants.write(NOW + number * SPACED_MS), **event}))
    return document(lines, DUE + 1000)


def facts(told: dict[str, Any], **wanted: str) -> list[dict[str, Any]]:
    return [
        fact["data"]
        for fact in told["stageChanges"]
        if fact["type"] == "lead.stage_changed.v1"
        and all(wanted[name] == found for name, found in _facts_of(fact).items() if name in wanted)
    ]


def _facts_of(fact: dict[str, Any]) -> dict[str, str]:
    stage = fact["data"]["stage"]
    return {"code": fact["data"]["reason"]["code"], "direction": stage["direction"], "to": stage["to"]["name"]}


def test_every_step_is_an_event_that_is_accepted(told: dict[str, Any]) -> None:
    assert told["deadLetters"] == []
    SimulationDocument.model_validate_json(orjson.dumps(told))


def test_somebody_is_promoted(told: dict[str, Any]) -> None:
    assert facts(told, code="threshold_up", to="mql")
    assert facts(told, code="threshold_up", to="sql")


def test_somebody_loses_a_stage_while_nobody_visits_at_the_instant_that_was_wanted(told: dict[str, Any]) -> None:
    (lost,) = facts(told, code="decay")

    assert lost["stage"]["direction"] == "down"
    assert abs(instants.parse(lost["stage"]["enteredAt"]) - DUE) < SPACED_MS * 4  # her steps are sent one by one


def test_an_event_that_comes_three_days_late_promotes(told: dict[str, Any]) -> None:
    (late,) = [step for step in story.read() if "late" in step.say.lower()]

    assert late.ago_ms == 3 * story.UNITS_MS["d"]
    assert any(fact["lead"]["userId"] == late.event["userId"] for fact in facts(told, to="mql"))


def test_a_cookie_and_a_registration_become_one_person(told: dict[str, Any]) -> None:
    members = [set(lead["members"]) for lead in told["leads"]]

    assert {"anon::ada-laptop", "user::u-101", "email::ada.brandt@halcyon-oil.example"} in members


def test_two_leads_become_one(told: dict[str, Any]) -> None:
    (merged,) = [fact for fact in told["stageChanges"] if fact["type"] == "lead.merged.v1"]

    assert merged["data"]["into"] in {lead["id"] for lead in told["leads"]}
    assert facts(told, code="merge")


def test_the_crm_moves_somebody(told: dict[str, Any]) -> None:
    assert facts(told, code="crm", to="opportunity")


def test_an_address_names_a_company_and_that_of_a_telephone_company_names_none(told: dict[str, Any]) -> None:
    companies = {visitor["id"]: visitor["company"] for visitor in told["visitors"]}
    accounts = {tuple(lead["members"]): lead["account"] for lead in told["leads"]}

    assert companies["anon::ada-laptop"]["name"] == "Halcyon Oil"
    assert companies["user::u-105"]["kind"] == "isp"
    assert accounts["email::emil.sato@gmail.com", "user::u-105"] is None


def test_a_run_marks_every_identity() -> None:
    plain, marked = story.read(), story.read("+1")

    assert [step.say for step in plain] == [step.say for step in marked]
    assert all(b"+1" in orjson.dumps(step.event) for step in marked)


def test_a_story_without_a_crossing_keeps_its_dates() -> None:
    steps = [Step("x", 1000, fades=True, event={})]

    assert story.dated(steps, NOW, DUE, lambda _: None) == steps


def test_what_fades_was_received_when_it_happened_and_the_rest_is_received_when_it_comes() -> None:
    fading = Step("x", 1000, fades=True, event={"type": "page"}).sent_at(NOW, "m")
    fresh = Step("x", 1000, fades=False, event={"type": "page"}).sent_at(NOW, "m")

    assert fading["receivedAt"] == fading["timestamp"] == instants.write(NOW - 1000)
    assert fresh == {"messageId": "m", "type": "page", "timestamp": instants.write(NOW - 1000)}
