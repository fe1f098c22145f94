"""From which networks the people of which companies came lately, as `events` still holds it: nothing is kept for it."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from schemas.event import Rejected, decode, identities
from schemas.event_times import happened_at, received_at
from stream.collected import Headers, told_company
from stream.domain.event import Company
from stream.domain.ids import kind_of, value_of
from stream.domain.instants import BadInstant
from stream.domain.proposals import Network
from stream.lookups.addresses import parse
from stream.lookups.domains import domain_of
from stream.lookups.networks import shown


class Names(Protocol):
    """What the files know of addresses, robots and mailboxes."""

    def company(self, ip: str, /) -> Company | None:
        """Return who holds the address."""

    def is_bot(self, user_agent: str | None, /) -> bool:
        """Tell whether a crawler calls itself so."""

    def email_kind(self, address: str, /) -> str | None:
        """Return role, disposable, free or business."""


class Sightings:
    """Gathers who was seen in which network.

    Args:
        names: the look-up files.
        leads: the lead of every identity that belongs to one.
        phone_region: the country of telephone numbers that name none.
    """

    def __init__(self, names: Names, leads: Mapping[str, str], phone_region: str | None) -> None:
        self._names, self._leads, self._phone_region = names, leads, phone_region
        self.networks: dict[str, Network] = {}
        self.read = self.addressed = 0

    def take(self, value: bytes | None, timestamp_ms: int, headers: Headers) -> None:
        """Take in an event as it was received; one of nobody's, or without an address, says nothing."""
        self.read += 1
        raw = decode(value)
        if isinstance(raw, Rejected) or raw.context is None or raw.context.ip is None:
            return
        packed = parse(raw.context.ip)
        if packed is None or self._names.is_bot(raw.context.user_agent):
            return
        self.addressed += 1
        nodes = identities(raw, self._phone_region)
        lead = self._leads.get(nodes[0]) if nodes else None
        if lead is None:
            return
        try:
            t = happened_at(raw, received_at(raw, timestamp_ms))
        except BadInstant:
            return
        told = told_company(headers)
        company = told[0] if told else self._names.company(raw.context.ip)
        network = shown(packed, len(packed) * 8)
        self.networks.setdefault(network, Network()).add(lead, t, company)


def identities_of(leads: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the lead of every identity, from leads' documents."""
    return {node: lead["id"] for lead in leads for node in lead["members"]}


def employers_of(leads: Iterable[Mapping[str, Any]], names: Names) -> dict[str, tuple[str, str]]:
    """Return the e-mail domain and the company's name of every lead with a business address; of several, that of its account."""
    found = {}
    for lead in leads:
        mails = (value_of(node) for node in lead["members"] if kind_of(node) == "email")
        named = {mail.rpartition("@")[2] for mail in mails if names.email_kind(mail) == "business"}
        domains = sorted(
            domain for domain in named if "." in domain and domain_of(domain) == domain
        )  # a ranges file takes no other
        account = lead["account"] or {}
        if domains:
            domain = account["domain"] if account.get("domain") in domains else domains[0]
            found[lead["id"]] = domain, account["name"] if account.get("domain") == domain else domain
    return found
