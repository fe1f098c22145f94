"""The engine, and the oracle that it is compared with, on cases small enough for paper."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.oracle import engine
from tests.oracle.compare import differences
from tests.oracle.facts import instant_text
from tests.oracle.identities import lead_id
from tests.oracle.journeys import DAY, RANGES, START, Journey, journey
from tests.oracle.oracle import ranges_from, simulate

RULES = """
[ruleset]
id = "paper"
[decay]
half_life = "7d"
[behaviours.asked]
match = { type = "track", event = "Asked" }
points = 80
[behaviours.left]
match = { type = "track", event = "Left" }
points = -50
[behaviours.viewed]
match = { type = "page" }
points = 10
[tags.pricing]
match = { url = "*pricing*" }
[[stages]]
name = "lead"
enter = { identified = true }
[[stages]]
name = "mql"
enter = { interest = 60 }
exit = { interest = 40 }
[[stages]]
name = "customer"
owner = "crm"
"""
GOLDEN = """
[where.product]
match = { url = "*/product*" }
weight = 1.0
[where.wechat]
match = { channel = "wechat" }
weight = 0.8
[behaviours.tried]
match = { event = "Tried" }
weight = 1.0
[behaviours.saved]
match = { event = "Saved" }
weight = 0.8
[tags.customer-acquisition]
match = { event = "Tried" }
[tags.content-marketing]
match = { event = "Saved" }
retention = { after = "7d", keep = 0.7 }
"""
USER_1, USER_2 = lead_id("user::1"), lead_id("user::2")


Reader = Callable[[Journey], dict[str, Any]]
Run = Callable[..., dict[str, Any]]


def by_oracle(given: Journey) -> dict[str, Any]:
    return simulate(given.lines, given.ruleset, ranges_from(given.ranges), given.at)


@pytest.fixture(params=[engine.run, by_oracle], ids=["engine", "oracle"])
def reader(request: pytest.FixtureRequest) -> Reader:
    read: Reader = request.param
    return read


@pytest.fixture
def run(reader: Reader) -> Run:
    def run(*events: dict[str, Any], rules: str = RULES, until: int = 0) -> dict[str, Any]:
        lines = []
        for event in events:
            timed = {"type": "page", **event, "timestamp": instant_text(START + event.get("at", 0))}
            lines.append(json.dumps(timed).encode())
        return reader(Journey(lines, rules.encode(), RANGES, START + until if until else None))

    return run


def asked(**ids: Any) -> dict[str, Any]:
    return {"type": "track", "event": "Asked", **ids}


def moves(document: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    changes = [fact for fact in document["stageChanges"] if fact["type"] == "lead.stage_changed.v1"]
    return [(f["subject"], f["data"]["stage"]["to"]["name"], f["data"]["reason"]["code"], f["time"]) for f in changes]


def kinds(document: dict[str, Any]) -> list[str]:
    return [fact["type"] for fact in document["stageChanges"]]


def test_a_trial_on_the_product_page_just_now_weighs_one(run: Run) -> None:
    tried = {"type": "track", "event": "Tried", "anonymousId": "a", "properties": {"url": "https://x.example/product/"}}
    tags = run(tried, rules=GOLDEN)["visitors"][0]["tags"]
    assert tags == [{"tag": "customer-acquisition", "weight": pytest.approx(1.0, abs=1e-9)}]


def test_an_article_saved_in_wechat_seven_days_ago_weighs_0448(run: Run) -> None:
    saved = {"type": "track", "event": "Saved", "anonymousId": "a", "context": {"channel": "WeChat"}}
    tags = run(saved, rules=GOLDEN, until=7 * DAY)["visitors"][0]["tags"]
    assert tags == [{"tag": "content-marketing", "weight": pytest.approx(0.448, abs=1e-9)}]


def test_a_promotion_decays_one_half_life_later_at_the_first_millisecond_below(run: Run) -> None:
    document = run(asked(userId=1), until=30 * DAY)
    assert moves(document) == [
        (USER_1, "mql", "threshold_up", instant_text(START)),
        (USER_1, "lead", "decay", instant_text(START + 7 * DAY + 1)),
    ]
    assert document["stageChanges"][0]["data"]["score"]["nextCrossingAt"] == instant_text(START + 7 * DAY + 1)
    assert document["stageChanges"][0]["data"]["score"]["nextStageIfIdle"] == "lead"


def test_negative_points_demote_at_once(run: Run) -> None:
    document = run(asked(userId=1), {"type": "track", "event": "Left", "userId": 1, "at": 1000})
    assert moves(document)[1] == (USER_1, "lead", "threshold_down", instant_text(START + 1000))


def test_what_a_cookie_did_before_comes_in_directly_after_the_link(run: Run) -> None:
    document = run(asked(anonymousId="c"), {"type": "identify", "userId": 1, "anonymousId": "c", "at": 1000})
    assert moves(document) == [
        (USER_1, "lead", "threshold_up", instant_text(START + 1000)),
        (USER_1, "mql", "merge", instant_text(START + 1000)),
    ]


def test_two_leads_become_one_and_the_higher_stage_is_taken_over(run: Run) -> None:
    document = run(
        {"userId": 1},
        {"type": "identify", "anonymousId": "c", "traits": {"email": "b@x.example"}, "at": 1000},
        asked(anonymousId="c", at=2000),
        {"type": "identify", "userId": 1, "traits": {"email": "B@x.example"}, "at": 3000},
    )
    second = lead_id("email::b@x.example")
    assert moves(document)[-1] == (USER_1, "mql", "merge", instant_text(START + 3000))
    last = next(fact for fact in reversed(document["stageChanges"]) if fact["type"] == "lead.stage_changed.v1")
    assert last["data"]["stage"]["enteredAt"] == instant_text(START + 2000)
    assert last["data"]["lead"]["previousIds"] == [second]
    merged = next(fact for fact in document["stageChanges"] if fact["type"] == "lead.merged.v1")
    assert (merged["subject"], merged["sequence"], merged["data"]["into"]) == (second, "0000000003", USER_1)
    assert [lead["id"] for lead in document["leads"]] == [USER_1]
    assert document["leads"][0]["score"]["interest"] == pytest.approx(90, abs=0.01)


def test_a_second_user_on_a_cookie_makes_it_shared_and_what_it_does_later_is_nobodys(run: Run) -> None:
    document = run(
        {"userId": 1, "anonymousId": "c"},
        {"userId": 2, "anonymousId": "c", "at": 1000},
        asked(anonymousId="c", at=2000),
    )
    assert kinds(document).count("identity.conflict.v1") == 2
    conflict = next(fact for fact in document["stageChanges"] if fact["type"] == "identity.conflict.v1")
    assert conflict["data"] == {"ids": ["user::2", "anon::c"], "leads": [USER_2, USER_1], "code": "class_a"}
    assert {lead["stage"]["name"] for lead in document["leads"]} == {"lead"}
    cookie = document["visitors"][0]
    assert (cookie["id"], cookie["lead"], cookie["events"]) == ("anon::c", None, 1)


def test_a_crm_move_out_of_order_is_ignored_and_an_echo_leaves_no_trace(run: Run) -> None:
    move = {"type": "track", "event": "Lead Stage Changed", "userId": 1}
    document = run(
        {**move, "properties": {"stage": "customer"}, "at": 5000},
        {**move, "properties": {"stage": "lead"}, "at": 4000},
        {**move, "properties": {"stage": "lead", "changedBy": "leadstream"}, "at": 9000},
        asked(userId=1, at=6000),
    )
    assert moves(document) == [(USER_1, "customer", "crm", instant_text(START + 5000))]
    assert document["visitors"][0]["events"] == 3


def test_what_is_addressed_by_a_lead_id_counts_once_that_lead_exists(run: Run) -> None:
    by_lead = {"context": {"externalIds": [{"type": "lead", "id": USER_1}]}}
    document = run(asked(**by_lead), {"userId": 1, "at": 1000})
    assert moves(document) == [(USER_1, "mql", "threshold_up", instant_text(START + 1000))]
    assert document["leads"][0]["members"] == [f"lead::{USER_1}", "user::1"]


@pytest.mark.parametrize("seed", range(6))
def test_the_ledger_sums_to_the_total(reader: Reader, seed: int) -> None:
    document = reader(journey(seed))
    scores = [(lead["explain"], lead["score"]["total"]) for lead in document["leads"]]
    scores += [(visitor["explain"], visitor["interest"]) for visitor in document["visitors"]]
    scores += [(f["data"]["explain"], f["data"]["score"]["total"]) for f in document["stageChanges"] if "explain" in f["data"]]
    assert scores
    for rows, total in scores:
        assert sum(row["points"] for row in rows) == pytest.approx(total, abs=1e-6)
    assert differences(document, json.loads(json.dumps(document))) == []
