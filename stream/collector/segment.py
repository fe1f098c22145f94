"""Segment's HTTP API, and RudderStack's, which is the same: `/v1/batch`, `/v1/track` …, the short forms, the beacon."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from schemas.event_model import EVENT_TYPES
from stream.collector.incoming import Event, Incoming, document_of, write_key_of
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
    events = document.get("batch") if isinstance(document, dict) else None
    if not isinstance(events, list) or not events:
        raise Refused(400, "no_batch", 'the body has no events: send {"batch": [{"type": "page", …}, …]}')
    told = [event.pop(_KEY, None) for event in events if isinstance(event, dict)]
    key = write_key_of(request, document.get(_KEY), *told[:1])
    return Incoming(events, key, document.get("sentAt"), _defaults(document.get("context")))


def _defaults(context: Any) -> Event:
    """Return what `context` says of every event of a batch."""
    return context if isinstance(context, dict) else {}
