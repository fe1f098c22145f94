"""What is accepted from `events`, in which order it is refused, and how oddities are read."""

from typing import Any

import orjson
import pytest

from schemas.event import RawEvent, Rejected, decode, is_echo, recorded_at
from stream.domain.instants import BadInstant

PAGE: dict[str, Any] = {"type": "page", "anonymousId": "9f2c"}
STAGE: dict[str, Any] = {"type": "track", "event": "Lead Stage Changed", "userId": "42"}


def nested(levels: int) -> bytes:
    return b'{"type":"page","anonymousId":"a","x":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


def members(count: int, **more: object) -> dict[str, Any]:
    return {**PAGE, **more, "properties": {f"p{n}": n for n in range(count - 3 - len(more))}}


def reason_of(value: bytes | dict[str, Any] | None, stages: set[str] | None = None) -> str | None:
    raw = decode(orjson.dumps(value) if isinstance(value, dict) else value, stages)
    return raw.reason if isinstance(raw, Rejected) else None


def accepted(**event: object) -> RawEvent:
    raw = decode(orjson.dumps({**PAGE, **event}))
    assert isinstance(raw, RawEvent)
    return raw


@pytest.mark.parametrize(
    ("case", "value", "reason"),
    [
        ("a tombstone", None, "not_json"),
        ("nothing", b"", "not_json"),
        ("blanks", b" \n", "not_json"),
        ("text", b"hello", "not_json"),
        ("NaN", b'{"type":"page","anonymousId":"a","x":NaN}', "not_json"),
        ("infinity", b'{"type":"page","anonymousId":"a","x":-Infinity}', "not_json"),
        ("a number beyond doubles", b'{"type":"page","anonymousId":"a","x":1e400}', "not_json"),
        ("a byte order mark", b'\xef\xbb\xbf{"type":"page","anonymousId":"a"}', "not_json"),
        ("not UTF-8 in a member nobody reads", b'{"type":"page","anonymousId":"a","x":"\xff"}', "not_json"),
        ("not UTF-8 in a name", b'{"type":"page","anonymousId":"a","\xff":1}', "not_json"),
        ("a lone surrogate", b'{"type":"page","anonymousId":"a","x":"\\ud800"}', "not_json"),
        ("a lone surrogate in bytes", b'{"type":"page","anonymousId":"a","x":"\xed\xa0\x80"}', "not_json"),
        ("a control character", b'{"type":"page","anonymousId":"a","x":"\x01"}', "not_json"),
        ("a trailing comma", b'{"type":"page","anonymousId":"a",}', "not_json"),
        ("two documents", b"{}{}", "not_json"),
        ("half a document", b'{"type":"page"', "not_json"),
        ("UTF-16", '{"type":"page"}'.encode("utf-16"), "not_json"),
        ("nesting beyond the parser", b"[" * 5_000 + b"]" * 5_000, "not_json"),
        ("an array", b"[]", "not_an_object"),
        ("a string", b'"page"', "not_an_object"),
        ("a number", b"5", "not_an_object"),
        ("null", b"null", "not_an_object"),
        ("true", b"true", "not_an_object"),
        ("32 levels", nested(32), None),
        ("33 levels", nested(33), "too_large"),
        ("33 levels of an array", b"[" * 33 + b"]" * 33, "too_large"),
        ("32 levels of an array", b"[" * 32 + b"]" * 32, "not_an_object"),
        ("an array of too many members", orjson.dumps([members(1_001)]), "not_an_object"),
        ("brackets in a text", b'{"type":"page","anonymousId":"' + b"[{" * 100 + b'"}', None),
        ("many flat arrays", orjson.dumps({**PAGE, "x": [[] for _ in range(500)]}), None),
        ("1,000 members", orjson.dumps(members(1_000)), None),
        ("1,001 members", orjson.dumps(members(1_001)), "too_large"),
        ("1,001 members at all depths", orjson.dumps(members(1_000, context={"page": {}})), "too_large"),
        ("1,000 short members", b"{" + b",".join(b'"%x":0' % n for n in range(1_001)) + b"}", "too_large"),
        ("262,144 bytes", orjson.dumps(PAGE).ljust(262_144), None),
        ("262,145 bytes", orjson.dumps(PAGE).ljust(262_145), "too_large"),
        ("262,145 bytes of nothing", b"x" * 262_145, "too_large"),
        ("no type", {"anonymousId": "a"}, "schema_violation"),
        ("a type that is no string", {**PAGE, "type": 5}, "schema_violation"),
        ("a type of null", {**PAGE, "type": None}, "schema_violation"),
        ("track without event", {**PAGE, "type": "track"}, "schema_violation"),
        ("track with an empty event", {**PAGE, "type": "track", "event": ""}, "schema_violation"),
        ("track with a numbered event", {**PAGE, "type": "track", "event": 5}, "schema_violation"),
        ("an unknown type", {**PAGE, "type": "click"}, "unknown_type"),
        ("an empty type", {**PAGE, "type": ""}, "unknown_type"),
        ("a type in capitals", {**PAGE, "type": "Page"}, "unknown_type"),
        ("an unknown type of a wrong shape", {**PAGE, "type": "click", "traits": []}, "schema_violation"),
        ("messageId a number", {**PAGE, "messageId": 5}, "schema_violation"),
        ("messageId null", {**PAGE, "messageId": None}, None),
        ("messageId empty", {**PAGE, "messageId": ""}, None),
        ("all containers null", {**PAGE, "properties": None, "traits": None, "context": None}, None),
        ("externalIds null", {**PAGE, "context": {"externalIds": None}}, None),
        ("externalIds an object", {**PAGE, "context": {"externalIds": {}}}, "schema_violation"),
        ("externalIds a list of texts", {**PAGE, "context": {"externalIds": ["a"]}}, "schema_violation"),
        ("externalIds with null in it", {**PAGE, "context": {"externalIds": [None]}}, "schema_violation"),
        ("an external id that is an object", {**PAGE, "context": {"externalIds": [{"id": {}}]}}, "schema_violation"),
        ("an external id without anything", {**PAGE, "context": {"externalIds": [{}]}}, None),
        ("context.groupId an array", {**PAGE, "context": {"groupId": []}}, "schema_violation"),
    ],
)
def test_the_first_check_that_fails_names_the_reason(case: str, value: bytes | dict[str, Any] | None, reason: str | None) -> None:
    assert reason_of(value) == reason, case


