"""Which source identities an event carries, and in which order they may be its key."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final

from schemas import phone
from schemas.raw_event import RawEvent, RawExternalId
from stream.domain.ids import (
    KINDS,
    LONGEST_ID,
    NEEDS_SCOPE,
    NO_IDENTITY,
    UNSCOPED,
    class_of,
    email_of,
    id_of,
    node_of,
)

_USUAL_LENGTH: Final = 64
_SAY_NO_MORE: Final = frozenset({"page", "track", "screen", "group"})
"""Types of events that carry no identity beside their own ids."""


def identities(raw: RawEvent, phone_region: str | None = None) -> list[str]:
    """Return the nodes of the event in key order, each once; the first is its key. `alias`'s previousId is never alone.

    `phone_region` is the country of telephone numbers that name none.
    """
    cookie = _plain("anon", raw.anonymous_id)
    if raw.user_id is None and raw.type in _SAY_NO_MORE and (raw.context is None or not raw.context.external_ids):
        return [*cookie]
    user = () if raw.user_id is None else _plain("user", raw.user_id)
    if raw.context is not None and raw.context.external_ids:
        external = _by_class(raw.context.external_ids, phone_region)
        nodes = [*user, *external["A"], *external["lead"], *external["B"], *cookie, *external["C"]]
    else:
        nodes = [*user, *cookie]
    if raw.type == "identify":
        nodes += _typed(raw, phone_region)
    elif raw.type == "alias" and nodes:
        nodes += _plain("anon", raw.previous_id)
    return nodes if len(nodes) < 2 else list(dict.fromkeys(nodes))


def value_in(kind: str, value: object, phone_region: str | None) -> str | None:
    """Return an id as its kind writes it; None where it does not exist."""
    if kind == "email":
        return email_of(value)
    text = id_of(value)
    return phone.parse(text, phone_region)[0] if text is not None and kind == "phone" else text


def _plain(kind: str, value: object) -> tuple[str, ...]:
    return _remembered(kind, value) if isinstance(value, str) and len(value) <= _USUAL_LENGTH else _node(kind, value)


def _node(kind: str, value: object) -> tuple[str, ...]:
    text = id_of(value)
    return () if text is None else (f"{kind}::{text}",)


_remembered = lru_cache(maxsize=16_384)(_node)
"""A visit has several events."""


def _by_class(entries: Iterable[RawExternalId], phone_region: str | None) -> Mapping[str, list[str]]:
    """Return the nodes of `context.externalIds` by class, each class as listed."""
    nodes: defaultdict[str, list[str]] = defaultdict(list)
    for entry in entries:
        node = _external_node(entry, phone_region)
        if node is not None:
            nodes[class_of(kind_in(entry))].append(node)
    return nodes


def kind_in(entry: RawExternalId) -> str:
    """Return the kind that an external id's type names."""
    return KINDS.get(entry.type or "", entry.type or "")


def _external_node(entry: RawExternalId, phone_region: str | None) -> str | None:
    return node_in(kind_in(entry), (entry.scope or "").strip(), entry.id, phone_region)


def node_in(kind: str, scope: str, told: object, phone_region: str | None) -> str | None:
    """Return the node of an id as somebody told it; None where it does not exist."""
    return None if kind.lower() in NO_IDENTITY else any_node_in(kind, scope, told, phone_region)


def any_node_in(kind: str, scope: str, told: object, phone_region: str | None) -> str | None:
    """Return `node_in`, also of a kind that is no identity: earlier releases took those, and have rows of them."""
    if not kind or ":" in kind or ":" in scope or len(kind) + len(scope) > LONGEST_ID:
        return None
    if kind in NEEDS_SCOPE and not scope:
        return None
    value = value_in(kind, told, phone_region)
    return None if value is None else node_of(kind, value, "" if kind in UNSCOPED else scope)


def _typed(raw: RawEvent, phone_region: str | None) -> Iterator[str]:
    """Yield what a person typed: `traits.email`, `traits.phone`, then those of `context.traits`."""
    for traits in (raw.traits, raw.context.traits if raw.context else None):
        for kind in ("email", "phone"):
            value = value_in(kind, traits.get(kind), phone_region) if traits else None
            if value is not None:
                yield node_of(kind, value)
