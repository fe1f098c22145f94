"""Where webhooks may go: to the public internet by https, and into private networks only where the operator names them.

Whoever may set the address must not reach what only this machine reaches: a cloud's metadata, a database, Kafka itself. So
every address that a host resolves to is looked at, at each connection, and the connection goes to the one that was looked at
(a name that points elsewhere a moment later gains nothing). Redirects are not followed.
"""

import ipaddress
import socket
from collections.abc import Iterable, Sequence
from typing import Any, Final

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Addresses that carry an IPv4 address, which may be a private one: 6to4, NAT64, Teredo, IPv4-translated and -compatible.
_CARRIERS: Final = tuple(
    map(ipaddress.ip_network, ("2002::/16", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "::ffff:0:0:0/96", "::/96"))
)
_SITES: Final = ipaddress.ip_network("fec0::/10")


class Forbidden(OSError):  # noqa: N818 - an answer, no fault
    """An address that webhooks may not go to."""


class Guard:
    """Decides about addresses; `networks` are the private ones that are allowed."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        """Take networks like `10.1.0.0/16`; raises ValueError at one that is none."""
        self._networks: Sequence[Network] = [ipaddress.ip_network(text) for text in networks]

    def allows(self, address: str) -> bool:
        """Tell whether webhooks may go to an address."""
        found = _plain(address)
        return found is not None and (self.names(address) or _is_public(found))

    def names(self, address: str) -> bool:
        """Tell whether an address lies in a network that the operator named."""
        found = _plain(address)
        return found is not None and any(found in network for network in self._networks if network.version == found.version)

    def check(self, text: str) -> URL:
        """Return the URL; raises ValueError where it can never be good. A host's addresses are looked at when it is called."""
        url = URL(text)
        if url.scheme not in {"https", "http"} or not url.host:
            raise ValueError("give an address like https://crm.example.com/hooks")
        if url.user is not None or url.password is not None:
            raise ValueError("no password in the address: the signature says who calls")
        literal = _plain(url.host)
        if literal is not None and not self.allows(url.host):
            raise ValueError(f"{url.host} is no public address: name its network in WEBHOOK_NETWORKS, if you mean it")
        if url.scheme == "http" and not self._networks:
            raise ValueError("https is needed, except into a network named in WEBHOOK_NETWORKS")
        if url.scheme == "http" and literal is not None and not self.names(url.host):
            raise ValueError("https is needed, except into a network named in WEBHOOK_NETWORKS")
        return url


class GuardedResolver(AbstractResolver):
    """Resolves a host to the addresses that are allowed; `named_only`: http, where only the operator's own networks will do."""

    def __init__(self, guard: Guard, *, named_only: bool = False) -> None:
        """Take the guard."""
        self._guard = guard
        self._allows = guard.names if named_only else guard.allows
        self._resolver = ThreadedResolver()

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        """Return the allowed addresses; raises Forbidden where there is none."""
        found = await self._resolver.resolve(host, port, family)
        allowed = [each for each in found if self._allows(each["host"])]
        if not allowed:
            raise Forbidden(f"{host} is at {found[0]['host']}, no public address: name its network in WEBHOOK_NETWORKS")
        return allowed

    async def close(self) -> None:
        """End it."""
        await self._resolver.close()


def _plain(text: Any) -> Address | None:
    try:
        address = ipaddress.ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address


def _is_public(address: Address) -> bool:
    carried = any(address in network for network in _CARRIERS if network.version == address.version)
    return address.is_global and not address.is_multicast and not carried and address not in _SITES
