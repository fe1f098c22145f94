"""The wire contract of `events`: what is accepted, under which key, and why not.

orjson reads, so that "JSON" means one thing everywhere; msgspec accepts what is narrowly right, and pydantic judges the
rest: `EventModel` is the source of truth and of the published JSON Schema. Before all that, `schemas.plain_event` takes the
events that nearly all are.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final, final

import msgspec
import orjson
from pydantic import ValidationError

from schemas.event_model import EVENT_TYPES, EventModel
from schemas.event_times import recorded_at
from schemas.keys import identities
from schemas.plain_event import read_plain
from schemas.raw_event import RawEvent
from stream.domain import outcomes

__all__ = ["EventModel", "RawEvent", "Rejected", "decode", "decode_read", "identities", "is_echo", "partition_key", "recorded_at"]

MAX_BYTES: Final = 262_144
MAX_DEPTH: Final = 32
MAX_MEMBERS: Final = 1_000

LEAD_STAGE_CHANGED: Final = outcomes.STAGE
OURSELVES: Final = "leadstream"
VISITOR: Final = "visitor"
_STAGE_EVENT: Final = ("track", LEAD_STAGE_CHANGED)

_FEW_BYTES: Final = 5 * MAX_MEMBERS  # a member takes five bytes at least: `"":0,`
_TYPES: Final = frozenset(EVENT_TYPES)


@final
class Rejected(msgspec.Struct, frozen=True):
    """Why a record is a dead letter: `reason` is typed, `stage` is decode, validate, identify or apply.

    The hot path asks `type(read) is Rejected`: that costs a sixth of `isinstance`.
    """

    reason: str
    message: str
    stage: str


def decode(value: bytes | None, stages: Collection[str] | None = None) -> RawEvent | Rejected:
    """Read a record's value; the first check that fails names the reason.

    `stages` are the names of the ruleset in force, for a CRM's stage events; None: any name will do.
    """
    plain = None if value is None else read_plain(value)
    if plain is not None and (plain.type != "track" or plain.event):
        return plain if plain.event is None or plain.event != LEAD_STAGE_CHANGED else _of_known_type(plain, stages)
    document = _document(value)
    return document if isinstance(document, Rejected) else _accept(document, stages)


def decode_read(document: Any, value: bytes) -> RawEvent | Rejected:
    """Do what `decode` does with `value`, whose JSON was read already, before a ruleset is known."""
    if len(value) > MAX_BYTES:
        return Rejected("too_large", f"{len(value)} bytes, {MAX_BYTES} are allowed", "decode")
    bounded = _bounded(document, value)
    return bounded if isinstance(bounded, Rejected) else _accept(bounded, None)


def partition_key(event: Mapping[str, Any] | bytes, phone_region: str | None = None) -> str | None:
    """Return the node that keys the event; None where there is none, or the record is no event."""
    raw = decode(event) if isinstance(event, bytes) else _accept(dict(event), None)
    if isinstance(raw, Rejected):
        return None
    nodes = identities(raw, phone_region)
    return nodes[0] if nodes else None


def is_echo(raw: RawEvent) -> bool:
    """Tell whether this is our own stage change coming back from a CRM."""
    return (raw.type, raw.event) == _STAGE_EVENT and _changed_by_us(raw.properties)


def _document(value: bytes | None) -> dict[str, Any] | Rejected:
    """Return the JSON object, if it is one within the limits."""
    if value is None:
        return Rejected("not_json", "the record has no value", "decode")
    if len(value) > MAX_BYTES:
        return Rejected("too_large", f"{len(value)} bytes, {MAX_BYTES} are allowed", "decode")
    try:
        document = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        return Rejected("not_json", str(error), "decode")
    return _bounded(document, value)


def _bounded(document: Any, value: bytes) -> dict[str, Any] | Rejected:
    """Return what was read from `value` if it is an object within the limits."""
    # A short record with few brackets cannot be over a limit.
    if len(value) <= _FEW_BYTES and value.count(b"{") + value.count(b"[") <= MAX_DEPTH and isinstance(document, dict):
        return document
    return _within_limits(document)


def _within_limits(document: Any) -> dict[str, Any] | Rejected:
    depth, members = _extent(document)
    if depth > MAX_DEPTH:
        return Rejected("too_large", f"nested deeper than {MAX_DEPTH}", "decode")
    if not isinstance(document, dict):
        return Rejected("not_an_object", f"a JSON {_json_name(document)}, an event is an object", "decode")
    if members > MAX_MEMBERS:
        return Rejected("too_large", f"{members} object members, {MAX_MEMBERS} are allowed", "decode")
    return document


def _extent(document: Any) -> tuple[int, int]:
    """Return depth (the root counts 1) and object members at any depth, level by level: the nesting may be hostile."""
    depth = members = 0
    level = [document] if isinstance(document, (dict, list)) else []
    while level and depth <= MAX_DEPTH:
        depth += 1
        members += sum(len(part) for part in level if isinstance(part, dict))
        level = [inner for part in level for inner in _parts(part) if isinstance(inner, (dict, list))]
    return depth, members


def _parts(part: dict[str, Any] | list[Any]) -> Collection[Any]:
    return part.values() if isinstance(part, dict) else part


def _json_name(document: object) -> str:
    names = {list: "array", str: "string", bool: "boolean", type(None): "null"}
    return names.get(type(document), "number")


def _accept(document: dict[str, Any], stages: Collection[str] | None) -> RawEvent | Rejected:
    """Return the event if its shape and type are right."""
    try:
        raw = msgspec.convert(document, RawEvent)
    except msgspec.ValidationError:
        raw = None
    if raw is None or (raw.type == "track" and not raw.event):
        judged = _judge(document)
        if isinstance(judged, Rejected):
            return judged
        raw = judged
    return _of_known_type(raw, stages)


def _of_known_type(raw: RawEvent, stages: Collection[str] | None) -> RawEvent | Rejected:
    """Return the event if there are events of its type; a CRM's stage event also needs a stage."""
    if raw.event == LEAD_STAGE_CHANGED and raw.type == "track":
        return _with_known_stage(raw, stages)
    if raw.type not in _TYPES:
        return Rejected("unknown_type", f"type {raw.type[:64]!r} is none of {', '.join(EVENT_TYPES)}", "validate")
    return raw