@pytest.mark.parametrize("name", ["userId", "anonymousId", "previousId", "groupId"])
@pytest.mark.parametrize("wrong", [True, False, [], {}, ["a"]])
def test_an_id_is_string_number_or_null(name: str, wrong: object) -> None:
    assert reason_of({**PAGE, name: wrong}) == "schema_violation"
    for right in ("x", 5, 1.5, None):
        assert reason_of({**PAGE, name: right}) is None


@pytest.mark.parametrize("wrong", ["x", 5, True, []])
def test_containers_are_objects_or_null(wrong: object) -> None:
    for name in ("properties", "traits", "context"):
        assert reason_of({**PAGE, name: wrong}) == "schema_violation", name
    for name in ("page", "campaign", "traits"):
        assert reason_of({**PAGE, "context": {name: wrong}}) == "schema_violation", name


@pytest.mark.parametrize("wrong", [5, True, [], {}])
def test_a_known_optional_field_of_a_wrong_type_is_ignored(wrong: object) -> None:
    raw = accepted(
        event=wrong,
        timestamp=wrong,
        sentAt=wrong,
        originalTimestamp=wrong,
        receivedAt=wrong,
        context={
            "ip": wrong,
            "userAgent": wrong,
            "channel": wrong,
            "page": {"url": wrong, "path": "/x", "referrer": wrong, "title": "t", "search": wrong},
            "externalIds": [{"type": wrong, "id": "x", "scope": wrong}],
            "library": wrong,
            "locale": wrong,
        },
    )
    assert raw.context is not None
    assert raw.context.page is not None
    assert raw.context.external_ids is not None
    read = [raw.event, raw.timestamp, raw.sent_at, raw.original_timestamp, raw.received_at]
    read += [raw.context.ip, raw.context.user_agent, raw.context.channel]
    read += [raw.context.page.url, raw.context.page.referrer, raw.context.page.search]
    read += [raw.context.external_ids[0].type, raw.context.external_ids[0].scope]
    assert read == [None] * len(read)
    assert (raw.context.page.path, raw.context.page.title) == ("/x", "t")


