"""Segment's HTTP API, and RudderStack's: what their clients send comes out once each, in the contract's shape."""

import gzip
import json
import zlib
from base64 import b64encode
from typing import Any

import orjson
import pytest

from stream.collector.limits import LIMITS
from tests.unit.collecting import Collecting

BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"
PAGE = {"type": "page", "anonymousId": "9f2c", "messageId": "m-1"}


def basic(key: str) -> str:
    return "Basic " + b64encode(f"{key}:".encode()).decode()


@pytest.mark.parametrize(
    ("path", "type_"),
    [(f"/v1/{name}", type_) for type_ in ("track", "page", "screen", "identify", "group", "alias") for name in (type_, type_[0])],
)
async def test_each_path_takes_one_event_and_says_its_type(path: str, type_: str) -> None:
    collecting = Collecting()
    answer = await collecting.post(path, {"event": "Demo Requested", "userId": "42", "messageId": "m"}, user_agent=BROWSER)
    assert (answer.status, answer.body) == (200, b'{"success":true}')
    assert [(event["type"], event["userId"], event["messageId"]) for event in collecting.events] == [(type_, "42", "m")]
    assert collecting.keys == ["user::42"]


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/b", "/v1/import", "/beacon/v1/batch?writeKey=K", "/v1/batch/"])
async def test_a_batch_is_as_many_events_in_their_order(path: str) -> None:
    collecting = Collecting()
    batch = [PAGE | {"messageId": f"m-{number}"} for number in range(15)]
    answer = await collecting.post(path, {"batch": batch, "sentAt": "2026-11-22T10:00:01.000Z"})
    assert (answer.status, answer.body) == (200, b'{"success":true}')
    assert [event["messageId"] for event in collecting.events] == [event["messageId"] for event in batch]
    assert {event["sentAt"] for event in collecting.events} == {"2026-11-22T10:00:01.000Z"}


ONE = orjson.dumps({"batch": [PAGE]})


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (ONE, {"content_type": "application/json"}),
        (ONE, {"content_type": "text/plain;charset=UTF-8"}),
        (ONE, {}),
        (gzip.compress(ONE), {"content_encoding": "gzip", "content_type": "application/x-www-form-urlencoded"}),
        (gzip.compress(ONE), {"content_type": "text/plain"}),
        (zlib.compress(ONE), {"content_encoding": "deflate"}),
        (zlib.compress(ONE, wbits=-15), {"content_encoding": "deflate"}),
        (b"data=" + b64encode(ONE).replace(b"+", b"%2B"), {"content_type": "application/x-www-form-urlencoded"}),
        (b"data=%7B%22batch%22%3A%5B" + orjson.dumps(PAGE) + b"%5D%7D", {"content_type": "application/x-www-form-urlencoded"}),
    ],
    ids=["json", "beacon", "untold", "rudder-node", "gzip-by-its-bytes", "zlib", "bare-deflate", "form-base64", "form"],
)
async def test_a_body_is_read_however_a_client_packs_and_calls_it(body: bytes, headers: dict[str, str]) -> None:
    collecting = Collecting()
    answer = await collecting.post("/v1/batch", body, **headers)
    assert answer.status == 200, answer.body
    assert [event["messageId"] for event in collecting.events] == ["m-1"]


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        ("/v1/page", PAGE, {"authorization": basic("K")}),
        ("/v1/page", PAGE | {"writeKey": "K"}, {}),
        ("/v1/page", PAGE | {"writeKey": "other"}, {"authorization": basic("K")}),
        ("/v1/batch", {"batch": [PAGE], "writeKey": "K"}, {}),
        ("/v1/batch", {"batch": [PAGE | {"writeKey": "K"}]}, {}),
        ("/beacon/v1/batch?writeKey=K", {"batch": [PAGE]}, {}),
        ("/v1/page", PAGE, {"x_write_key": "K"}),
    ],
    ids=["basic", "body", "basic-first", "batch", "event", "query", "header"],
)
async def test_the_write_key_is_found_wherever_clients_put_it(
    path: str, body: Any, headers: dict[str, str], tmp_path: Any
) -> None:
    table = tmp_path / "keys.toml"
    table.write_text('[keys.K]\nname = "website"\n')
    collecting = Collecting(Collecting().settings.model_copy(update={"write_keys": table}))
    assert (await collecting.post(path, body, **headers)).status == 200
    assert "writeKey" not in collecting.events[0]
    assert (await collecting.post("/v1/page", PAGE)).status == 401