def _judge(document: dict[str, Any]) -> RawEvent | Rejected:
    """Read what is odd but acceptable; name what is not. An echo of ours is never a dead letter, however it comes."""
    try:
        return msgspec.convert(EventModel.model_validate(document), RawEvent, from_attributes=True)
    except ValidationError as error:
        properties = document.get("properties")
        if (document.get("type"), document.get("event")) == _STAGE_EVENT and _changed_by_us(properties):
            return RawEvent(*_STAGE_EVENT, properties=properties)
        return Rejected("schema_violation", _told(error), "validate")


def _told(error: ValidationError) -> str:
    """Return the first mistake in one line, without the value: a dead letter carries it anyway."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"].removeprefix("Value error, ")


def _with_known_stage(raw: RawEvent, stages: Collection[str] | None) -> RawEvent | Rejected:
    """Return a CRM's stage event if the ruleset knows its stage, or if it is only our echo."""
    if _changed_by_us(raw.properties):
        return raw
    stage = raw.properties.get("stage") if raw.properties else None
    if not isinstance(stage, str):
        return Rejected("schema_violation", "properties.stage: a stage event needs the name of a stage", "validate")
    if stages is not None and stage != VISITOR and stage not in stages:
        return Rejected("schema_violation", f"properties.stage: the ruleset has no stage {stage[:64]!r}", "validate")
    return raw


def _changed_by_us(properties: object) -> bool:
    return isinstance(properties, dict) and properties.get("changedBy") == OURSELVES
