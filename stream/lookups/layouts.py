"""What a MaxMind record says of a company, by the layout of its database."""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from stream.lookups.domains import domain_of

# What a layout needs beside the record: is this domain a home's, does this AS sell servers.
IsPrivate = Callable[[str], bool]
IsHosting = Callable[[int], bool]

USER_TYPES = {
    "business": "business",
    "hosting": "hosting",
    "content_delivery_network": "hosting",
    "residential": "isp",
    "dialup": "isp",
    "router": "isp",
    "consumer_privacy_network": "isp",
    "cellular": "mobile",
    "school": "education",
    "college": "education",
    "library": "education",
    "government": "government",
    "military": "government",
}

CONFIDENCE = {"enterprise": 0.9, "isp": 0.7, "domain": 0.7, "asn": 0.3}

LONGEST_NAME = 1_024
"""Characters: a longer text names nobody. A company goes into a header of each event, and twice into a visitor's row."""

_HIDERS = ("is_anonymous_vpn", "is_public_proxy", "is_residential_proxy", "is_tor_exit_node", "is_anonymous")


class Finding(NamedTuple):
    """What one record says; empty where it says nothing. `disguise` is the kind that overrides: `vpn` or `hosting`."""

    layout: str = ""
    name: str = ""
    domain: str = ""
    kind: str = ""
    disguise: str = ""


NOTHING = Finding()


def layout_of(database_type: str) -> str:
    """Return the layout a database's type names, or "" where its records must tell.

    >>> layout_of("GeoIP2-Precision-Enterprise"), layout_of("DBIP-ASN-Lite (compat=GeoLite2-ASN)"), layout_of("Test")
    ('enterprise', 'asn', '')
    """
    words = re.split(r"[^a-z0-9]+", database_type.lower())
    return next((layout for layout in ("anonymous", "enterprise", "isp", "domain", "asn") if layout in words), "")


def layout_by_fields(record: Mapping[str, Any]) -> str:
    """Return the layout that a record's members show."""
    if any(record.get(flag) is not None for flag in (*_HIDERS, "is_hosting_provider")):
        return "anonymous"
    if isinstance(record.get("traits"), dict):
        return "enterprise"
    members = (("isp", ("organization", "isp")), ("domain", ("domain",)), ("asn", ("autonomous_system_organization",)))
    return next((layout for layout, names in members if any(name in record for name in names)), "")


def finding(layout: str, record: object, *, is_private: IsPrivate, is_hosting: IsHosting) -> Finding:
    """Return what a record of that layout says; a record of an unforeseen shape says nothing."""
    if not isinstance(record, dict):
        return NOTHING
    match layout or layout_by_fields(record):
        case "anonymous":
            found = Finding("anonymous", disguise=_disguise(record))
        case "enterprise":
            found = _enterprise(record.get("traits"))
        case "isp":
            found = _isp(record)
        case "domain":
            domain = _domain(record)
            found = Finding("domain", domain, domain, "isp" if is_private(domain) else "business")
        case "asn":
            hosting = is_hosting(_number(record, "autonomous_system_number"))
            name = _text(record, "autonomous_system_organization")
            found = Finding("asn", name, "", "hosting" if hosting else "unknown")
        case _:
            found = NOTHING
    return found


def _enterprise(traits: object) -> Finding:
    if not isinstance(traits, dict):
        return NOTHING
    kind = USER_TYPES.get(_text(traits, "user_type"), "unknown")
    return Finding("enterprise", _text(traits, "organization"), _domain(traits), kind)


def _isp(record: Mapping[str, Any]) -> Finding:
    name, isp = _text(record, "organization"), _text(record, "isp")
    return Finding("isp", name, "", "isp" if isp in ("", name) else "business")


def _disguise(record: Mapping[str, Any]) -> str:
    if any(record.get(flag) is True for flag in _HIDERS):
        return "vpn"
    return "hosting" if record.get("is_hosting_provider") is True else ""


def _text(record: Mapping[str, Any], name: str) -> str:
    value = record.get(name)
    return value.strip() if isinstance(value, str) and len(value) <= LONGEST_NAME else ""


def _domain(record: Mapping[str, Any]) -> str:
    return domain_of(_text(record, "domain")) or ""


def _number(record: Mapping[str, Any], name: str) -> int:
    value = record.get(name)
    return value if isinstance(value, int) else 0
