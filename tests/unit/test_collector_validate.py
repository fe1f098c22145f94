"""What `POST /v1/validate` says of an event: the worker's own judgement, and storing nothing."""

from typing import Any

import orjson
import pytest

from schemas.event import Rejected
from stream.collector.validate import validated, withheld

NOW_MS = 1_795_000_000_000


def ask(body: Any, why: Rejected | None = None) -> dict[str, Any]:
    text = body if isinstance(body, bytes) else orjson.dumps(body)
    return validated(text, NOW_MS, None, lambda _: why)


@pytest.mark.parametrize(
    ("event", "key"),
    [
        ({"type": "page", "anonymousId": "9f2c"}, "anon::9f2c"),
        ({"type": "identify", "anonymousId": "9f2c", "userId": 42}, "user::42"),
        ({"type": "identify", "traits": {"email": "Buyer@acme.example"}}, "email::buyer@acme.example"),
        ({"type": "track", "event": "Lead Stage Changed", "properties": {"changedBy": "leadstream"}}, None),  # our echo
    ],
)
def test_a_good_event_is_accepted_under_its_key(event: dict[str, Any], key: str | None) -> None:
    assert ask(event) == {"accepted": True, "key": key, "event": event}


@pytest.mark.parametrize(
    ("body", "reason", "stage", "place"),
    [
        (b"", "not_json", "decode", "line 1, column 1"),
        (b'{"type":\n oops}', "not_json", "decode", "line 2, column 2"),
        (5, "not_an_object", "decode", None),
        ({}, "schema_violation", "validate", "type"),
        ({"type": "page", "anonymousId": "a", "properties": 5}, "schema_violation", "validate", "properties"),
        ({"type": "page", "anonymousId": "a", "context": {"page": 5}}, "schema_violation", "validate", "context.page"),
        ({"type": "click", "anonymousId": "a"}, "unknown_type", "validate", "type"),
        ({"type": "page"}, "no_identity", "identify", "userId, anonymousId, context.externalIds"),
        ({"type": "page", "anonymousId": "a", "timestamp": "yesterday"}, "bad_timestamp", "apply", "timestamp"),
        ({"type": "page", "anonymousId": "a", "timestamp": "1999-01-01T00:00:00Z"}, "bad_timestamp", "apply", "timestamp"),
        (
            {"type": "page", "anonymousId": "a", "originalTimestamp": "2026-11-22T10:00:00Z", "sentAt": "soon"},
            "bad_timestamp",
            "apply",
            "sentAt",
        ),
        ({"type": "page", "anonymousId": "a", "properties": {str(n): n for n in range(1001)}}, "too_large", "decode", None),
    ],
)
def test_a_bad_event_is_told_its_reason_and_place(body: Any, reason: str, stage: str, place: str | None) -> None:
    told = ask(body)
    assert (told["accepted"], told["reason"], told["stage"], told["place"]) == (False, reason, stage, place)
    assert told["message"]


def test_a_batch_is_told_event_by_event() -> None:
    good, bad = {"type": "page", "anonymousId": "a"}, 7
    for body in ([good, bad], {"batch": [good, bad], "sentAt": "2026-11-22T10:00:00Z"}):
        assert [told["accepted"] for told in ask(body)["events"]] == [True, False]
    assert ask([good] * 2501)["reason"] == "too_large"
    assert ask({"batch": 5})["reason"] == "not_an_object"


@pytest.mark.parametrize(
    ("reason", "place"), [("gpc", "headers"), ("dnt", "headers"), ("denied", "context.consent"), ("not_given", "context.consent")]
)
def test_what_consent_keeps_away_is_told_too(reason: str, place: str) -> None:
    told = ask({"type": "page", "anonymousId": "a"}, withheld(reason))
    assert (told["accepted"], told["reason"], told["stage"], told["place"]) == (False, reason, "collect", place)
