"""The Snowplow tracker protocol: POST to `tp2`, GET to `/i`; each payload becomes one event of ours.

| Snowplow | event |
|---|---|
| `pv` page view | `page` |
| `pp` page ping | `track` "Page Ping", `properties.dwell_s` = 10: the trackers' usual heartbeat (below) |
| `se` structured | `track` with the action as its name: an action called as the ruleset calls a behaviour counts as it |
| `ue` self-describing | `track`, named by its schema in words (`demo_requested`: "Demo Requested"), its data as properties |
| `ue` of a screen view | `screen` |
| `tr`, `ti` transaction | `track` "Order Completed", "Order Item Added" |

A ping says that somebody was there for one more heartbeat, and not how long that is. So a visit of a page is its page view
and a ping for each heartbeat of attention: the shipped ruleset gives a ping a tenth of a view's weight and no points, so that
a minute of reading weighs one and a half views, as [dwell] has it for trackers that tell the whole time at once.

`duid` is the anonymousId, `uid` the userId, `eid` the messageId, `dtm` (or `ttm`) the time, `stm` when it was sent. No tracker
sends a write key: its app id (`aid`) is taken for it.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from stream.collector.incoming import Event, Incoming, batch_of, document_of, packed_json, write_key_of
from stream.collector.request import Request
from stream.collector.snowplow_context import add_entities, context_of, entity, text_in
from stream.domain.instants import BadInstant, write

HEARTBEAT_S: Final = 10

Payload = Mapping[str, Any]

_CHANNELS: Final = {"web": "web", "mob": "mobile", "srv": "server"}
_EVENTS: Final = {
    "link_click": "Link Clicked",
    "submit_form": "Form Submitted",
    "site_search": "Site Searched",
    "social_interaction": "Content Shared",
}
_ACTION: Final = {"se_ca": "category", "se_ac": "action", "se_la": "label", "se_pr": "property", "se_va": "value"}
_ORDER: Final = {
    "tr_id": "order_id",
    "tr_af": "affiliation",
    "tr_tt": "total",
    "tr_tx": "tax",
    "tr_sh": "shipping",
    "tr_cu": "currency",
}
_ITEM: Final = {
    "ti_id": "order_id",
    "ti_sk": "sku",
    "ti_nm": "name",
    "ti_ca": "category",
    "ti_pr": "price",
    "ti_qu": "quantity",
    "ti_cu": "currency",
}
_SCROLL: Final = {"pp_mix": "scroll_x_min", "pp_max": "scroll_x_max", "pp_miy": "scroll_y_min", "pp_may": "scroll_y_max"}
_WHOLE: Final = 2**53
"""From here on a float cannot tell whole numbers from their neighbours; readers of JSON take none of more than 64 bits."""
_NUMBERS: Final = frozenset({"se_va", "tr_tt", "tr_tx", "tr_sh", "ti_pr", "ti_qu", *_SCROLL})


def readers() -> Mapping[tuple[str, str], Callable[[Request], Incoming]]:
    """Return who reads which request, by method and path."""
    return {("POST", "/com.snowplowanalytics.snowplow/tp2"): _posted, ("GET", "/i"): _got, ("GET", "/ice.png"): _got}


def _posted(request: Request) -> Incoming:
    payloads = batch_of(document_of(request), "data", '{"schema": …, "data": [{"e": "pv", …}, …]}')
    apps = [payload.get("aid") for payload in payloads[:1] if isinstance(payload, dict)]
    return Incoming([event_of(payload) for payload in payloads], write_key_of(request, *apps))


def _got(request: Request) -> Incoming:
    payload = request.arguments
    return Incoming([event_of(payload)], write_key_of(request, payload.get("aid")), pixel=True)


def event_of(payload: Any) -> Any:
    """Return the event of a payload; what is no object stays as it is, what is of no kind of theirs keeps all but its address."""
    if not isinstance(payload, dict):
        return payload
    kind = payload.get("e")
    read = _KINDS.get(kind) if isinstance(kind, str) else None
    own = read(payload) if read else None
    event: Event = {"type": kind, "properties": _but_the_address(payload)} if own is None else own
    for name, value in (
        ("messageId", payload.get("eid")),
        ("userId", payload.get("uid")),
        ("anonymousId", payload.get("duid") or payload.get("tnuid") or payload.get("nuid")),
        ("originalTimestamp", _instant(payload.get("ttm") or payload.get("dtm"))),
        ("sentAt", _instant(payload.get("stm"))),
        ("channel", _CHANNELS.get(text_in(payload, "p") or "")),
    ):
        if value is not None:
            event[name] = value
    event["context"] = context_of(payload)
    add_entities(event, payload)
    return event


def _but_the_address(payload: Payload) -> Event:
    """Return what a payload says; the address stands in `context`, where it is cut."""
    return {name: value for name, value in payload.items() if name != "ip"}


def _page_view(_: Payload) -> Event:
    return {"type": "page", "properties": {}}


def _page_ping(payload: Payload) -> Event:
    return _track("Page Ping", {"dwell_s": HEARTBEAT_S, **_renamed(payload, _SCROLL)})


def _structured(payload: Payload) -> Event:
    return _track(text_in(payload, "se_ac") or text_in(payload, "se_ca"), _renamed(payload, _ACTION))


def _transaction(payload: Payload) -> Event:
    return _track("Order Completed", _renamed(payload, _ORDER))


def _item(payload: Payload) -> Event:
    return _track("Order Item Added", _renamed(payload, _ITEM))


def _self_describing(payload: Payload) -> Event | None:
    """Return what a site's own schema tells; None where it cannot be read."""
    packed = payload.get("ue_pr") or payload.get("ue_px")
    outer = packed_json(packed) if isinstance(packed, str) else packed
    told = entity(outer.get("data")) if isinstance(outer, dict) else None
    if told is None:
        return None
    _, name, data = told
    properties = data if isinstance(data, dict) else {"data": data}
    if name == "screen_view":
        return {"type": "screen", "name": properties.get("name"), "properties": properties}
    return _track(_EVENTS.get(name) or in_words(name), properties)


_KINDS: Final[Mapping[str, Callable[[Payload], Event | None]]] = {
    "pv": _page_view,
    "pp": _page_ping,
    "se": _structured,
    "ue": _self_describing,
    "tr": _transaction,
    "ti": _item,
}


def _track(event: str | None, properties: Event) -> Event:
    return {"type": "track", "event": event, "properties": properties}


def _renamed(payload: Payload, names: Mapping[str, str]) -> Event:
    """Return the members that are there under names of ours, numbers as numbers."""
    told = ((name, ours, payload.get(name)) for name, ours in names.items())
    return {ours: _number(value) if name in _NUMBERS else value for name, ours, value in told if value not in (None, "")}


def _number(value: Any) -> Any:
    """Return the number that a text tells; anything else as it is."""
    try:
        number = float(value) if isinstance(value, str) else None
    except ValueError:
        number = None
    if number is None or not math.isfinite(number):
        return value
    return int(number) if number.is_integer() and abs(number) < _WHOLE else number


def _instant(value: Any) -> Any:
    """Return milliseconds as an instant; anything else as it is, for the judge to name it."""
    digits = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(digits, str) or not re.fullmatch(r"[0-9]{1,16}", digits):
        return value
    try:
        return write(int(digits))
    except BadInstant:
        return value


def in_words(name: str) -> str:
    """Return a schema's name as the ruleset writes names.

    >>> in_words("demo_requested"), in_words("webinar")
    ('Demo Requested', 'Webinar')
    """
    return " ".join(word[0].upper() + word[1:] for word in re.split(r"[_\s-]+", name) if word)
