"""What look-ups answer, member by member."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.documents import Lag, LeadDocument, LeadPage, Simulation, Visitor
from schemas.wire import Wire

NOW = "2026-11-22T10:00:00.000Z"
ROW = {"ruleId": "behaviours.priced", "count": 2, "points": 12.0}
VISITOR: dict[str, Any] = {
    "id": "anon::9f2c",
    "asOf": NOW,
    "firstSeen": NOW,
    "lastSeen": NOW,
    "events": 2,
    "bot": False,
    "company": {
        "name": "Acme",
        "domain": "acme.example",
        "kind": "business",
        "confidence": 1.0,
        "source": "ranges",
        "network": "192.0.2.0/24",
        "as_of": None,
        "industry": "oil",
    },
    "lead": None,
    "tags": [{"tag": "pricing", "weight": 1.7}],
    "interest": 12.0,
    "explain": [ROW],
}
LEAD: dict[str, Any] = {
    "id": "lead_0687587883fab020",
    "asOf": NOW,
    "members": ["user::42"],
    "stage": {"name": "visitor", "order": 0, "enteredAt": None, "owner": "engine"},
    "score": {"total": 12.0, "fit": 0.0, "interest": 12.0, "timing": 0.0, "grade": "D"},
    "journey": None,
    "route": "nurture",
    "tags": [],
    "account": None,
    "explain": [ROW],
    "nextCrossingAt": None,
    "nextStageIfIdle": None,
    "ruleset": {"id": "b2b-default", "hash": "5e884898da280471"},
    "owner": "anna",
    "outcomes": {
        "won": {"at": NOW, "amount": 12000.0, "currency": "EUR", "reason": None},
        "lost": None,
        "orders": {"count": 2, "lastAt": NOW, "currencies": {"EUR": {"count": 2, "total": 5700.0}}},
    },
}
SIMULATION: dict[str, Any] = {
    "visitors": [VISITOR],
    "leads": [LEAD],
    "stageChanges": [],
    "deadLetters": [{"line": 1, "reason": "not_json", "message": "empty"}],
}
LAG: dict[str, Any] = {
    "partitions": [
        {
            "topic": "events",
            "partition": 0,
            "status": "OK",
            "committed": None,
            "end": 7,
            "lag": 7,
            "lagSeconds": None,
        }
    ],
    "clockPartition": 3,
    "clockLagSeconds": 0.5,
    "clockSince": "2026-11-22T10:00:00.000Z",
    "status": "OK",
    "groups": [],
}


@pytest.mark.parametrize(
    ("model", "document"),
    [
        (Visitor, VISITOR),
        (Visitor, {**VISITOR, "company": None, "lead": LEAD["id"]}),
        (LeadDocument, LEAD),
        (LeadPage, {"leads": [LEAD], "next": LEAD["id"]}),
        (LeadPage, {"leads": [], "next": None}),
        (Simulation, SIMULATION),
        (Lag, LAG),
        (
            Lag,
            {
                "partitions": [],
                "clockPartition": None,
                "clockLagSeconds": None,
                "clockSince": None,
                "status": "OK",
                "groups": [],
            },
        ),
    ],
)
def test_a_document_is_read_and_written_alike(model: type[Wire], document: dict[str, Any]) -> None:
    read = model.model_validate_json(json.dumps(document))

    assert json.dumps(read.model_dump(mode="json")) == json.dumps(document)


@pytest.mark.parametrize(
    ("model", "document"),
    [
        (Visitor, {**VISITOR, "id": "9f2c"}),
        (Visitor, {**VISITOR, "events": "2"}),
        (Visitor, {**VISITOR, "ip": "192.0.2.1"}),
        (LeadDocument, {**LEAD, "asOf": "now"}),
        (LeadDocument, {key: value for key, value in LEAD.items() if key != "route"}),
        (LeadDocument, {**LEAD, "stage": {**LEAD["stage"], "owner": "nobody"}}),
        (Simulation, {**SIMULATION, "deadLetters": [{"line": 0, "reason": "not_json", "message": "empty"}]}),
    ],
)
def test_other_documents_are_refused(model: type[Wire], document: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        model.model_validate_json(json.dumps(document))
