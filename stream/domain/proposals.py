"""Networks that may be a company's: several of its people, known by its e-mail domain, were seen in them. A person decides."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from stream.domain.event import Company

PEOPLE = 3
SHARE = 0.8
SHARED = frozenset({"hosting", "vpn", "mobile"})
"""Kinds of networks that belong to nobody who uses them: colleagues meet there by their provider."""


@dataclass(slots=True)
class Seen:
    """Somebody in a network: how many events, from when until when (ms)."""

    events: int
    since: int
    until: int

    def add(self, t: int) -> None:
        """Count one more event."""
        self.events += 1
        self.since, self.until = min(self.since, t), max(self.until, t)


@dataclass(slots=True)
class Network:
    """Who was seen in a network, by lead id, and what the look-up files last said of an address in it."""

    people: dict[str, Seen] = field(default_factory=dict)
    company: Company | None = None
    company_t: int = -1

    def add(self, lead: str, t: int, company: Company | None) -> None:
        """Take in an event of a lead."""
        seen = self.people.get(lead)
        if seen is None:
            self.people[lead] = Seen(1, t, t)
        else:
            seen.add(t)
        if t >= self.company_t:
            self.company, self.company_t = company, t


@dataclass(frozen=True, slots=True)
class Proposal:
    """A network for the ranges file, with its evidence: people of the domain, people of other ones, events, since and until."""

    network: str
    name: str
    domain: str
    people: int
    others: int
    events: int
    since: int
    until: int
    company: Company | None


def propose(
    networks: Mapping[str, Network], employers: Mapping[str, tuple[str, str]], people: int = PEOPLE, share: float = SHARE
) -> list[Proposal]:
    """Return a proposal for each network in which enough people of one company, and few of others, were seen.

    Args:
        networks: who was seen, by CIDR.
        employers: the e-mail domain and the name of the company of each lead that has a business address.
        people: how many of one domain are enough.
        share: how many of those with a business address must be of that domain.
    """
    found = (_proposal(cidr, network, employers, people, share) for cidr, network in networks.items())
    return sorted((one for one in found if one is not None), key=lambda one: (-one.people, -one.events, one.network))


def _proposal(
    cidr: str, network: Network, employers: Mapping[str, tuple[str, str]], people: int, share: float
) -> Proposal | None:  # fmt: skip
    if network.company is not None and (network.company.kind in SHARED or network.company.source == "ranges"):
        return None
    by_domain: dict[str, list[str]] = {}
    for lead in network.people:
        if lead in employers:
            by_domain.setdefault(employers[lead][0], []).append(lead)
    if not by_domain:
        return None
    domain, theirs = max(by_domain.items(), key=lambda one: (len(one[1]), one[0]))
    known = sum(map(len, by_domain.values()))
    if len(theirs) < people or len(theirs) < share * known or _is_known(network.company, domain):
        return None
    seen = [network.people[lead] for lead in theirs]
    return Proposal(
        network=cidr,
        name=_name(domain, [employers[lead][1] for lead in theirs]),
        domain=domain,
        people=len(theirs),
        others=known - len(theirs),
        events=sum(each.events for each in seen),
        since=min(each.since for each in seen),
        until=max(each.until for each in seen),
        company=network.company,
    )


def _is_known(company: Company | None, domain: str) -> bool:
    return company is not None and company.kind == "business" and company.domain.lower() == domain


def _name(domain: str, names: list[str]) -> str:
    """Return the name that most of them have beside the domain itself, the first in the alphabet among equals."""
    told = sorted(name for name in names if name and name != domain)
    return max(told, key=told.count, default=domain)
