"""A line becomes an event or a dead letter: section 5 of the contract, and its times (section 7)."""

import ipaddress
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import Any

import orjson

from tests.oracle import identities as ids

TYPES = frozenset({"track", "page", "screen", "identify", "group", "alias"})
RFC3339 = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:([Zz])|([+-])(\d\d):(\d\d))")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
network, ip_address = cache(ipaddress.ip_network), lru_cache(10_000)(ipaddress.ip_address)
YEAR_2000 = 946_684_800_000
TIMES = ("receivedAt", "timestamp", "sentAt", "originalTimestamp")
STAGE_EVENT = "Lead Stage Changed"


class DeadLetterError(Exception):
    """This line cannot be processed; the argument is the reason."""


@dataclass
class Event:
    """One accepted line."""

    line: int
    key: str
    links: list[str]
    type: str
    t: int
    r: int
    message: str
    body: dict[str, Any]
    context: dict[str, Any]
    traits: dict[str, Any]
    bot: bool
    echo: bool
    crm_stage: str | None
    company: dict[str, Any] | None = None
    email_kind: str | None = None
    phone_kind: str | None = None
    group: str | None = None
    # What the rules say of it, filled in when it is applied.
    behaviour: str | None = None
    intent: str | None = None
    journey: str | None = None
    points: float = 0.0
    half_life: float = 1.0
    timing: float = 0.0
    tags: list[tuple[str, float, float]] = field(default_factory=list)


def instant(raw: Any) -> int:
    """Return milliseconds of an RFC 3339 instant with offset; decimals are cut."""
    found = RFC3339.fullmatch(raw) if isinstance(raw, str) and raw.isascii() else None
    if found is None:
        raise DeadLetterError("bad_timestamp")
    parts = [int(part) for part in found.groups()[:6]]
    hours, minutes = int(found[10] or 0), int(found[11] or 0)
    if hours > 23 or minutes > 59:
        raise DeadLetterError("bad_timestamp")
    offset = timedelta(hours=hours, minutes=minutes) * (-1 if found[9] == "-" else 1)
    try:
        moment = datetime(parts[0], parts[1], parts[2], parts[3], parts[4], parts[5], tzinfo=UTC)
    except ValueError:
        raise DeadLetterError("bad_timestamp") from None
    fraction = int(((found[7] or "") + "000")[:3])
    return (moment - EPOCH) // timedelta(milliseconds=1) - offset // timedelta(milliseconds=1) + fraction


def times(event: dict[str, Any], before: int | None) -> tuple[int, int]:
    """Return (event time, receive time) of a line that follows one received at `before`."""
    given = {name: event.get(name) for name in TIMES}
    received = next((value for value in given.values() if value is not None), None)
    if received is not None:
        r = instant(received)
    elif before is not None:
        r = before
    else:
        raise DeadLetterError("bad_timestamp")
    if given["timestamp"] is not None:
        t = instant(given["timestamp"])
    elif given["originalTimestamp"] is not None:
        t = instant(given["originalTimestamp"])
        if given["sentAt"] is not None:
            t = r - (instant(given["sentAt"]) - t)
    else:
        t = r
    if min(t, r) < YEAR_2000:
        raise DeadLetterError("bad_timestamp")
    return min(t, r), r


def echo_times(event: dict[str, Any], before: int | None) -> tuple[int, int]:
    """Return the times of an echo of ours, which is never a dead letter."""
    given = (event.get(name) for name in TIMES)
    received = next((value for value in given if value is not None), None)
    try:
        r = before or 0 if received is None else instant(received)
    except DeadLetterError:
        r = before or 0
    return r, r


def depth(value: Any) -> int:
    """Return how deep containers nest: a scalar 0, the root object 1."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max((depth(one) for one in inner), default=0)


def members(value: Any) -> int:
    """Return the number of object members at any depth."""
    if isinstance(value, dict):
        return len(value) + sum(members(one) for one in value.values())
    return sum(members(one) for one in value) if isinstance(value, list) else 0


def is_bot(agent: Any) -> bool:
    """Tell whether a user agent is that of a crawler (the few that journeys use)."""
    return isinstance(agent, str) and ("Googlebot" in agent or "bingbot" in agent)


def is_stage_event(body: dict[str, Any]) -> bool:
    """Tell whether this is a CRM's word on a stage."""
    return (body["type"], body.get("event")) == ("track", STAGE_EVENT)


def is_echo(body: dict[str, Any]) -> bool:
    """Tell whether this is our own stage change coming back."""
    return is_stage_event(body) and (body.get("properties") or {}).get("changedBy") == "leadstream"


