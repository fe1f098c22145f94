"""What a CRM told of a lead: its owner, deals and orders, over all that its members did (section 10 of the contract)."""

# Decided: a text is cut at 256 characters; a currency is three letters, else XXX; no owner at all is no word; a sum that no
# double holds stops at the largest.

import sys
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any

from tests.oracle import identities as ids
from tests.oracle.people import Person
from tests.oracle.reading import Event

LONGEST = 256
LARGEST = sys.float_info.max
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def told(person: Person) -> dict[str, Any]:
    """Return `owner` and `outcomes` of a lead's document."""
    tracks = sorted((event for event in person.deeds() if event.type == "track"), key=lambda event: (event.t, event.line))
    owner, won, lost = None, None, None
    orders: dict[str, Event] = {}
    for event in tracks:
        properties = event.body.get("properties") or {}
        match event.body["event"]:
            case "Owner Changed" if is_word(properties):
                owner = text(properties["owner"])
            case "Deal Won":
                won = deal(event, properties)
            case "Deal Lost":
                lost = deal(event, properties)
            case "Order Completed":
                orders[order_id(properties) or f"message {event.message}"] = event
    return {"owner": owner, "outcomes": {"won": won, "lost": lost, "orders": summed(list(orders.values()))}}


def instant(ms: int) -> str:
    """Return RFC 3339 UTC with milliseconds."""
    return (EPOCH + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def is_word(properties: dict[str, Any]) -> bool:
    """Tell whether an event names an owner, or nobody."""
    owner = properties.get("owner", False)
    return owner is None or (isinstance(owner, str | int | float) and not isinstance(owner, bool))


def text(value: Any) -> str | None:
    """Return what is kept of a text or a number."""
    if value is None or isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    written = value if isinstance(value, str) else ids.number(value)
    return written.strip()[:LONGEST] or None


def order_id(properties: dict[str, Any]) -> str | None:
    """Return the id of an order, if it has one."""
    given = properties.get("order_id")
    return ids.cleaned(given) if isinstance(given, str | int | float) else None


def number(value: Any) -> float | None:
    """Return a finite number."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) else None


def currency(value: Any) -> str | None:
    """Return a code of three letters."""
    code = value.strip().upper() if isinstance(value, str) else ""
    return code if len(code) == 3 and all("A" <= letter <= "Z" for letter in code) else None


def deal(event: Event, properties: dict[str, Any]) -> dict[str, Any]:
    """Return a deal as it is shown."""
    amount, code = number(properties.get("amount")), currency(properties.get("currency"))
    return {"at": instant(event.t), "amount": amount, "currency": code, "reason": text(properties.get("reason"))}


def summed(orders: list[Event]) -> dict[str, Any]:
    """Return how many orders there are, the newest, and their sums."""
    sums: dict[str, dict[str, Any]] = {}
    for event in orders:
        properties = event.body.get("properties") or {}
        one = sums.setdefault(currency(properties.get("currency")) or "XXX", {"count": 0, "total": 0.0})
        one["count"] += 1
        one["total"] = max(-LARGEST, min(LARGEST, one["total"] + (number(properties.get("total")) or 0.0)))
    last = max((event.t for event in orders), default=None)
    return {"count": len(orders), "lastAt": None if last is None else instant(last), "currencies": sums}