def test_of_two_members_of_one_name_the_last_counts() -> None:
    raw = decode(b'{"type":"page","anonymousId":"a","anonymousId":"b","type":"screen"}')
    assert isinstance(raw, RawEvent)
    assert (raw.type, raw.anonymous_id) == ("screen", "b")


@pytest.mark.parametrize(
    ("case", "properties", "reason"),
    [
        ("a known stage", {"stage": "mql"}, None),
        ("visitor is always one", {"stage": "visitor"}, None),
        ("an unknown one", {"stage": "gold"}, "schema_violation"),
        ("in capitals", {"stage": "MQL"}, "schema_violation"),
        ("none", {}, "schema_violation"),
        ("no properties", None, "schema_violation"),
        ("null", {"stage": None}, "schema_violation"),
        ("a number", {"stage": 2}, "schema_violation"),
        ("our echo of an unknown one", {"stage": "gold", "changedBy": "leadstream"}, None),
        ("our echo of none", {"changedBy": "leadstream"}, None),
        ("somebody else's", {"stage": "gold", "changedBy": "crm"}, "schema_violation"),
    ],
)
def test_a_stage_event_names_a_stage_of_the_ruleset(case: str, properties: dict[str, Any] | None, reason: str | None) -> None:
    assert reason_of({**STAGE, "properties": properties}, {"lead", "mql"}) == reason, case


def test_without_a_ruleset_any_stage_will_do_and_other_types_need_none() -> None:
    assert reason_of({**STAGE, "properties": {"stage": "gold"}}) is None
    assert reason_of({**STAGE, "type": "page"}, {"mql"}) is None


@pytest.mark.parametrize("wrong", [{"userId": []}, {"messageId": 5}, {"context": "x"}])
def test_an_echo_is_never_a_dead_letter_however_it_comes(wrong: dict[str, Any]) -> None:
    raw = decode(orjson.dumps({**STAGE, "properties": {"changedBy": "leadstream"}, **wrong}), {"mql"})
    assert isinstance(raw, RawEvent)
    assert is_echo(raw)


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param({**PAGE, "properties": {"changedBy": "leadstream"}}, id="our name on another event"),
        pytest.param({**STAGE, "properties": {"stage": "mql"}}, id="a move of somebody else's"),
    ],
)
def test_what_is_no_echo_is_refused_for_its_shape_as_ever(odd: dict[str, Any]) -> None:
    assert reason_of({**odd, "userId": ["42"]}, {"mql"}) == "schema_violation"


@pytest.mark.parametrize(
    ("value", "stage", "message"),
    [
        (b"{", "decode", "unexpected end of data"),
        (nested(33), "decode", "nested deeper than 32"),
        (b"[]", "decode", "a JSON array, an event is an object"),
        (b"1.5", "decode", "a JSON number"),
        (orjson.dumps({**PAGE, "userId": True}), "validate", "userId"),
        (orjson.dumps({"type": "track"}), "validate", "event: a track needs a non-empty text"),
        (orjson.dumps({"anonymousId": "a"}), "validate", "type: Field required"),
        (orjson.dumps({"type": "click"}), "validate", "type 'click' is none of track, page"),
    ],
)
def test_a_refusal_says_where_and_what(value: bytes, stage: str, message: str) -> None:
    raw = decode(value)
    assert isinstance(raw, Rejected)
    assert raw.stage == stage
    assert message in raw.message


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ({}, None),
        ({"originalTimestamp": "1970-01-01T00:00:04Z"}, 4_000),
        ({"originalTimestamp": "1970-01-01T00:00:04Z", "sentAt": "1970-01-01T00:00:03Z"}, 3_000),
        ({"sentAt": "1970-01-01T00:00:03Z", "timestamp": "1970-01-01T00:00:02Z"}, 2_000),
        ({"timestamp": "1970-01-01T00:00:02Z", "receivedAt": "1970-01-01T00:00:01Z"}, 1_000),
        ({"receivedAt": None, "timestamp": 5, "sentAt": "1970-01-01T00:00:03Z"}, 3_000),
    ],
)
def test_a_recorded_event_tells_when_it_was_received(times: dict[str, Any], expected: int | None) -> None:
    assert recorded_at(accepted(**times)) == expected


def test_a_recorded_time_that_cannot_be_read_is_told() -> None:
    with pytest.raises(BadInstant):
        recorded_at(accepted(receivedAt="soon", timestamp="1970-01-01T00:00:02Z"))
