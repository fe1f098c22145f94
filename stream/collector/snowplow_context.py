"""What surrounds a Snowplow event: page, campaign, session, tracker, and the entities that a site attaches."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from stream.collector.incoming import Event, packed_json

_UTM: Final = {
    "utm_source": "source",
    "utm_medium": "medium",
    "utm_term": "term",
    "utm_content": "content",
    "utm_campaign": "name",
}
_SCHEMA: Final = re.compile(r"(?:iglu:)?([^/]{1,128})/([^/]{1,128})/jsonschema/")
_OWN: Final = ("com.snowplowanalytics.", "org.w3", "com.google.")


def text_in(payload: Mapping[str, Any], name: str) -> str | None:
    """Return a member as text; None where it is empty or none."""
    value = payload.get(name)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value else None


def context_of(payload: Mapping[str, Any]) -> Event:
    """Return `context` as the Segment spec has it."""
    url, tracker = text_in(payload, "url"), text_in(payload, "tv")
    context: Event = {
        "ip": text_in(payload, "ip"),
        "userAgent": text_in(payload, "ua"),
        "locale": text_in(payload, "lang"),
        "timezone": text_in(payload, "tz"),
        "sessionId": text_in(payload, "sid"),
        "app": _without_nothing({"namespace": text_in(payload, "aid")}),
        "screen": _screen(text_in(payload, "res")),
        "library": None if tracker is None else _library(tracker),
        "page": _without_nothing(
            {"url": url, "title": text_in(payload, "page"), "referrer": text_in(payload, "refr"), **_parts(url)}
        ),
        "campaign": None if url is None else _campaign(url),
    }
    return _without_nothing(context)


def add_entities(event: Event, payload: Mapping[str, Any]) -> None:
    """Add the attached entities: a site's own to the properties, Snowplow's to `context.snowplow`.

    Of several with one schema the properties have a list. What the event itself says stays.
    """
    own: dict[str, list[Any]] = {}
    for vendor, name, data in _entities(payload):
        if vendor.startswith(_OWN):
            event["context"].setdefault("snowplow", {})[name] = data
        else:
            own.setdefault(name, []).append(data)
    for name, several in own.items():
        event["properties"].setdefault(name, several[0] if len(several) == 1 else several)
    session = event["context"].get("snowplow", {}).get("client_session")
    if "anonymousId" not in event and isinstance(session, dict) and session.get("userId"):
        event["anonymousId"] = session["userId"]


def forget_app(event: Any, app: str) -> None:
    """Take an app id out of an event: as the write key of a server it is a secret."""
    if not isinstance(event, dict):
        return
    context, properties = event.get("context"), event.get("properties")
    if isinstance(context, dict) and context.get("app") == {"namespace": app}:
        del context["app"]
    if isinstance(properties, dict) and properties.get("aid") == app:  # of a kind that is none: it keeps its payload whole
        del properties["aid"]


def entity(told: Any) -> tuple[str, str, Any] | None:
    """Return vendor, name and data of a self-describing JSON; None where it is none."""
    if not isinstance(told, dict) or not isinstance(told.get("schema"), str):
        return None
    found = _SCHEMA.match(told["schema"])
    return None if found is None else (found[1], found[2], told.get("data"))


def _entities(payload: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    told = payload.get("co") or payload.get("cx")
    outer = packed_json(told) if isinstance(told, str) else told
    listed = outer.get("data") if isinstance(outer, dict) else None
    for each in listed if isinstance(listed, list) else ():
        found = entity(each)
        if found is not None:
            yield found


def _campaign(url: str) -> Event:
    """Return the `utm_…` arguments by the names of the Segment spec."""
    if "utm_" not in url:
        return {}
    try:
        arguments = parse_qsl(url.partition("?")[2].partition("#")[0], max_num_fields=200)
    except ValueError:
        return {}
    return {_UTM[name]: value for name, value in arguments if name in _UTM}


def _parts(url: str | None) -> Event:
    if url is None:
        return {}
    try:
        parts = urlsplit(url)
    except ValueError:
        return {}
    return {"path": parts.path or "/", "search": f"?{parts.query}" if parts.query else ""}


def _library(tracker: str) -> Event:
    """Return `py-1.1.0` as name and version."""
    name, _, version = tracker.partition("-")
    return {"name": f"snowplow-{name}", "version": version}


def _screen(resolution: str | None) -> Event | None:
    found = re.fullmatch(r"([0-9]{1,6})x([0-9]{1,6})", resolution or "")
    return None if found is None else {"width": int(found[1]), "height": int(found[2])}


def _without_nothing(members: Event) -> Event:
    return {name: value for name, value in members.items() if value not in (None, {})}
