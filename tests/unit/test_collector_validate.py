"""What `POST /v1/validate` says of an event: the worker's own judgement, and storing nothing."""

from pathlib import Path
from typing import Any, cast

import orjson
import pytest

from schemas.event import Rejected
from stream.collector.app import READERS, Collector
from stream.collector.cors import Cors
from stream.collector.limits import Bodies
from stream.collector.pages import Pages
from stream.collector.personalising import Personalising, Profiles
from stream.collector.service import own_pages
from stream.collector.validate import validated, withheld
from stream.settings import Settings
from tests.unit.collecting import Collecting

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


BATCHED = {"type": "page", "anonymousId": "9f2c", "messageId": "1", "originalTimestamp": "2026-01-01T00:00:00Z"}


@pytest.fixture
def collecting(tmp_path: Path) -> Collecting:
    keys = tmp_path / "keys.toml"
    keys.write_text('[keys.web]\ntypes = ["page"]\n')
    collecting = Collecting(Settings(write_keys=keys))
    personal = Personalising(collecting.gate, None, Profiles(None))  # type: ignore[arg-type]  # nobody asks it
    pages = Pages(own_pages(collecting.gate, cast("Any", collecting.outbox), personal), READERS)
    collecting.app = Collector(collecting.gate, Cors(collecting.gate.keys), Bodies(), cast("Any", collecting.outbox), pages)
    return collecting


@pytest.mark.parametrize(
    ("around", "reason", "place"),
    [
        ({}, None, None),
        ({"sentAt": "2026-01-01T00:00:05Z", "context": {"consent": {"analytics": True}}}, None, None),
        ({"context": {"consent": {"analytics": False}}}, "denied", "context.consent"),
        ({"sentAt": "yesterday"}, "bad_timestamp", "sentAt"),
    ],
)
async def test_what_stands_beside_a_batch_holds_for_its_events(
    collecting: Collecting, around: dict[str, Any], reason: str | None, place: str | None
) -> None:
    body = {"writeKey": "web", "batch": [BATCHED], **around}
    answer = await collecting.post("/v1/validate", body)
    (told,) = answer.document["events"]
    assert (answer.status, told["accepted"], told.get("reason"), told.get("place")) == (200, reason is None, reason, place)
    stored = (await collecting.post("/v1/batch", body)).document
    assert [told["reason"] for told in stored.get("events", ())] == (["bad_timestamp"] if reason == "bad_timestamp" else [])
    assert len(collecting.outbox.records) == (reason != "denied")


@pytest.mark.parametrize("body", [{**BATCHED, "writeKey": "web"}, {"batch": [{**BATCHED, "writeKey": "web"}]}])
async def test_the_key_may_stand_where_a_client_writes_it(collecting: Collecting, body: dict[str, Any]) -> None:
    answer = await collecting.post("/v1/validate", body)
    assert answer.status == 200
    assert b"writeKey" not in answer.body
    assert (await collecting.post("/v1/validate", orjson.dumps(body).replace(b"web", b"wub"))).status == 401
    assert (await collecting.post("/v1/validate?writeKey=web", b"no JSON")).document["reason"] == "not_json"


async def test_a_page_of_rudderstacks_says_in_a_header_when_it_sent(collecting: Collecting) -> None:
    told = (await collecting.post("/v1/validate?writeKey=web", BATCHED, sentat="yesterday")).document
    assert (told["reason"], told["place"]) == ("bad_timestamp", "sentAt")


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


def test_half_a_character_is_mended_as_where_events_are_taken() -> None:
    told = ask(rb'{"type":"page","anonymousId":"a","name":"cut \ud83d"}')
    assert (told["accepted"], told["event"]["name"]) == (True, "cut \ufffd")


def test_what_no_reader_goes_down_is_too_large_as_the_worker_says() -> None:
    deep = b'{"type":"page","anonymousId":"9f2c","messageId":"1","properties":' + b'{"a":' * 400 + b"1" + b"}" * 401
    assert ask(deep)["reason"] == "too_large"


async def test_a_batch_whose_first_element_is_no_event_is_validated_under_the_key_of_the_next(collecting: Collecting) -> None:
    body = {"batch": [7, {"type": "page", "anonymousId": "9f2c", "writeKey": "web"}]}
    for where in ("/v1/batch", "/v1/validate"):
        assert (await collecting.post(where, body)).status == 200
