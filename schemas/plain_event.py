"""The event as nearly all come, read from its bytes in one step: half the price of reading JSON first.

It accepts a part of what `schemas.event` accepts and reads the same values. What a reader passes over it does not check, so
nothing is passed over: every member is one that the usual clients send, and nests no deeper than they do.
"""

from typing import Annotated, Final, Literal

import msgspec

from schemas.raw_event import RawContext, RawEvent, RawExternalId, RawPage

MAX_BYTES: Final = 5_000
"""What is no larger has at most 1,000 members: one takes five bytes at least, `"":0,`."""

Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""orjson makes a float of what has more than 64 bits."""
Leaf = str | Whole | float | bool | None
Flat = Leaf | list[Leaf] | dict[str, Leaf]
Free = Leaf | list[Flat] | dict[str, Flat]
Id = str | Whole | float | None


class PlainExternalId(RawExternalId, frozen=True, gc=False, forbid_unknown_fields=True):
    """One of `context.externalIds`."""

    id: Id = None
    collection: Leaf = None
    encoding: Leaf = None


class PlainPage(RawPage, frozen=True, gc=False, forbid_unknown_fields=True):
    """`context.page`."""

    initial_referrer: Leaf = None
    initial_referring_domain: Leaf = None
    referring_domain: Leaf = None
    tab_url: Leaf = None


class PlainContext(RawContext, frozen=True, rename="camel", gc=False, forbid_unknown_fields=True):
    """`context`."""

    page: PlainPage | None = None
    campaign: dict[str, Free] | None = None
    traits: dict[str, Free] | None = None
    group_id: Id = None
    external_ids: list[PlainExternalId] | None = None  # type: ignore[assignment]  # nobody adds to it
    active: Leaf = None
    app: Free = None
    client_hints: Free = msgspec.field(name="ua-ch", default=None)
    device: Free = None
    library: Free = None
    locale: Leaf = None
    location: Free = None
    network: Free = None
    os: Free = None
    referrer: Free = None
    screen: Free = None
    session_id: Leaf = None
    session_start: Leaf = None
    timezone: Leaf = None
    user_agent_data: Free = None


class PlainEvent(RawEvent, frozen=True, rename="camel", gc=False, forbid_unknown_fields=True):
    """An event whose every member is known."""

    type: Literal["track", "page", "screen", "identify", "group", "alias"]
    anonymous_id: Id = None
    user_id: Id = None
    previous_id: Id = None
    group_id: Id = None
    properties: dict[str, Free] | None = None
    traits: dict[str, Free] | None = None
    context: PlainContext | None = None
    category: Leaf = None
    channel: Leaf = None
    integrations: Free = None
    metadata: Free = msgspec.field(name="_metadata", default=None)
    name: Leaf = None
    project_id: Leaf = None
    rudder_id: Leaf = None
    version: Leaf = None
    write_key: Leaf = None


_decode = msgspec.json.Decoder(PlainEvent).decode


def read_plain(value: bytes) -> PlainEvent | None:
    """Return the event; None: it is none of these, and somebody else has to look.

    >>> read_plain(b'{"type":"page","anonymousId":"9f2c"}').anonymous_id
    '9f2c'
    >>> read_plain(b'{"type":"page","anonymousId":"9f2c","basket":[]}') is None
    True
    """
    if len(value) > MAX_BYTES:
        return None
    try:
        return _decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
