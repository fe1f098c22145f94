"""`POST /v1/validate`: what would become of an event, told at once, storing nothing.

    admitted = gate.admit(request, around(request))                     # the key, and what a batch says of all its events
    validated(request.body, at_ms, settings.phone_region, complete)     # the answer, for status 200 whatever it says

`complete(event)` does to an event what the collector does before Kafka, and returns why it would not let it on (the write
key's types, consent), or None. The body is one event, a list of events, or a batch as Segment's clients send it:

    {"accepted": true, "key": "anon::9f2c", "event": {… as the worker would read it}}
    {"accepted": false, "reason": "schema_violation", "message": "…", "stage": "validate", "place": "properties"}
    {"accepted": false, "reason": "denied", "message": "consent was refused", "stage": "collect", "place": "context.consent"}
    {"events": [one of these for each]}

The judge is the worker's own. It cannot know which stages the ruleset in force has, nor what was erased.
"""

from collections.abc import Callable
from typing import Any, Final

import orjson

from schemas.event import Rejected
from stream.collector.incoming import Incoming, read, write_key_of
from stream.collector.judging import judge
from stream.collector.limits import LIMITS
from stream.collector.request import Request
from stream.domain.instants import BadInstant, parse

Complete = Callable[[dict[str, Any]], Rejected | None]
Answer = dict[str, Any]

COLLECT: Final = "collect"
"""The stage before the worker's: decode, validate, identify, apply."""
_KEY: Final = "writeKey"
_TIMES: Final = ("timestamp", "originalTimestamp", "sentAt", "receivedAt")
_PLACES: Final = {"no_identity": "userId, anonymousId, context.externalIds", "unknown_type": "type"}


def around(request: Request) -> Incoming:
    """Return what a body says of its events, as if it were sent, and none of them; of what cannot be read nothing."""
    try:
        document = read(request.body)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict):
        return Incoming([], write_key_of(request))
    events = document.get("batch")
    if not isinstance(events, list):
        return Incoming([], write_key_of(request, document.get(_KEY)), request.header(b"sentat"))
    told = [event.get(_KEY) for event in events if isinstance(event, dict)][:1]
    context = document.get("context")
    defaults = context if isinstance(context, dict) else {}
    return Incoming([], write_key_of(request, document.get(_KEY), *told), document.get("sentAt"), defaults)


def validated(body: bytes, at_ms: int, phone_region: str | None, complete: Complete) -> Answer:
    """Return the answer to a body; never raises, whatever it is."""
    try:
        document = read(body)
    except orjson.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        return _no(Rejected("not_json", str(error), "decode"), place)
    events = document.get("batch") if isinstance(document, dict) and "batch" in document else document
    if not isinstance(events, list):
        return _one(events, at_ms, phone_region, complete)
    if len(events) > LIMITS.events:
        return _no(Rejected("too_large", f"{len(events)} events, {LIMITS.events} are allowed in a request", COLLECT), "batch")
    return {"events": [_one(event, at_ms, phone_region, complete) for event in events]}


def withheld(reason: str) -> Rejected:
    """Return what to say of an event that consent keeps away."""
    told = {"gpc": "the browser sends Sec-GPC: 1", "dnt": "the browser sends DNT: 1", "denied": "consent was refused"}
    return Rejected(reason, told.get(reason, "the write key asks for consent, and none is told"), COLLECT)


def _one(event: Any, at_ms: int, phone_region: str | None, complete: Complete) -> Answer:
    told: dict[str, Any] = {}
    if isinstance(event, dict):
        event.pop(_KEY, None)
        told = {name: event[name] for name in _TIMES if event.get(name) is not None}
        why = complete(event)
        if why is not None:
            return _no(why)
        if event.get("sentAt") is not None:  # perhaps its batch's
            told["sentAt"] = event["sentAt"]
    try:
        value, key, rejected = judge(event, at_ms, phone_region)
    except orjson.JSONEncodeError:
        return _no(Rejected("too_large", "nested deeper than any reader goes", "decode"))
    if rejected is not None:
        return _no(rejected, _wrong_time(told) if rejected.reason == "bad_timestamp" else None)
    return {"accepted": True, "key": None if key is None else key.decode("utf-8", "replace"), "event": orjson.loads(value)}


def _wrong_time(told: dict[str, Any]) -> str:
    """Return the times that cannot be read, as the sender calls them; all of them where it is their result that is wrong."""
    return ", ".join([name for name, value in told.items() if not _is_instant(value)] or told)


def _is_instant(value: Any) -> bool:
    try:
        return isinstance(value, str) and parse(value) >= 0
    except BadInstant:
        return False


def _no(why: Rejected, place: str | None = None) -> Answer:
    return {
        "accepted": False,
        "reason": why.reason,
        "message": why.message,
        "stage": why.stage,
        "place": _PLACES.get(why.reason) or _place(why) if place is None else place,
    }


def _place(why: Rejected) -> str | None:
    """Return where in the event it is: messages begin with it."""
    if why.reason in {"gpc", "dnt"}:
        return "headers"
    if why.reason in {"denied", "not_given"}:
        return "context.consent"
    place, mark, _ = why.message.partition(": ")
    return place if mark and why.reason == "schema_violation" else None
