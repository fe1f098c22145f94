"""Segment's HTTP API, and RudderStack's, which is the same: `/v1/batch`, `/v1/track` …, the short forms, the beacon."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import orjson

from schemas.event_model import EVENT_TYPES
from stream.collector.incoming import Event, Incoming, batch_of, document_of, write_key_of
from stream.collector.limits import LIMITS
from stream.collector.request import Refused, Request

Reader = Callable[[Request], Incoming]

_BATCHES: Final = ("/v1/batch", "/v1/b", "/v1/import", "/beacon/v1/batch")
_KEY: Final = "writeKey"


def readers() -> Mapping[tuple[str, str], Reader]:
    """Return who reads which request, by method and path."""
    single = {("POST", f"/v1/{name}"): partial(_single, type_) for type_ in EVENT_TYPES for name in (type_, type_[0])}
    return single | {("POST", path): _batch for path in _BATCHES}


def _single(type_: str, request: Request) -> Incoming:
    """Read one event; the path says its type where it does not itself."""
    event = document_of(request)
    if not isinstance(event, dict):
        raise Refused(400, "not_an_object", "the body is no JSON object: send one event")
    key = write_key_of(request, event.pop(_KEY, None))
    if not event.get("type"):
        event["type"] = type_
    return Incoming([event], key, request.header(b"sentat"))


def _batch(request: Request) -> Incoming:
    """Read `{"batch": [...]}`; what stands beside the list is of all of them."""
    document = document_of(request)
    events = batch_of(document, "batch", '{"batch": [{"type": "page", …}, …]}')
    told = [event.pop(_KEY, None) for event in events if isinstance(event, dict)]
    key = write_key_of(request, document.get(_KEY), *told[:1])
    return Incoming(events, key, document.get("sentAt"), _defaults(document.get("context"), len(events), len(request.body)))


def _defaults(context: Any, events: int, body_bytes: int) -> Event:
    """Return what `context` says of every event of a batch; raises Refused where, said of each, it would be very much."""
    if not isinstance(context, dict):
        return {}
    if body_bytes * events > LIMITS.stored_bytes and _size(context, body_bytes) * events > LIMITS.stored_bytes:
        raise Refused(413, "too_large", f"context of {events} events is more than {LIMITS.stored_bytes} bytes: say less in it")
    return context


def _size(context: Event, at_most: int) -> int:
    """Return how many bytes it takes to write; what is nested too deeply for that counts as the whole body."""
    try:
        return len(orjson.dumps(context))
    except orjson.JSONEncodeError:
        return at_most
