"""What a MaxMind record says, layout by layout."""

from typing import Any

import pytest

from stream.lookups.layouts import Finding, finding, layout_of

USER_TYPES = [
    ("business", "business"),
    ("hosting", "hosting"),
    ("content_delivery_network", "hosting"),
    *((home, "isp") for home in ("residential", "dialup", "router", "consumer_privacy_network")),
    ("cellular", "mobile"),
    *((school, "education") for school in ("school", "college", "library")),
    *((state, "government") for state in ("government", "military")),
    *((other, "unknown") for other in ("traveler", "search_engine_spider", "cafe", "")),
]

HIDERS = ["is_anonymous", "is_anonymous_vpn", "is_public_proxy", "is_tor_exit_node", "is_residential_proxy"]

LAYOUTS: list[tuple[str, str, dict[str, Any], Finding]] = [
    (
        "enterprise without type",
        "enterprise",
        {"traits": {"organization": "O", "domain": "o.example"}},
        Finding("enterprise", "O", "o.example", "unknown"),
    ),
    (
        "enterprise without organisation",
        "enterprise",
        {"traits": {"isp": "I", "user_type": "business"}},
        Finding("enterprise", "", "", "business"),
    ),
    ("enterprise without traits", "enterprise", {"city": {}}, Finding()),
    ("organisation is the provider", "isp", {"organization": "T", "isp": "T"}, Finding("isp", "T", "", "isp")),
    ("organisation has a provider", "isp", {"organization": "O", "isp": "T"}, Finding("isp", "O", "", "business")),
    ("organisation without provider", "isp", {"organization": "O"}, Finding("isp", "O", "", "isp")),
    ("provider without organisation", "isp", {"isp": "T"}, Finding("isp", "", "", "business")),
    ("a company's domain", "domain", {"domain": "o.example"}, Finding("domain", "o.example", "o.example", "business")),
    ("a domain in capitals", "domain", {"domain": " O.Example."}, Finding("domain", "O.Example", "O.Example", "business")),
    ("a domain that is none", "domain", {"domain": "https://o.example/"}, Finding("domain", "", "", "business")),
    (
        "enterprise in capitals",
        "enterprise",
        {"traits": {"organization": "O", "domain": "O.EXAMPLE"}},
        Finding("enterprise", "O", "O.EXAMPLE", "unknown"),
    ),
    (
        "enterprise with a domain that is none",
        "enterprise",
        {"traits": {"organization": "O", "domain": "o@o.example"}},
        Finding("enterprise", "O", "", "unknown"),
    ),
    (
        "an access provider's domain",
        "domain",
        {"domain": "home.example"},
        Finding("domain", "home.example", "home.example", "isp"),
    ),
    (
        "a system",
        "asn",
        {"autonomous_system_number": 1, "autonomous_system_organization": "S"},
        Finding("asn", "S", "", "unknown"),
    ),
    (
        "a system of servers",
        "asn",
        {"autonomous_system_number": 64496, "autonomous_system_organization": "S"},
        Finding("asn", "S", "", "hosting"),
    ),
    ("a system without number", "asn", {"autonomous_system_organization": "S"}, Finding("asn", "S", "", "unknown")),
    *((flag, "anonymous", {flag: True}, Finding("anonymous", disguise="vpn")) for flag in HIDERS),
    ("anonymous by hosting", "anonymous", {"is_hosting_provider": True}, Finding("anonymous", disguise="hosting")),
    (
        "anonymous by both",
        "anonymous",
        {"is_hosting_provider": True, "is_tor_exit_node": True},
        Finding("anonymous", disguise="vpn"),
    ),
    ("not anonymous", "anonymous", {}, Finding("anonymous")),
    ("an ISP's members", "", {"organization": "O", "isp": "T"}, Finding("isp", "O", "", "business")),
    ("a domain alone", "", {"domain": "o.example"}, Finding("domain", "o.example", "o.example", "business")),
    ("traits", "", {"traits": {"organization": "O"}}, Finding("enterprise", "O", "", "unknown")),
    ("a system's members", "", {"autonomous_system_organization": "S"}, Finding("asn", "S", "", "unknown")),
    ("flags", "", {"is_anonymous": True}, Finding("anonymous", disguise="vpn")),
    ("a country", "", {"country": {"iso_code": "DE"}}, Finding()),
    ("the longest name", "isp", {"organization": "O" * 1_024, "isp": "T"}, Finding("isp", "O" * 1_024, "", "business")),
    ("a name as long as a record", "isp", {"organization": "x" * 2_000_000, "isp": "T"}, Finding("isp", "", "", "business")),
    ("a system with such a name", "asn", {"autonomous_system_organization": "x" * 1_025}, Finding("asn", "", "", "unknown")),
    ("members of another type", "isp", {"organization": 7, "isp": ["T"]}, Finding("isp", "", "", "isp")),
]


@pytest.mark.parametrize(("layout", "record", "expected"), [case[1:] for case in LAYOUTS], ids=[case[0] for case in LAYOUTS])
def test_what_a_record_says_by_layout(layout: str, record: dict[str, Any], expected: Finding) -> None:
    found = finding(layout, record, is_private={"home.example"}.__contains__, is_hosting={64496}.__contains__)
    assert found == (expected if expected.name else expected._replace(kind=found.kind))


@pytest.mark.parametrize(("user_type", "kind"), USER_TYPES)
def test_an_enterprise_record_has_the_kind_of_its_user_type(user_type: str, kind: str) -> None:
    record = {"traits": {"organization": "O", "user_type": user_type}}
    assert finding("enterprise", record, is_private=bool, is_hosting=bool) == Finding("enterprise", "O", "", kind)


@pytest.mark.parametrize("record", [None, "text", 7, ["list"]])
def test_a_record_that_is_no_map_says_nothing(record: object) -> None:
    assert finding("isp", record, is_private=bool, is_hosting=bool) == Finding()


@pytest.mark.parametrize(
    ("database_type", "layout"),
    [
        ("GeoIP2-Enterprise", "enterprise"),
        ("GeoIP2-Precision-Enterprise-Shield", "enterprise"),
        ("GeoIP2-ISP", "isp"),
        ("GeoIP2-Domain", "domain"),
        ("GeoLite2-ASN", "asn"),
        ("GeoIP2-Anonymous-IP", "anonymous"),
        ("GeoIP-Anonymous-Plus", "anonymous"),
        ("DBIP-Location-ISP (compat=Enterprise)", "enterprise"),
        ("DBIP-ASN-Lite (compat=GeoLite2-ASN)", "asn"),
        ("GeoIP2-City", ""),
        ("Crispy", ""),
    ],
)
def test_the_layout_is_in_the_name_of_the_type(database_type: str, layout: str) -> None:
    assert layout_of(database_type) == layout
