"""The CRM's contract: the example holds to the byte, and what is not of the contract is refused."""

import copy
import json
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.stage_change import Conflict, Erased, Merged, StageChange, Unmerged, lead_events

LEAD = "lead_0687587883fab020"
OTHER = "lead_00000000000000ff"

EXAMPLE = f"""\
{{"specversion": "1.0", "id": "{LEAD}-0000000003", "source": "/leadstream/leadstream", "type": "lead.stage_changed.v1",
 "subject": "{LEAD}", "time": "2026-11-22T10:00:00.000Z", "recordedtime": "2026-11-22T10:00:00.000Z",
 "sequence": "0000000003", "datacontenttype": "application/json",
 "data": {{
  "lead": {{"id": "{LEAD}", "userId": "42", "anonymousIds": ["9f2c"],
           "externalIds": [{{"type": "email", "id": "buyer@acme.example"}}],
           "previousIds": [], "traits": {{"email": "buyer@acme.example", "title": "Head of IT"}}}},
  "account": {{"id": "account::acme.example", "name": "Acme", "domain": "acme.example", "kind": "business",
              "confidence": 1.0}},
  "stage": {{"from": {{"name": "lead", "order": 1}}, "to": {{"name": "mql", "order": 2}}, "direction": "up",
            "enteredAt": "2026-11-22T10:00:00.000Z", "timeInPreviousMs": 86400000}},
  "reason": {{"code": "threshold_up", "ruleId": "stages.mql", "text": "interest reached 62.0 (needs 60)"}},
  "score": {{"total": 82.0, "fit": 20.0, "interest": 62.0, "timing": 0.0, "grade": "C",
            "nextCrossingAt": "2026-11-30T18:12:44.123Z", "nextStageIfIdle": "lead"}},
  "explain": [{{"ruleId": "behaviours.attended", "count": 1, "points": 50.0}},
              {{"ruleId": "fit.industry", "count": 1, "points": 20.0}},
              {{"ruleId": "behaviours.priced", "count": 2, "points": 12.0}}],
  "tags": [{{"tag": "pricing", "weight": 1.7}}], "route": "nurture", "journey": "decision",
  "ruleset": {{"id": "b2b-default", "hash": "5e884898da280471"}},
  "freshness": {{"asOf": "2026-11-22T10:00:00.000Z", "offset": 1234}}}}}}
"""


def envelope(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    return {**json.loads(EXAMPLE), "type": kind, "data": data}


def changed(path: str, value: Any) -> str:
    """Return the example with the member at a dotted path replaced, added, or (value ...) removed."""
    event = json.loads(EXAMPLE)
    *parents, last = path.split(".")
    place = event
    for step in parents:
        place = place[int(step) if step.isdigit() else step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return json.dumps(event)


def test_the_contracts_example_is_read_and_written_with_its_members_in_order() -> None:
    event = StageChange.model_validate_json(EXAMPLE)

    assert json.dumps(event.model_dump(mode="json")) == json.dumps(json.loads(EXAMPLE))


def test_an_external_id_keeps_its_scope_where_there_is_one() -> None:
    ids = [{"type": "wechat_openid", "id": "oX", "scope": "wx1"}]

    event = StageChange.model_validate_json(changed("data.lead.externalIds", ids))

    assert event.model_dump(mode="json")["data"]["lead"]["externalIds"] == ids


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("data.account", None),
        ("data.lead.userId", None),
        ("data.journey", None),
        ("data.stage.timeInPreviousMs", None),
        ("data.score.nextCrossingAt", None),
        ("data.score.nextStageIfIdle", None),
        ("data.score.total", 82),
        ("data.score.total", 82.0000009),
        ("data.reason.code", "ruleset_change"),
    ],
)
def test_what_may_be_null_or_vary_is_accepted(path: str, value: Any) -> None:
    StageChange.model_validate_json(changed(path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("extra", 1),
        ("data.extra", 1),
        ("data.lead.extra", 1),
        ("recordedtime", ...),
        ("data.tags", ...),
        ("specversion", "1.1"),
        ("type", "lead.stage_changed.v2"),
        ("source", "/elsewhere/leadstream"),
        ("sequence", "3"),
        ("sequence", "0000000004"),
        ("subject", OTHER),
        ("id", LEAD),
        ("time", "2026-11-22T10:00:00Z"),
        ("time", "2026-11-22T11:00:00.000+01:00"),
        ("time", None),
        ("data.reason.code", "because"),
        ("data.reason.ruleId", "mql"),
        ("data.reason.text", ""),
        ("data.stage.direction", "down"),
        ("data.stage.from.order", 2),
        ("data.stage.from.order", "1"),
        ("data.score.total", 82.1),
        ("data.score.fit", "20.0"),
        ("data.account.confidence", 1.5),
        ("data.explain.0.ruleId", "attended"),
        ("data.explain.0.count", -1),
        ("data.tags", [{"tag": "t", "weight": 1.0}] * 11),
        ("data.journey", "lost"),
        ("data.ruleset.hash", "5E884898DA280471"),
        ("data.freshness.offset", 1.5),
    ],
)
def test_what_is_not_of_the_contract_is_refused(path: str, value: Any) -> None:
    with pytest.raises(ValidationError):
        StageChange.model_validate_json(changed(path, value))


@pytest.mark.parametrize(
    ("model", "kind", "data"),
    [
        (Merged, "lead.merged.v1", {"lead": {"id": LEAD}, "into": OTHER}),
        (Unmerged, "lead.unmerged.v1", {"lead": json.loads(EXAMPLE)["data"]["lead"], "from": OTHER}),
        (Erased, "lead.erased.v1", {"lead": {"id": LEAD}}),
        (Conflict, "identity.conflict.v1", {"ids": ["user::1", "user::2"], "leads": [LEAD], "code": "class_a"}),
        (
            Conflict,
            "identity.conflict.v1",
            {"ids": ["user::1", "anon::a:b"], "leads": [LEAD, OTHER], "code": "max_members"},
        ),
    ],
)
def test_the_other_types_are_told_apart_and_kept_in_order(model: type, kind: str, data: dict[str, Any]) -> None:
    event = lead_events.validate_json(json.dumps(envelope(kind, data)))

    assert type(event) is model
    assert json.dumps(event.model_dump(mode="json")) == json.dumps(envelope(kind, data))


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("lead.merged.v1", {"lead": {"id": LEAD}}),
        ("lead.erased.v1", {"lead": {"id": LEAD}, "into": OTHER}),
        ("identity.conflict.v1", {"ids": ["user::1"], "leads": [LEAD], "code": "class_a"}),
        ("identity.conflict.v1", {"ids": ["user::1", "user::2"], "leads": [LEAD], "code": "shared"}),
        ("lead.renamed.v1", {"lead": {"id": LEAD}}),
    ],
)
def test_no_other_data_and_no_other_type_passes(kind: str, data: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        lead_events.validate_json(json.dumps(envelope(kind, copy.deepcopy(data))))