def decoded(line: bytes) -> dict[str, Any]:
    """Return the object on a line, within its limits."""
    if len(line) > 262_144:
        raise DeadLetterError("too_large")
    try:
        body = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise DeadLetterError("not_json") from None
    if depth(body) > 32:
        raise DeadLetterError("too_large")
    if not isinstance(body, dict):
        raise DeadLetterError("not_an_object")
    if members(body) > 1000:
        raise DeadLetterError("too_large")
    return body


def check_shape(body: dict[str, Any], stages: set[str]) -> None:
    """Raise for a wrong shape."""
    kind = body.get("type")
    event = body.get("event")
    good = isinstance(kind, str) and (kind != "track" or (isinstance(event, str) and event != ""))
    good = good and all(is_id(body.get(n)) for n in ("userId", "anonymousId", "previousId", "groupId"))
    good = good and all(is_table(body.get(n)) for n in ("properties", "traits", "context"))
    context = (body.get("context") or {}) if good else {}
    good = good and all(is_table(context.get(n)) for n in ("page", "campaign", "traits"))
    outside = context.get("externalIds")
    good = good and (outside is None or (isinstance(outside, list) and all(isinstance(one, dict) for one in outside)))
    good = good and all(is_id(one.get("id")) for one in outside or [])
    good = good and isinstance(body.get("messageId"), str | None)
    if good and is_stage_event(body) and not is_echo(body):
        stage = (body.get("properties") or {}).get("stage")
        good = isinstance(stage, str) and stage in stages
    if not good:
        raise DeadLetterError("schema_violation")


def is_id(value: Any) -> bool:
    """Tell whether an id has a shape: string, number or null."""
    return value is None or (isinstance(value, str | int | float) and not isinstance(value, bool))


def is_table(value: Any) -> bool:
    """Tell whether a member is an object or null."""
    return isinstance(value, dict | None)


def read(line: bytes, number: int, before: int | None, stages: set[str], ranges: list[dict[str, Any]]) -> Event:
    """Return the event on a line; raise DeadLetterError with the reason why it is none."""
    body = decoded(line)
    check_shape(body, stages)
    if body["type"] not in TYPES:
        raise DeadLetterError("unknown_type")
    keyed = ids.identities(body) or ([""] if is_echo(body) else [])
    if not keyed:
        raise DeadLetterError("no_identity")
    t, r = echo_times(body, before) if is_echo(body) else times(body, before)
    context = body.get("context") or {}
    own_time = any(body.get(name) is not None for name in ("timestamp", "originalTimestamp"))
    bot = is_bot(context.get("userAgent"))
    event = Event(
        line=number,
        key=keyed[0],
        links=[] if bot else ids.links(body, keyed),
        type=body["type"],
        t=t,
        r=r,
        message=ids.message_hash(body, r, own_time=own_time),
        body=body,
        context=context,
        traits={} if bot else ids.own_traits(body),
        bot=bot,
        echo=is_echo(body),
        crm_stage=body["properties"]["stage"] if is_stage_event(body) and not is_echo(body) else None,
        group=ids.cleaned(body.get("groupId")) if body["type"] == "group" and not bot else None,
        company=None if bot else company(context.get("ip"), ranges),
    )
    event.email_kind, event.phone_kind = kinds(event.traits, keyed)
    return event


def kinds(traits: dict[str, Any], nodes: list[str]) -> tuple[str | None, str | None]:
    """Return (email kind, phone kind): of the traits, else of the newest identity of that kind."""
    address = ids.mail_address(traits.get("email"))
    mails = [ids.value_of(n) for n in nodes if ids.kind_of(n) == "email"]
    if address is None and mails:
        address = mails[-1]
    phones = [ids.value_of(n) for n in nodes if ids.kind_of(n) == "phone"]
    told = traits.get("phone")
    if told is None and phones:
        told = phones[-1]
    phone = ids.phone_number(told)[1] if told is not None else None
    return (ids.email_kind(address) if address else None), phone


def company(raw: Any, ranges: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the row with the longest prefix that holds an address."""
    if not isinstance(raw, str):
        return None
    text = raw.split(",")[0].strip()
    bracketed = re.fullmatch(r"\[([^\]]*)\](?::\d+)?", text)
    if bracketed:
        text = bracketed[1]
    elif text.count(":") == 1:
        text = text.split(":")[0]
    try:
        address = ip_address(text.split("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    fitting = [row for row in ranges if address in network(row["network"])]
    return max(fitting, key=lambda row: network(row["network"]).prefixlen, default=None)
