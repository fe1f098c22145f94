"""How many connections an address may hold: so that one cannot take the room of all.

A proxy's connections are its visitors', and who is on this machine is no stranger: both are spared. Of IPv6 a /64 counts as one
address: every home has one.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final

from stream.lookups.addresses import pack, render

_NETWORK_BYTES: Final = 8


class Peers:
    """The addresses at the other ends of open connections."""

    def __init__(self, spared: Callable[[str], bool]) -> None:
        """Take whom no limit holds for."""
        self._spared = spared
        self._held: Counter[bytes] = Counter()

    def enter(self, address: str | None, most: int) -> bytes | None:
        """Count a connection; return what to give back to `leave`, and raise TooMany where an address has its share."""
        packed = None if address is None else pack(address)
        if packed is None or self._spared(render(packed)):
            return None
        network = packed[:_NETWORK_BYTES]
        if self._held[network] >= most:
            raise TooMany(render(packed))
        self._held[network] += 1
        return network

    def leave(self, network: bytes | None) -> None:
        """Forget a connection."""
        if network is None:
            return
        self._held[network] -= 1
        if self._held[network] <= 0:
            del self._held[network]


class TooMany(Exception):  # noqa: N818 - an answer, no fault
    """An address holds as many connections as it may."""
