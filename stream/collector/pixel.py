"""Events by image, for mails and pages without scripts: `/pixel/v1/TYPE?writeKey=…`, and Segment's `/v1/pixel/TYPE?data=…`.

An argument is a member of the event, dots lead into it: `event=Email+Opened&anonymousId=9f2c&properties.mail=q3`. Every request
is an event of its own, unless it carries a `messageId`. What is not stored is answered as anywhere else.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from schemas.event_model import EVENT_TYPES
from stream.collector.incoming import Event, Incoming, packed_json, write_key_of
from stream.collector.request import Refused, Request

GIF: Final = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")
"""One transparent pixel."""

_DEEPEST: Final = 8
_NOT_OF_THE_EVENT: Final = frozenset({"writeKey", "write_key"})


def readers() -> Mapping[tuple[str, str], Callable[[Request], Incoming]]:
    """Return who reads which request, by method and path."""
    plain = {("GET", f"/pixel/v1/{type_}"): partial(_plain, type_) for type_ in EVENT_TYPES}
    packed = {("GET", f"/v1/pixel/{name}"): partial(_packed, type_) for type_ in EVENT_TYPES for name in (type_, type_[0])}
    return plain | packed


def _plain(type_: str, request: Request) -> Incoming:
    event: Event = {"type": type_}
    for name, value in request.arguments.items():
        if name not in _NOT_OF_THE_EVENT:
            _put(event, name.split("."), value)
    _tell_page(event, request)
    return Incoming([event], write_key_of(request), pixel=True)


def _packed(type_: str, request: Request) -> Incoming:
    event = packed_json(request.arguments.get("data", ""))
    if not isinstance(event, dict):
        raise Refused(400, "not_json", "`data` is no JSON object, plain or in base64")
    key = write_key_of(request, event.pop("writeKey", None))
    event.setdefault("type", type_)
    _tell_page(event, request)
    return Incoming([event], key, pixel=True)


def _put(event: Event, path: list[str], value: str) -> None:
    """Set a member by its path; one that leads through a text, or is too deep, is left out."""
    if len(path) > _DEEPEST:
        return
    place: Any = event
    for name in path[:-1]:
        place = place.setdefault(name, {})
        if not isinstance(place, dict):
            return
    place[path[-1]] = value


def _tell_page(event: Event, request: Request) -> None:
    """Let the Referer be the page of an event that tells none: an image is asked for by the page it stands on."""
    referer = request.header(b"referer")
    context = event.setdefault("context", {})
    if referer and isinstance(context, dict):
        context.setdefault("page", {"url": referer})
