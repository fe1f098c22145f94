"""Whatever a producer sends: it is judged, never raised, and the short way reads what the judge reads."""

from typing import Any

import msgspec
import orjson
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.event import EventModel, RawEvent, Rejected, _document, _extent, decode, identities, partition_key
from schemas.plain_event import MAX_BYTES, read_plain
from stream.domain.event import Company, Event
from stream.domain.instants import YEAR_2000
from stream.intake import Intake

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NUMBERS = st.one_of(
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0, -1, 2**53 + 1]),
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXT)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=6)
IDS = st.one_of(st.sampled_from(["9f2c", " 9f2c ", "null", "[object Object]", "a@b", "+49 30 901820", 42, 1.5]), JSON)
INSTANTS = st.one_of(st.sampled_from(["2026-11-22T10:00:00.000Z", "1999-01-01T00:00:00Z", "", "soon"]), JSON)


def known(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return objects of some known fields, now and then anything else."""
    return st.one_of(st.fixed_dictionaries({}, optional=fields), st.fixed_dictionaries({}, optional=fields), JSON)


EXTERNAL = known(type=st.sampled_from(["email", "phone", "lead", "user_id", "a:b"]) | JSON, id=IDS, scope=TEXT | JSON)
PAGE = known(url=TEXT | JSON, path=TEXT | JSON, title=JSON, search=JSON, referrer=JSON)
CONTEXT = known(
    ip=TEXT | JSON,
    userAgent=JSON,
    page=PAGE,
    campaign=known(medium=JSON),
    traits=known(email=IDS, phone=IDS),
    channel=JSON,
    groupId=IDS,
    externalIds=st.lists(EXTERNAL, max_size=3) | JSON,
)
EVENTS = st.fixed_dictionaries(
    {"type": st.sampled_from(["track", "page", "identify", "group", "alias", "click"]) | JSON},
    optional={
        "event": st.sampled_from(["Lead Stage Changed", "", "Read"]) | JSON,
        "messageId": TEXT | JSON,
        "anonymousId": IDS,
        "userId": IDS,
        "previousId": IDS,
        "groupId": IDS,
        "properties": known(stage=st.sampled_from(["mql", "visitor"]) | JSON, changedBy=st.just("leadstream"), url=JSON),
        "traits": known(email=IDS, phone=IDS),
        "context": CONTEXT,
        "timestamp": INSTANTS,
        "sentAt": INSTANTS,
        "originalTimestamp": INSTANTS,
        "receivedAt": INSTANTS,
        "message_id": JSON,
        "free": JSON,
    },
)


class NoFiles:
    def company(self, _ip: str) -> Company | None:
        return None

    def is_bot(self, _user_agent: str | None) -> bool:
        return False

    def email_kind(self, _address: str) -> str | None:
        return None

    def phone(self, _number: str, _region: str | None) -> tuple[str | None, str]:
        return None, "invalid"


@settings(max_examples=400)
@given(EVENTS)
def test_what_msgspec_accepts_the_judge_reads_alike(event: dict[str, Any]) -> None:
    document = orjson.loads(orjson.dumps(event))
    try:
        accepted = msgspec.convert(document, RawEvent)
    except msgspec.ValidationError:
        return
    try:
        judged = EventModel.model_validate(document)
    except ValidationError:
        assert (accepted.type, bool(accepted.event)) == ("track", False), "the one rule msgspec does not know"
        return
    assert msgspec.convert(judged, RawEvent, from_attributes=True) == accepted


@settings(max_examples=400)
@given(EVENTS, st.integers(-1, 2**63 - 1))
def test_any_object_becomes_an_event_or_a_reason(event: dict[str, Any], timestamp_ms: int) -> None:
    value = orjson.dumps(event)
    read = Intake(NoFiles(), stages={"mql"}).read(value, timestamp_ms)
    raw = decode(value, {"mql"})
    if isinstance(read, Rejected):
        assert read.reason in {"schema_violation", "unknown_type", "no_identity", "bad_timestamp"}
        assert (read.reason in {"schema_violation", "unknown_type"}) == isinstance(raw, Rejected)
        return
    assert isinstance(raw, RawEvent)
    assert len(read.message) == 6
    assert read.echo or YEAR_2000 <= read.t <= read.r <= timestamp_ms
    assert read.node == (partition_key(value) or "")
    assert {link.node for link in read.links} <= set(identities(raw)) - {read.node}


@settings(max_examples=300)
@given(st.binary(max_size=60) | st.tuples(EVENTS, st.integers(0, 400), st.binary(max_size=2)))
@example(b"\xef\xbb\xbf{}")
@example(b'{"type":"page","anonymousId":"a","x":"\xed\xa0\x80"}')
def test_any_bytes_are_judged(broken: bytes | tuple[dict[str, Any], int, bytes]) -> None:
    value = broken if isinstance(broken, bytes) else _overwritten(*broken)
    outcome = Intake(NoFiles()).read(value, 2 * YEAR_2000)
    assert isinstance(outcome, (Event, Rejected))
    if isinstance(outcome, Rejected):
        outcome.message.encode()


def _overwritten(event: dict[str, Any], at: int, piece: bytes) -> bytes:
    value = orjson.dumps(event)
    return value[:at] + piece + value[at + len(piece) :]


USUAL = st.fixed_dictionaries(
    {"type": st.sampled_from(["track", "page", "identify"]), "messageId": TEXT},
    optional={
        "event": TEXT,
        "anonymousId": IDS,
        "userId": NUMBERS,
        "properties": st.dictionaries(TEXT, JSON, max_size=3),
        "traits": st.dictionaries(TEXT, SCALARS, max_size=3),
        "context": st.fixed_dictionaries({}, optional={"ip": TEXT, "library": JSON, "screen": JSON, "page": PAGE, "ua-ch": JSON}),
        "integrations": JSON,
        "_metadata": JSON,
    },
)


@settings(max_examples=600)
@given(st.tuples(EVENTS | USUAL, st.integers(0, 400), st.binary(max_size=3)) | st.binary(max_size=60))
@example(b'{"type":"page","version":1e400}')
@example(b'{"type":"page","version":"\xff"}')
@example(b'{"type":"page","\xff":1}')
@example(b'{"type":"page","properties":{"a":18446744073709551616}}')
@example(b'{"type":"page","properties":{"a":-9223372036854775809}}')
@example(b'{"type":"page","userId":18446744073709551616}')
@example(b'{"type":"page","integrations":{"a":[[' + b"[" * 40 + b"]" * 40 + b"]]}}")
@example(b'{"type":"page","type":"track","event":"Read","properties":{"a":1,"a":2}}')
@example(b'{"type":"page","properties":{"a":-0,"b":-0.0,"c":1E2,"d":1e-400,"e":9223372036854775807}}')
@example(b'{"type":"page","properties":{"a":"\\ud800"}}')
def test_the_plain_way_takes_what_the_long_one_takes_and_reads_the_same(
    sent: bytes | tuple[dict[str, Any], int, bytes],
) -> None:
    value = sent if isinstance(sent, bytes) else _overwritten(*sent)
    plain = read_plain(value)
    if plain is None:
        return
    document = _document(value)
    assert not isinstance(document, Rejected)
    accepted = msgspec.convert(document, RawEvent)
    assert [_written(getattr(plain, name)) for name in RawEvent.__struct_fields__] == [
        _written(getattr(accepted, name)) for name in RawEvent.__struct_fields__
    ]


def _written(value: Any) -> str:
    """Tell 1 from 1.0 and true, and know a context by what is read of it."""
    if isinstance(value, list):
        return str([_written(one) for one in value])
    kind: Any = next((kind for kind in type(value).__mro__ if kind.__module__ == RawEvent.__module__), None)
    return repr(value) if kind is None else str([_written(getattr(value, name)) for name in kind.__struct_fields__])


def test_the_plain_way_is_that_of_usual_events_and_of_no_long_ones() -> None:
    event = {"type": "page", "anonymousId": "a", "context": {"page": {"url": "/"}, "library": {"name": "analytics.js"}}}
    assert read_plain(orjson.dumps(event)) is not None
    assert read_plain(orjson.dumps(event | {"properties": {"text": "x" * MAX_BYTES}})) is None
    assert read_plain(orjson.dumps(event | {"basket": 1})) is None


@given(st.integers(1, 40), st.integers(0, 40), st.sampled_from([(b'{"a":', b"}"), (b"[", b"]")]))
def test_the_short_way_to_the_limits_finds_what_the_long_one_finds(depth: int, flat: int, brackets: tuple[bytes, bytes]) -> None:
    opening, closing = brackets
    inner = opening * (depth - 1) + b"0" + closing * (depth - 1)
    value = b'{"x":%s,"y":[%s]}' % (inner, b",".join([b"[]"] * flat))
    assert isinstance(_document(value), Rejected) == (_extent(orjson.loads(value))[0] > 32)
