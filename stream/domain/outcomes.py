"""What the CRM told of an identity: its owner, deals won and lost, orders, and the newest move of a stage.

All settles by the CRM's own time: the newest counts, among equal times the later applied. It is kept for each identity, and a
person's is what its members were told together, so that it stays exact through a merge and its undoing.
"""

import sys
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from math import isfinite
from typing import Any, Final, TypeVar

import msgspec

from stream.domain.event import Event
from stream.domain.ids import id_of, text_of
from stream.domain.instants import write as to_text

STAGE: Final = "Lead Stage Changed"
WON: Final = "Deal Won"
LOST: Final = "Deal Lost"
ORDER: Final = "Order Completed"
OWNER: Final = "Owner Changed"
NAMES: Final = frozenset({STAGE, WON, LOST, ORDER, OWNER})
ORDERS: Final = 64
"""How many orders of an identity are remembered one by one, the newest; one of these that is told again changes its sum."""
CURRENCIES: Final = 32
NO_CURRENCY: Final = "XXX"
"""Of ISO 4217."""
LONGEST: Final = 256
"""Characters of a text that are kept."""
LARGEST: Final = sys.float_info.max
"""What a sum of orders stops at: JSON has no infinity."""


class Owner(msgspec.Struct, array_like=True, gc=False):
    """Who owns the lead in the CRM since `t` (ms); None: nobody. A stamp is a place in the `people` log."""

    name: str | None
    t: int
    stamp: int = 0


class Deal(msgspec.Struct, array_like=True, gc=False):
    """A deal won or lost at `t` (ms)."""

    t: int
    amount: float | None = None
    currency: str | None = None
    reason: str | None = None
    stamp: int = 0


class Order(msgspec.Struct, array_like=True, gc=False):
    """An order completed at `t` (ms)."""

    t: int
    total: float = 0.0
    currency: str = NO_CURRENCY
    stamp: int = 0


class Moved(msgspec.Struct, array_like=True, gc=False):
    """The newest move that the CRM made: its stage, when, and when that was received (ms)."""

    stage: str
    t: int
    r: int
    stamp: int = 0


class Sum(msgspec.Struct, array_like=True, gc=False):
    """How many orders of one currency, and what they come to."""

    count: int = 0
    total: float = 0.0


class Outcomes(msgspec.Struct, array_like=True, gc=False):
    """All that the CRM told of an identity. `orders` are the newest, by a hash of their id; `earlier` sums up the others."""

    owner: Owner | None = None
    won: Deal | None = None
    lost: Deal | None = None
    moved: Moved | None = None
    orders: dict[str, Order] = {}
    earlier: dict[str, Sum] = {}


Told = TypeVar("Told", Owner, Deal, Order, Moved)


def tell(known: Outcomes | None, event: Event) -> Outcomes:
    """Remember what an event of the CRM says; an order without an id goes by its messageId. Returns what is known then."""
    known, name, told, t = known or Outcomes(), event.event, event.properties, event.t
    if name == OWNER:
        if "owner" in told and (told["owner"] is None or text_of(told["owner"]) is not None):
            known.owner = newer(known.owner, Owner(text(told["owner"]), t))
    elif name == WON:
        known.won = newer(known.won, _deal(told, t))
    elif name == LOST:
        known.lost = newer(known.lost, _deal(told, t))
    elif name == ORDER:
        _order(known, told, t, event.message)
    elif event.crm_stage is not None:
        known.moved = newer(known.moved, Moved(event.crm_stage, t, event.r))
    return known


def newer(known: Told | None, told: Told) -> Told:
    """Return what counts of two: the newer, the later applied among equals."""
    return told if known is None or (told.t, told.stamp) >= (known.t, known.stamp) else known


def text(value: object) -> str | None:
    """Return a text that is worth keeping, trimmed."""
    return ((text_of(value) or "").strip()[:LONGEST]) or None


def _deal(told: Mapping[str, Any], t: int) -> Deal:
    return Deal(t, _number(told.get("amount")), _currency(told.get("currency")), text(told.get("reason")))


def _order(known: Outcomes, told: Mapping[str, Any], t: int, message: bytes) -> None:
    id_ = id_of(told.get("order_id"))
    key = message.hex() if id_ is None else blake2b(id_.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    total, currency = _number(told.get("total")), _currency(told.get("currency"))
    known.orders[key] = newer(known.orders.get(key), Order(t, total or 0.0, currency or NO_CURRENCY))
    while len(known.orders) > ORDERS:
        oldest = min(known.orders, key=lambda one: known.orders[one].t)
        _add(known.earlier, known.orders.pop(oldest))


def _add(sums: dict[str, Sum], order: Order) -> None:
    name = order.currency if order.currency in sums or len(sums) < CURRENCIES else NO_CURRENCY
    of_currency = sums.setdefault(name, Sum())
    of_currency.count += 1
    of_currency.total = _finite(of_currency.total + order.total)


def _finite(total: float) -> float:
    return max(-LARGEST, min(LARGEST, total))


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return None
    return float(value)


def _currency(value: object) -> str | None:
    code = value.strip().upper() if isinstance(value, str) else ""
    return code if len(code) == 3 and code.isascii() and code.isalpha() else None


def stamp(new: Outcomes, old: Outcomes | None, here: int) -> None:
    """Give what an identity is told anew its place in the `people` log."""
    old = old or Outcomes()
    pairs: list[tuple[Any, Any]] = [(new.owner, old.owner), (new.won, old.won), (new.lost, old.lost), (new.moved, old.moved)]
    pairs += [(order, old.orders.get(key)) for key, order in new.orders.items()]
    for now, before in pairs:
        if now is not None:
            same = before is not None and msgspec.structs.replace(before, stamp=now.stamp) == now
            now.stamp = before.stamp if same else here


def together(parts: Iterable[Outcomes | None]) -> Outcomes:
    """Return what the members of a person were told; an order that two of them were told of counts once."""
    all_ = Outcomes()
    for part in parts:
        if part is None:
            continue
        for name in ("owner", "won", "lost", "moved"):
            told = getattr(part, name)
            if told is not None:
                setattr(all_, name, newer(getattr(all_, name), told))
        for key, order in part.orders.items():
            all_.orders[key] = newer(all_.orders.get(key), order)
        for currency, sum_ in part.earlier.items():
            known = all_.earlier.setdefault(currency, Sum())
            known.count, known.total = known.count + sum_.count, _finite(known.total + sum_.total)
    return all_


def owner_of(told: Outcomes) -> str | None:
    """Return who owns the lead."""
    return told.owner.name if told.owner is not None else None


def document(told: Outcomes) -> dict[str, Any]:
    """Return the outcomes as a lead document shows them."""
    sums = {currency: Sum(one.count, _finite(one.total)) for currency, one in told.earlier.items()}
    for order in told.orders.values():
        _add(sums, order)
    last = max((order.t for order in told.orders.values()), default=None)
    return {
        "won": _shown(told.won),
        "lost": _shown(told.lost),
        "orders": {
            "count": sum(one.count for one in sums.values()),
            "lastAt": None if last is None else to_text(last),
            "currencies": {name: {"count": one.count, "total": one.total} for name, one in sorted(sums.items())},
        },
    }


def _shown(deal: Deal | None) -> dict[str, Any] | None:
    if deal is None:
        return None
    return {"at": to_text(deal.t), "amount": deal.amount, "currency": deal.currency, "reason": deal.reason}
