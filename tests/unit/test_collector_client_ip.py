"""Whose address it is, behind none, one or several proxies, and whatever the client writes itself."""

import pytest

from stream.collector.client_ip import Proxies, load
from stream.errors import UsageError
from stream.settings import Settings

NEAR = "10.0.0.1"
TRUSTED = ("10.0.0.0/8", "192.0.2.0/28", "2001:db8:aaaa::/48")


@pytest.mark.parametrize(
    ("headers", "client"),
    [
        pytest.param([], NEAR, id="nothing is told: the proxy itself asks"),
        pytest.param([("x-forwarded-for", "203.0.113.9")], "203.0.113.9", id="one hop"),
        pytest.param([("x-forwarded-for", "203.0.113.9, 192.0.2.7")], "203.0.113.9", id="a second trusted hop is passed over"),
        pytest.param(
            [("x-forwarded-for", "1.1.1.1, 203.0.113.9, 10.2.3.4")],
            "203.0.113.9",
            id="what is left of the client it wrote itself",
        ),
        pytest.param(
            [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "203.0.113.9")], "203.0.113.9", id="two lines are one list"
        ),
        pytest.param([("x-forwarded-for", "10.9.9.9, 192.0.2.7")], "10.9.9.9", id="all are trusted: the left end"),
        pytest.param([("x-forwarded-for", "203.0.113.9:4711")], "203.0.113.9", id="a port"),
        pytest.param([("x-forwarded-for", "[2001:db8::7]:4711")], "2001:db8::7", id="IPv6 with a port"),
        pytest.param([("x-forwarded-for", '"[2001:db8::7]"')], "2001:db8::7", id="IPv6 in quotes"),
        pytest.param([("x-forwarded-for", "::ffff:203.0.113.9")], "203.0.113.9", id="mapped IPv4"),
        pytest.param([("x-forwarded-for", "localhost")], NEAR, id="a name is no address: the peer"),
        pytest.param([("x-forwarded-for", "203.0.113.9, unknown")], NEAR, id="a hidden hop hides what is behind it"),
        pytest.param([("x-forwarded-for", "203.0.113.9,,10.2.3.4")], NEAR, id="an empty hop too"),
        pytest.param([("x-forwarded-for", "")], NEAR, id="an empty header"),
        pytest.param([("forwarded", "for=203.0.113.9;proto=https;by=10.0.0.1")], "203.0.113.9", id="RFC 7239"),
        pytest.param(
            [("forwarded", 'for=1.1.1.1, For="[2001:db8::7]:80", for=192.0.2.7')], "2001:db8::7", id="RFC 7239, several"
        ),
        pytest.param([("forwarded", "for=203.0.113.9, 192.0.2.7")], "203.0.113.9", id="a bare address among pairs"),
        pytest.param([("forwarded", 'for="_hidden"')], NEAR, id="an obfuscated node"),
        pytest.param([("forwarded", "proto=https")], NEAR, id="no node"),
        pytest.param([("forwarded", 'for="1.1.1.1, for=203.0.113.9')], "203.0.113.9", id="a quote that never ends"),
        pytest.param([("forwarded", 'for="'), ("forwarded", "for=203.0.113.9")], "203.0.113.9", id="… over two lines"),
        pytest.param([("forwarded", 'for=", for=203.0.113.9, for="192.0.2.7"')], "203.0.113.9", id="… that a proxy's ends"),
        pytest.param([("x-forwarded-for", '", 203.0.113.9')], "203.0.113.9", id="a quote is no syntax of X-Forwarded-For"),
        pytest.param([("x-forwarded-for", '"'), ("x-forwarded-for", "203.0.113.9")], "203.0.113.9", id="… over two lines either"),
        pytest.param([("x-real-ip", "203.0.113.9")], "203.0.113.9", id="X-Real-IP"),
        pytest.param(
            [("forwarded", "for=1.1.1.1"), ("x-forwarded-for", "203.0.113.9")], "203.0.113.9", id="X-Forwarded-For goes first"
        ),
        pytest.param([("x-forwarded-for", ", ".join(["10.1.1.1"] * 400))], NEAR, id="an endless chain is not followed"),
    ],
)
def test_behind_a_trusted_proxy(headers: list[tuple[str, str]], client: str) -> None:
    proxies = Proxies(TRUSTED)
    assert proxies.client(NEAR, [(name.encode(), value.encode()) for name, value in headers]) == client


@pytest.mark.parametrize("peer", ["203.0.113.50", "192.0.2.16", "2001:db8:bbbb::1"])
def test_who_is_no_trusted_proxy_speaks_for_nobody_else(peer: str) -> None:
    told = [(name, b"8.8.8.8") for name in (b"x-forwarded-for", b"forwarded", b"x-real-ip")]
    assert Proxies(TRUSTED).client(peer, told) == peer
    assert Proxies().client(NEAR, told) == NEAR


def test_a_header_that_the_proxy_does_not_write_is_not_looked_at_where_it_is_named() -> None:
    told = [(b"x-forwarded-for", b"8.8.8.8"), (b"forwarded", b"for=8.8.4.4"), (b"x-real-ip", b"203.0.113.9")]
    assert Proxies(TRUSTED, "x-real-ip").client(NEAR, told) == "203.0.113.9"
    assert Proxies(TRUSTED, "forwarded").client(NEAR, told) == "8.8.4.4"


@pytest.mark.parametrize("peer", [None, "", "unix:", "testclient"])
def test_a_peer_without_an_address_has_none(peer: str | None) -> None:
    assert Proxies(TRUSTED).client(peer, [(b"x-forwarded-for", b"8.8.8.8")]) is None


def test_settings_name_networks_or_are_refused() -> None:
    proxies = load(Settings(trusted_proxies=("10.0.0.1",), proxy_header="X-Real-IP"))
    assert proxies.client("10.0.0.1", [(b"x-real-ip", b"203.0.113.9")]) == "203.0.113.9"
    with pytest.raises(UsageError, match=r"TRUSTED_PROXIES: '10\.0\.0\.0/33' has no prefix length"):
        load(Settings(trusted_proxies=("10.0.0.0/33",)))
