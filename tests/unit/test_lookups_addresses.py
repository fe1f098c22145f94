"""An address as clients and proxies write it."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.lookups.addresses import parse, render

ADDRESSES = [
    ("plain", "203.0.113.7", "203.0.113.7"),
    ("the first of a comma list is the client", "203.0.113.7, 10.0.0.1, 10.0.0.2", "203.0.113.7"),
    ("a list without spaces", "203.0.113.7,10.0.0.1", "203.0.113.7"),
    ("spaces around", "  203.0.113.7\t", "203.0.113.7"),
    ("port", "203.0.113.7:51234", "203.0.113.7"),
    ("port in a list", "203.0.113.7:51234, 10.0.0.1:80", "203.0.113.7"),
    ("IPv6", "2001:DB8::1", "2001:db8::1"),
    ("IPv6 in full", "2001:0db8:85a3:0000:0000:8a2e:0370:7334", "2001:db8:85a3::8a2e:370:7334"),
    ("IPv6 in brackets", "[2001:db8::1]", "2001:db8::1"),
    ("IPv6 with port", "[2001:db8::1]:8443", "2001:db8::1"),
    ("zone", "fe80::1%eth0", "fe80::1"),
    ("zone in brackets, as in a URL", "[fe80::1%25en0]:80", "fe80::1"),
    ("IPv4-mapped is IPv4", "::ffff:203.0.113.7", "203.0.113.7"),
    ("IPv4-mapped in hexadecimal", "::FFFF:cb00:7107", "203.0.113.7"),
    ("IPv4-mapped with port", "[::ffff:203.0.113.7]:80", "203.0.113.7"),
    ("IPv4 in brackets with port", "[203.0.113.7]:80", "203.0.113.7"),
    ("the first IPv6 of a list", "2001:db8::1, 203.0.113.7", "2001:db8::1"),
]

NO_ADDRESSES = [
    *("", " ", ",", ", 203.0.113.7", "unknown", "-", "localhost", "null", "_hidden"),
    *("203.0.113", "203.0.113.256", "203.0.113.7.1", "203.0.113.07", "0xCB007107", "3405803783", "203.0.113.7/32"),
    *("203.0.113.7:", "203.0.113.7:port", "203.0.113.7:65536", "203.0.113.7:-1", "203.0.113.7:²"),
    *("2001:db8::1::", "[2001:db8::1", "2001:db8::1]", "[2001:db8::1]x", "[2001:db8::1]:x", "[]", "[]:80", "::g"),
    *("fe80::1%", "203.0.113.7%eth0", "%eth0", "2001:db8:::1", "203.0.113.7\0", "fe80::\ud800", "\u0662\u0660.0.0.1"),
    '"203.0.113.7"',
    "1" * 100_000,
    ":" * 100_000,
]


@pytest.mark.parametrize(("text", "expected"), [case[1:] for case in ADDRESSES], ids=[case[0] for case in ADDRESSES])
def test_what_stands_around_an_address_does_not_count(text: str, expected: str) -> None:
    packed = parse(text)
    assert packed is not None
    assert render(packed) == expected


@pytest.mark.parametrize("text", NO_ADDRESSES, ids=lambda text: ascii(text[:30]))
def test_anything_else_is_no_address_and_never_an_error(text: str) -> None:
    assert parse(text) is None


@given(st.ip_addresses())
def test_the_standard_library_reads_the_same_address(address: IPv4Address | IPv6Address) -> None:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    assert parse(str(address)) == (mapped or address).packed


@given(st.text(alphabet="0123456789abcdef:.[]%, -", max_size=24))
def test_no_text_is_an_error(text: str) -> None:
    assert len(parse(text) or b"1234") in {4, 16}
