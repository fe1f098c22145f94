"""Networks that several people with one business e-mail domain share: what is proposed, on which evidence, and what is not."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest

from stream.cli.report_networks import evidence, lines
from stream.collected import company_header
from stream.domain.event import Company
from stream.domain.proposals import Network, Proposal, propose
from stream.lookups import Lookups
from stream.lookups.ranges import read_companies, read_ranges
from stream.ops.sightings import Sightings, employers_of, identities_of

NET = "203.0.113.0/24"
DAY = 86_400_000
ISP = Company("China Telecom", "", "isp", 0.3, "asn", "203.0.0.0/16", "")


def other(**changed: str) -> Company:
    return msgspec.structs.replace(ISP, **changed)


ACME = ("acme.example", "Acme")
HERE = dict.fromkeys(["l1", "l2", "l3"], ACME)


def network(*people: str, company: Company | None = None) -> dict[str, Network]:
    found = Network()
    for day, lead in enumerate(people):
        found.add(lead, day * DAY, company)
    return {NET: found}


def test_three_people_of_one_company_in_one_network_are_a_proposal() -> None:
    """With the evidence: how many people and events, since when, and what the files say so far."""
    (found,) = propose(network("l2", "l1", "l3", "l1", company=ISP), HERE)
    assert found == Proposal(NET, "Acme", "acme.example", 3, 0, 4, 0, 3 * DAY, ISP)


@pytest.mark.parametrize(
    ("networks", "employers"),
    [
        pytest.param(network("l1", "l2", "l1"), HERE, id="two people only, however often"),
        pytest.param(network("l1", "l2", "l3"), {}, id="people without a business address"),
        pytest.param(network("l1", "l2", "l3", "x"), HERE | {"x": ("bolt.example", "Bolt")}, id="one of four is another's"),
        pytest.param(network("l1", "l2", "l3", company=other(kind="hosting")), HERE, id="a hosting network"),
        pytest.param(network("l1", "l2", "l3", company=other(kind="vpn")), HERE, id="a VPN"),
        pytest.param(network("l1", "l2", "l3", company=other(kind="mobile")), HERE, id="a mobile carrier"),
        pytest.param(network("l1", "l2", "l3", company=other(source="ranges")), HERE, id="the ranges file has it"),
        pytest.param(
            network("l1", "l2", "l3", company=other(kind="business", domain="Acme.example")), HERE, id="a database has it"
        ),
        pytest.param({}, HERE, id="nobody was seen"),
    ],
)  # fmt: skip
def test_this_is_no_proposal(networks: dict[str, Network], employers: dict[str, tuple[str, str]]) -> None:
    assert propose(networks, employers) == []


def test_few_others_do_not_matter_nor_do_people_without_a_business_address() -> None:
    employers = {f"l{n}": ACME for n in range(4)} | {"x": ("bolt.example", "Bolt")}
    (found,) = propose(network("l0", "l1", "l2", "l3", "x", "home", "alone"), employers)
    assert (found.people, found.others, found.events) == (4, 1, 4)


def test_how_many_are_enough_is_the_callers_to_say() -> None:
    assert len(propose(network("l1", "l2"), HERE, people=2)) == 1
    assert propose(network("l1", "l2", "l3"), HERE, people=4) == []


def test_another_organisation_of_a_database_is_told_and_a_person_decides() -> None:
    elsewhere = other(kind="business", name="Old Owner", domain="old.example")
    (found,) = propose(network("l1", "l2", "l3", company=elsewhere), HERE)
    assert found.company == elsewhere


def test_the_name_is_what_most_call_the_company_and_else_the_domain() -> None:
    named = {"l1": ("acme.example", "acme.example"), "l2": ("acme.example", "Acme"), "l3": ("acme.example", "Acme")}
    assert propose(network(*named), named)[0].name == "Acme"
    bare = dict.fromkeys(HERE, ("acme.example", "acme.example"))
    assert propose(network(*bare), bare)[0].name == "acme.example"


def halves(newest: Company | None, *before: Company | None) -> dict[str, Network]:
    """The network of three people of whose addresses the files say different things; the last event is told `newest`."""
    found = network("l1", "l2", "l3")
    for day, company in enumerate((*before, newest)):
        found[NET].add("l1", (9 + day) * DAY, company)
    return found


@pytest.mark.parametrize(
    "half",
    [
        pytest.param(other(kind="vpn"), id="a VPN's"),
        pytest.param(other(kind="hosting"), id="servers"),
        pytest.param(other(source="ranges", kind="business", name="Bolt", domain="bolt.example"), id="another company's"),
        pytest.param(other(kind="business", domain="acme.example"), id="its own by a database"),
    ],
)
@pytest.mark.parametrize("rest", [None, ISP], ids=["nobody's", "a provider's"])
def test_a_network_of_which_half_is_somebodys_is_no_proposal_whoever_came_last(half: Company, rest: Company | None) -> None:
    """The line would take the other half away, or name the VPN a company."""
    assert propose(halves(half, rest), HERE) == []
    assert propose(halves(rest, half), HERE) == []


def test_all_that_databases_name_in_it_is_told_the_last_first() -> None:
    old, bolt = other(kind="business", name="Old Owner"), other(kind="business", name="Bolt", domain="bolt.example")
    (found,) = propose(halves(None, ISP, old, bolt, msgspec.structs.replace(ISP, network="203.0.113.0/24")), HERE)
    assert found.company is not None
    assert [company.name for company in (found.company, *found.also)] == ["China Telecom", "Bolt", "Old Owner"]


def test_events_count_in_any_order() -> None:
    found = Network()
    found.add("l1", 5, ISP)
    found.add("l1", 3, other(network="203.0.113.0/25"))
    found.add("l1", 4, None)
    assert found.companies == [ISP]
    assert (found.people["l1"].events, found.people["l1"].since, found.people["l1"].until) == (3, 3, 5)


def test_those_with_most_people_come_first() -> None:
    networks = network("l1", "l2", "l3") | {"198.51.100.0/24": network("l1", "l2", "l3", "l4")[NET]}
    assert [one.network for one in propose(networks, HERE | {"l4": ACME})] == ["198.51.100.0/24", NET]


# What is printed.

PROPOSAL = Proposal(NET, 'Acme, "the" Inc', "acme.example", 5, 1, 132, 0, 2 * DAY, other(name='China "Tel"\nCom'))


def test_the_lines_are_a_ranges_file(tmp_path: Path) -> None:
    """Comments, quotes and all: what is printed can be used as it is, or be put behind a file that has a header."""
    file = tmp_path / "ranges.csv"
    file.write_text(lines([PROPOSAL], header=True), "utf-8")
    (company,) = read_companies(file)
    assert (company.name, company.domain, company.kind, company.network) == ('Acme, "the" Inc', "acme.example", "business", NET)
    file.write_text("network,name,domain,kind,target\n192.0.2.0/24,B,b.example,,yes\n" + lines([PROPOSAL], header=False), "utf-8")
    assert read_ranges(file).find(bytes([203, 0, 113, 9])) == company


def test_the_evidence_is_one_line() -> None:
    assert evidence(PROPOSAL) == (
        "5 people with acme.example addresses, 1 with other business addresses, 132 events, 1970-01-01 to 1970-01-03; "
        "so far China 'Tel' Com (isp, asn)"
    )
    assert evidence(replace(PROPOSAL, also=(ISP,))).endswith("so far China 'Tel' Com (isp, asn), China Telecom (isp, asn)")
    assert evidence(replace(PROPOSAL, others=0, until=0, company=None)).endswith(
        "addresses, 132 events, 1970-01-01; so far nobody's"
    )


# What is read.

NAMES = Lookups()
LEADS: list[dict[str, Any]] = [
    {
        "id": "l1",
        "members": ["anon::a", "email::ann@acme.example", "user::1"],
        "account": {"name": "Acme", "domain": "acme.example"},
    },
    {"id": "l2", "members": ["email::bob@gmail.com", "user::2"], "account": None},
    {
        "id": "l3",
        "members": ["email::c@acme.example", "email::c@bolt.example"],
        "account": {"name": "Bolt", "domain": "bolt.example"},
    },
    {"id": "l4", "members": ["email::d@acme.example", "email::d@bolt.example"], "account": {"name": "Group 7", "domain": None}},
]


def test_a_lead_works_where_its_business_address_says() -> None:
    """Free mail says nothing; of several companies that of its account."""
    assert employers_of(LEADS, NAMES) == {
        "l1": ("acme.example", "Acme"),
        "l3": ("bolt.example", "Bolt"),
        "l4": ("acme.example", "acme.example"),
    }


@pytest.mark.parametrize("domain", ["localhost", "acme.example.", "[203.0.113.7]", "a,b.example"])
def test_a_domain_that_no_ranges_file_takes_employs_nobody(domain: str) -> None:
    """A proposed line with it would be refused."""
    assert employers_of([{"id": "l5", "members": [f"email::e@{domain}"], "account": None}], NAMES) == {}


def seen(*events: dict[str, Any], headers: list[tuple[str, bytes]] | None = None) -> Sightings:
    sightings = Sightings(NAMES, identities_of(LEADS), None)
    for number, event in enumerate(events):
        sightings.take(orjson.dumps({"type": "page", **event}), 1_700_000_000_000 + number, headers or [])
    return sightings


def from_(ip: str, **more: Any) -> dict[str, Any]:
    return {"anonymousId": "a", "context": {"ip": ip, **more}}


@pytest.mark.parametrize(
    ("ip", "cidr"),
    [
        ("203.0.113.77", NET),
        ("203.0.113.0", NET),
        ("::ffff:203.0.113.9", NET),
        ("203.0.113.9:443, 10.0.0.1", NET),
        ("2001:db8:85a3:1:2:3:4:5", "2001:db8:85a3::/48"),
    ],
)
def test_an_address_is_looked_at_by_its_network_alone(ip: str, cidr: str) -> None:
    """Whole or truncated before, it is the same network."""
    networks = seen(from_(ip)).networks
    assert {name: list(network.people) for name, network in networks.items()} == {cidr: ["l1"]}


@pytest.mark.parametrize(
    "event",
    [
        pytest.param({"anonymousId": "a"}, id="no context"),
        pytest.param({"anonymousId": "a", "context": {}}, id="no address"),
        pytest.param(from_("localhost"), id="no address that is one"),
        pytest.param(from_("203.0.113.7", userAgent="Googlebot/2.1"), id="a robot"),
        pytest.param({"anonymousId": "stranger", "context": {"ip": "203.0.113.7"}}, id="nobody known"),
        pytest.param({"anonymousId": "null", "context": {"ip": "203.0.113.7"}}, id="no identity"),
        pytest.param({**from_("203.0.113.7"), "timestamp": "yesterday"}, id="no readable time"),
        pytest.param({"type": "nonsense", **from_("203.0.113.7")}, id="no event"),
    ],
)
def test_this_says_nothing(event: dict[str, Any]) -> None:
    sightings = seen(event)
    assert (sightings.networks, sightings.read) == ({}, 1)


def test_what_the_collector_found_goes_before_what_is_left_of_the_address() -> None:
    """Half of a network is no address of anybody."""
    told = seen(from_("203.0.113.0"), headers=[company_header(ISP)])
    assert told.networks[NET].companies == [ISP]
    assert told.addressed == 1
    assert seen(from_("203.0.113.0")).networks[NET].companies == []
