"""One event as the rules see it: normalised, timed, and told all that look-up files say about it.

None of these can be part of a cycle, so the garbage collector need not look at them (`gc=False`).
"""

from typing import Any

import msgspec


class Company(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Who holds an address: the answer of the first look-up source that names an organisation.

    `confidence` is 0..1, `network` the matched CIDR (of a single address its /24, IPv6 /48), `as_of` the source's date
    (RFC 3339 or empty), `columns` the further columns of a ranges file.
    """

    name: str
    domain: str
    kind: str
    confidence: float
    source: str
    network: str
    as_of: str
    columns: dict[str, str] = {}

    def get(self, column: str) -> str | float | None:
        """Return a member or a ranges column by name; None where there is none or it is empty."""
        value = getattr(self, column) if column in _COMPANY_MEMBERS else self.columns.get(column)
        return value if value != "" else None


_COMPANY_MEMBERS = frozenset({"name", "domain", "kind", "confidence", "source", "network", "as_of"})


class Link(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Another identity that an event carries, with what the word lists say of it (`email_kind` or `phone_kind`, or "")."""

    node: str
    kind: str = ""


class Group(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The account a `group` call names, with its traits by leaf path."""

    id: str
    traits: dict[str, Any] = {}


class Event(msgspec.Struct, array_like=True, gc=False):
    """One accepted event; first what nearly every one tells.

    Times are integer milliseconds UTC: `t` when it happened, `r` when it was received (t <= r).
    `node` is the key identity (`kind:scope:value`), `links` every other identity it carries, in key order.
    `message` is the six-byte hash of its messageId.
    `traits` are leaf paths without the prefix (`company.industry`), null = delete; on `identify` `traits` before
    `context.traits`. A `group` has traits where a `group` event names it.
    `browser`: nobody but a browser vouches for it.
    `crm_stage` is set on a CRM's "Lead Stage Changed"; `echo` when that is our own coming back.
    """

    node: str
    type: str
    t: int
    r: int
    message: bytes
    event: str | None = None
    properties: dict[str, Any] = {}
    campaign: dict[str, Any] = {}
    title: str | None = None
    search: str | None = None
    url: str | None = None
    channel: str | None = None
    referrer: str | None = None
    company: Company | None = None
    bot: bool = False
    node_kind: str = ""
    links: tuple[Link, ...] = ()
    traits: dict[str, Any] = {}
    group: Group | None = None
    email_kind: str | None = None
    phone_kind: str | None = None
    trait_email_kind: str | None = None
    trait_phone_kind: str | None = None
    crm_stage: str | None = None
    echo: bool = False
    browser: bool = False
