"""The event as it came, narrow: the fields the product reads, each of its type or absent.

A tree of JSON has no cycles, so the garbage collector need not look at it (`gc=False`).
"""

from typing import Any

import msgspec

Id = str | int | float | None


class RawExternalId(msgspec.Struct, frozen=True, gc=False):
    """One of `context.externalIds`."""

    type: str | None = None
    id: Id = None
    scope: str | None = None


class RawPage(msgspec.Struct, frozen=True, gc=False):
    """`context.page`."""

    url: str | None = None
    path: str | None = None
    referrer: str | None = None
    title: str | None = None
    search: str | None = None


class RawContext(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """`context`."""

    ip: str | None = None
    user_agent: str | None = None
    page: RawPage | None = None
    campaign: dict[str, Any] | None = None
    traits: dict[str, Any] | None = None
    channel: str | None = None
    group_id: Id = None
    external_ids: list[RawExternalId] | None = None


class RawEvent(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """What `schemas.event.decode` accepts. Ids and times are as sent; `group` may name an account without being one."""

    type: str
    event: str | None = None
    message_id: str | None = None
    anonymous_id: Id = None
    user_id: Id = None
    previous_id: Id = None
    group_id: Id = None
    properties: dict[str, Any] | None = None
    traits: dict[str, Any] | None = None
    context: RawContext | None = None
    timestamp: str | None = None
    sent_at: str | None = None
    original_timestamp: str | None = None
    received_at: str | None = None
