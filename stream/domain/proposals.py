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
    """Who was seen in a network, by lead id, and all that the look-up files said of addresses in it, with when last (ms)."""

    people: dict[str, Seen] = field(default_factory=dict)
    answers: dict[tuple[str, ...], tuple[int, Company]] = field(default_factory=dict)

    def add(self, lead: str, t: int, company: Company | None) -> None:
        """Take in an event of a lead."""
        seen = self.people.get(lead)
        if seen is None:
            self.people[lead] = Seen(1, t, t)
        else:
            seen.add(t)
        if company is not None:
            told = company.name, company.domain, company.kind, company.source
            if told not in self.answers or t >= self.answers[told][0]:
                self.answers[told] = t, company

    @property
    def companies(self) -> list[Company]:
        """Return whom the files named, the one named last first."""
        return [company for _, company in sorted(self.answers.values(), key=lambda one: -one[0])]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A network for the ranges file, with its evidence: people of the domain, people of other ones, events, since and until.

    `company` is whom the files last named of an address in it, `also` are the others they named.
    """

    network: str
    name: str
    domain: str
    people: int
    others: int
    events: int
    since: int
    until: int
    company: Company | None
    also: tuple[Company, ...] = ()


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
    companies = network.companies
    if any(company.kind in SHARED or company.source == "ranges" for company in companies):
        return None
    by_domain: dict[str, list[str]] = {}
    for lead in network.people:
        if lead in employers:
            by_domain.setdefault(employers[lead][0], []).append(lead)
    if not by_domain:
        return None
    domain, theirs = max(by_domain.items(), key=lambda one: (len(one[1]), one[0]))
    known = sum(map(len, by_domain.values()))
    if len(theirs) < people or len(theirs) < share * known or any(_is(company, domain) for company in companies):
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
        company=companies[0] if companies else None,
        also=tuple(companies[1:]),
    )


def _is(company: Company, domain: str) -> bool:
    return company.kind == "business" and company.domain.lower() == domain


def _name(domain: str, names: list[str]) -> str:
    """Return the name that most of them have beside the domain itself, the first in the alphabet among equals."""
    told = sorted(name for name in names if name and name != domain)
    return max(told, key=told.count, default=domain)
