"""How many connections an address may hold."""

import pytest

from stream.collector.client_ip import Proxies
from stream.collector.peers import Peers, TooMany
from stream.settings import is_loopback


def test_an_address_has_its_share_and_who_leaves_makes_room() -> None:
    peers = Peers(is_loopback)
    held = [peers.enter("203.0.113.9", 2) for _ in range(2)]
    with pytest.raises(TooMany):
        peers.enter("203.0.113.9", 2)
    assert peers.enter("203.0.113.10", 2), "another address has its own"
    peers.leave(held[0])
    assert peers.enter("::ffff:203.0.113.9", 2) == held[0], "the same address, written otherwise"


def test_a_home_of_ipv6_is_one_address() -> None:
    peers = Peers(is_loopback)
    peers.enter("2001:db8:1:2::1", 1)
    with pytest.raises(TooMany):
        peers.enter("2001:db8:1:2:ffff::9", 1)
    assert peers.enter("2001:db8:1:3::1", 1)


def test_what_is_remembered_goes_with_its_connections() -> None:
    peers = Peers(is_loopback)
    for number in range(1_000):
        peers.leave(peers.enter(f"203.0.{number % 250}.{number // 250}", 1))
    assert not peers._held


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.1.2.3", None, "no address"])
def test_proxies_this_machine_and_whoever_has_no_address_are_spared(address: str | None) -> None:
    proxies = Proxies(["10.0.0.0/8"])
    peers = Peers(lambda peer: is_loopback(peer) or proxies.trusts(peer))
    assert [peers.enter(address, 1) for _ in range(3)] == [None] * 3
