"""What is known of a lead, asked without changing it."""

from typing import Any

import pytest

from stream.domain import asking, instants
from stream.domain.documents import TooEarly
from stream.domain.ids import lead_id
from tests.unit.standing_worker import DAY, START, StandingWorker, buyer, merged

LEAD = lead_id("user::42")
NOW = START + 5 * DAY


@pytest.fixture
def worker() -> StandingWorker:
    return StandingWorker(buyer())


def asked(worker: StandingWorker, key: str, at: int | None = None, now: int = NOW) -> dict[str, Any]:
    document = asking.lead(worker.fold, key, now, at)
    assert document is not None
    return document


@pytest.mark.parametrize("cut", [False, True], ids=["rows not yet written", "rows written"])
@pytest.mark.parametrize("key", [LEAD, "user::42", "anon::9f2c", "email::buyer@acme.example"])
def test_a_lead_answers_under_its_id_and_every_identity(worker: StandingWorker, key: str, cut: bool) -> None:  # noqa: FBT001
    if cut:
        worker.fold.cut()
    assert asked(worker, key)["id"] == LEAD
    assert asking.lead_of(worker.fold, key) == LEAD


@pytest.mark.parametrize("key", ["user::43", "lead_0000000000000000", "anon::stranger", "anon::kiosk", "lead::x"])
def test_strangers_anonymous_visitors_and_shared_devices_are_no_lead(worker: StandingWorker, key: str) -> None:
    assert asking.lead(worker.fold, key, NOW) is None
    assert asking.lead_of(worker.fold, key) is None


def test_one_merged_away_answers_as_the_survivor() -> None:
    fold = StandingWorker(merged()).fold
    gone = lead_id("email::b@acme.example")
    document = asking.lead(fold, gone, NOW)
    assert document is not None
    assert document["id"] == LEAD
    assert gone in set(fold.rows.lead_ids())


def test_without_an_instant_sums_are_of_now_and_the_stage_is_as_decided(worker: StandingWorker) -> None:
    soon, later = asked(worker, LEAD), asked(worker, LEAD, now=NOW + 300 * DAY)
    assert soon["asOf"] == later["asOf"] == instants.write(START + 2 * DAY)
    assert soon["stage"] == later["stage"]
    assert later["score"]["interest"] < soon["score"]["interest"]


def test_sums_are_never_older_than_the_leads_clock(worker: StandingWorker) -> None:
    assert asked(worker, LEAD, now=START) == asked(worker, LEAD, now=START + 2 * DAY)


def test_a_later_instant_is_told_as_if_the_clock_had_run_there(worker: StandingWorker) -> None:
    before = asked(worker, LEAD)
    due = instants.parse(before["nextCrossingAt"])
    assert asked(worker, LEAD, due - 1)["stage"]["name"] == before["stage"]["name"] == "mql"
    after = asked(worker, LEAD, due)
    assert after["asOf"] == instants.write(due)
    assert after["stage"]["name"] == before["nextStageIfIdle"]
    assert after["stage"]["enteredAt"] == instants.write(due)


def test_looking_ahead_stores_nothing_and_emits_nothing(worker: StandingWorker) -> None:
    before = dict(worker.fold.rows.stored), dict(worker.fold.rows._persons), asked(worker, LEAD)
    asked(worker, LEAD, NOW + 300 * DAY)
    assert (dict(worker.fold.rows.stored), dict(worker.fold.rows._persons), asked(worker, LEAD)) == before
    assert worker.fold.out == []


def test_the_same_comes_out_as_the_simulation_tells(worker: StandingWorker) -> None:
    at = NOW + 40 * DAY
    ahead = asked(worker, LEAD, at)
    told = worker.simulation.finish(at)["leads"]
    assert ahead == next(lead for lead in told if lead["id"] == LEAD)


def test_the_past_is_not_kept(worker: StandingWorker) -> None:
    with pytest.raises(TooEarly, match="is before asOf 2026-11-03T10"):
        asking.lead(worker.fold, LEAD, NOW, START + 2 * DAY - 1)
    assert asked(worker, LEAD, START + 2 * DAY)["asOf"] == instants.write(START + 2 * DAY)


@pytest.mark.parametrize("key", ["9f2c", "anon:9f2c", "anon::", "", "lead_12", "::x", "anon::\udc80"])
def test_what_is_no_id_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match=r"no id|surrogates"):
        asking.named(key)