async def test_a_clients_own_clock_is_told_and_not_trusted() -> None:
    collecting = Collecting()
    told = {"timestamp": "2026-11-22T10:00:00.000Z", "receivedAt": "2001-01-01T00:00:00.000Z"}
    batch = [
        PAGE | told,
        PAGE | {"originalTimestamp": "2026-11-22T09:00:00.000Z", "sentAt": "2026-11-22T10:00:05.000Z"},
        PAGE | told | {"originalTimestamp": "2026-11-22T09:00:00.000Z"},
        PAGE,
    ]
    await collecting.post("/v1/batch", {"batch": batch, "sentAt": "2026-11-22T10:00:09.000Z"})
    times = [(event.get("timestamp"), event.get("originalTimestamp"), event["sentAt"]) for event in collecting.events]
    assert times == [
        (None, "2026-11-22T10:00:00.000Z", "2026-11-22T10:00:09.000Z"),
        (None, "2026-11-22T09:00:00.000Z", "2026-11-22T10:00:05.000Z"),
        (None, "2026-11-22T09:00:00.000Z", "2026-11-22T10:00:09.000Z"),
        (None, None, "2026-11-22T10:00:09.000Z"),
    ]
    assert all(event["receivedAt"] > "2026-11-25" for event in collecting.events)


async def test_what_a_batch_says_of_all_its_events_stands_in_each() -> None:
    collecting = Collecting()
    context = {"locale": "de-DE", "timezone": "Europe/Berlin"}
    await collecting.post("/v1/batch", {"batch": [PAGE, PAGE | {"context": {"locale": "en-US"}}], "context": context})
    assert [event["context"]["locale"] for event in collecting.events] == ["de-DE", "en-US"]
    assert [event["context"]["timezone"] for event in collecting.events] == ["Europe/Berlin"] * 2


@pytest.mark.parametrize(
    ("sent", "title"),
    [
        (rb"cut \ud83d", "cut \ufffd"),
        (rb"\uDE00 cut", "\ufffd cut"),
        (rb"\ud83d\ud83d\ude00\ude00", "\ufffd\U0001f600\ufffd"),
        (rb"\ud83d\u0041\\\ud83d", "\ufffdA\\\ufffd"),
        (rb"\ud83d is written \\ud83d", "\ufffd is written \\ud83d"),
    ],
)
async def test_a_title_that_was_cut_through_a_character_costs_no_event(sent: bytes, title: str) -> None:
    collecting = Collecting()
    batch = b'{"batch":[{"type":"page","anonymousId":"a","name":"%b"},{"type":"page","anonymousId":"a"}]}'
    assert (await collecting.post("/v1/batch", batch % sent)).document == {"success": True}
    assert [event.get("name") for event in collecting.events] == [title, None]


@pytest.mark.parametrize("rest", [b"", b'"' + b" " * 200_000 + b"}"], ids=["no-json", "large"])
async def test_a_body_with_half_a_character_that_is_no_json_beside_that_or_large_is_refused(rest: bytes) -> None:
    answer = await Collecting().post("/v1/page", rb'{"type":"page","anonymousId":"a","name":"\ud83d' + rest)
    assert (answer.status, answer.document["reason"]) == (400, "not_json")


class Untouched(dict[str, Any]):
    """An event that nobody may read yet."""

    def pop(self, *_: Any) -> Any:
        pytest.fail("one was read")


async def test_too_many_events_are_refused_before_one_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = {"batch": [Untouched()] * (LIMITS.events + 1)}
    monkeypatch.setattr("stream.collector.segment.document_of", lambda _: batch)
    assert (await Collecting().post("/v1/batch", {})).status == 413


def nested(depth: int) -> Any:
    return {"in": nested(depth - 1)} if depth else "x" * 100_000


@pytest.mark.parametrize(
    "context",
    [
        {"page": "x" * 250_000},
        {"consent": {"analytics": False}, "page": "x" * 250_000},
        nested(400),
    ],
    ids=["large", "withheld", "deep"],
)
async def test_what_a_batch_says_of_all_its_events_is_refused_before_it_is_written_for_each(
    context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.collector.gate.Gate.decide", lambda *_: pytest.fail("one was made"))
    body = gzip.compress(b'{"batch":[%b],"context":%b}' % (b",".join([b"{}"] * 2_500), json.dumps(context).encode()))
    answer = await Collecting().post("/v1/batch", body)
    assert (answer.status, answer.document["reason"]) == (413, "too_large")


async def test_a_large_context_of_few_events_is_theirs() -> None:
    collecting = Collecting()
    answer = await collecting.post("/v1/batch", {"batch": [PAGE, PAGE], "context": {"page": {"title": "x" * 200_000}}})
    assert answer.status == 200
    assert [len(event["context"]["page"]["title"]) for event in collecting.events] == [200_000] * 2


async def test_events_that_together_are_too_large_are_refused_also_if_each_is_too_large_for_kafka() -> None:
    collecting = Collecting()
    each = LIMITS.stored_bytes // 40 - 1_000
    body = {"batch": [PAGE | {"name": "x" * 60_000}] * 40, "context": {"title": "x" * each}}
    answer = await collecting.post("/v1/batch", body)
    assert (answer.status, answer.document["reason"]) == (413, "too_large")
    assert "together" in answer.document["error"]
    assert not collecting.outbox.records


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b'{"a": NaN}', "not_json"),
        (b"\xff\xfe", "not_json"),
        (b"data=x", "not_json"),
        (b"[]", "no_batch"),
        (b"{}", "no_batch"),
        (b'{"batch": {}}', "no_batch"),
        (b'{"batch": []}', "no_batch"),
    ],
)
async def test_what_is_no_batch_is_refused_with_its_reason(body: bytes, reason: str) -> None:
    collecting = Collecting()
    answer = await collecting.post("/v1/batch", body)
    assert (answer.status, answer.document["reason"]) == (400, reason)
    assert (await collecting.post("/v1/page", b"[1]")).document["reason"] == "not_an_object"
    assert not collecting.outbox.records


async def test_a_batch_is_decided_event_by_event_and_nothing_bad_is_lost() -> None:
    collecting = Collecting()
    batch = [PAGE, 7, {"type": "page"}, {"type": "walk", "userId": "42"}, PAGE | {"timestamp": "yesterday"}, PAGE]
    answer = await collecting.post("/v1/batch", {"batch": batch})
    assert answer.status == 200
    assert [(told["index"], told["outcome"], told["reason"]) for told in answer.document["events"]] == [
        (1, "dead_letter", "not_an_object"),
        (2, "dead_letter", "no_identity"),
        (3, "dead_letter", "unknown_type"),
        (4, "dead_letter", "bad_timestamp"),
    ]
    assert len(collecting.outbox.records) == len(batch)
    assert collecting.keys == ["anon::9f2c", None, None, None, "anon::9f2c", "anon::9f2c"]


async def test_an_event_that_kafka_cannot_take_is_refused_and_the_others_stored() -> None:
    collecting = Collecting()
    huge = PAGE | {"properties": {"text": "x" * 1_100_000}}
    answer = await collecting.post("/v1/batch", {"batch": [PAGE, huge]})
    assert [(told["index"], told["outcome"], told["reason"]) for told in answer.document["events"]] == [
        (1, "refused", "too_large")
    ]
    assert len(collecting.outbox.records) == 1
    assert (await collecting.post("/v1/page", huge)).status == 413
    assert (await collecting.post("/v1/page", b'{"a":' * 400 + b"1" + b"}" * 400)).status == 413


async def test_events_that_are_not_for_the_write_key_are_told_and_the_others_stored(tmp_path: Any) -> None:
    table = tmp_path / "keys.toml"
    table.write_text('[keys.K]\ntypes = ["page"]\n')
    collecting = Collecting(Collecting().settings.model_copy(update={"write_keys": table}))
    track = {"type": "track", "event": "Demo Requested", "anonymousId": "9f2c"}
    answer = await collecting.post("/v1/batch", {"batch": [PAGE, track], "writeKey": "K"})
    assert answer.status == 200
    assert [(told["index"], told["outcome"], told["reason"]) for told in answer.document["events"]] == [(1, "refused", "type")]
    assert [event["type"] for event in collecting.events] == ["page"]
    assert (await collecting.post("/v1/track", track | {"writeKey": "K"})).status == 403


async def test_an_event_that_is_withheld_for_want_of_consent_is_not_stored_and_not_sent_again() -> None:
    collecting = Collecting()
    denied = PAGE | {"context": {"consent": {"categoryPreferences": {"analytics": False}}}}
    answer = await collecting.post("/v1/batch", {"batch": [denied, PAGE, PAGE | {"context": {"consent": {"analytics": True}}}]})
    assert (answer.status, answer.body) == (200, b'{"success":true}')
    assert len(collecting.outbox.records) == 2
    assert (await collecting.post("/v1/page", PAGE, sec_gpc="1")).body == b'{"success":true}'
    assert len(collecting.outbox.records) == 2


async def test_who_vouches_for_an_event_and_whose_address_it_was_stand_in_its_headers(tmp_path: Any) -> None:
    table = tmp_path / "keys.toml"
    table.write_text('[keys.S]\ntrust = "server"\n')
    collecting = Collecting(Collecting().settings.model_copy(update={"write_keys": table, "ip_retention": "drop"}))
    await collecting.post(
        "/v1/batch", {"batch": [PAGE, PAGE | {"context": {"ip": "198.51.100.7", "signature": "x"}}], "writeKey": "S"}
    )
    assert [dict(record.headers or [])["leadstream-trust"] for record in collecting.outbox.records] == ["server", "server"]
    assert [event["context"] for event in collecting.events] == [{}, {}]
