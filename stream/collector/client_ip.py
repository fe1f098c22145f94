"""Whose address it is: the socket's, or what a trusted proxy says of who asked it.

    proxies = load(settings)                               # UsageError where TRUSTED_PROXIES is no list of networks
    proxies.client(request.peer, request.raw_headers)      # "203.0.113.9", or None where the peer is no address

A proxy appends who asked it, so only the right end of the list is worth anything: from there back, the first hop that is no
trusted proxy is the client; what stands left of it the client wrote itself. Of the headers the first that is there counts,
in the order X-Forwarded-For, Forwarded, X-Real-IP; PROXY_HEADER names the one your proxy writes, and others are not looked at.
A comma ends a hop, also behind a quote: what the client wrote must not reach into what a proxy appended.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from stream.collector.request import Headers
from stream.errors import UsageError
from stream.lookups.addresses import pack, parse, render
from stream.lookups.networks import NetworkTable, Span, parse_network
from stream.settings import PREFIX, Settings

HEADERS: Final = ("x-forwarded-for", "forwarded", "x-real-ip")
LONGEST: Final = 4_096
MOST_HOPS: Final = 64


class Proxies:
    """Networks whose word on who asked them is believed; raises ValueError at a text that is no network."""

    def __init__(self, networks: Sequence[str] = (), header: str = "auto") -> None:
        """Take networks like `10.0.0.0/8`, and the header that the proxies write (`auto`: the first there is)."""
        spans = [Span(*parse_network(text), value=True) for text in networks]
        self._trusted: NetworkTable[bool] | None = NetworkTable(spans) if spans else None
        self._headers = tuple(name.encode() for name in (HEADERS if header == "auto" else (header,)))

    def trusts(self, peer: str) -> bool:
        """Tell whether an address is a proxy's, whose connections are those of its visitors."""
        packed = pack(peer)
        return packed is not None and self._trusted is not None and bool(self._trusted.find(packed))

    def client(self, peer: str | None, headers: Headers) -> str | None:
        """Return the client's address in its usual form; the names of headers are in lower case."""
        if self._trusted is None:
            return None if peer is None else _usual(peer)
        packed = pack(peer) if peer else None
        if packed is None:
            return None
        if not self._trusted.find(packed):
            return render(packed)
        return render(self._behind(packed, self._trusted, headers))

    def _behind(self, peer: bytes, trusted: NetworkTable[bool], headers: Headers) -> bytes:
        """Return the first hop from the right that is not trusted, the left end if all are, the peer if one cannot be read."""
        hop = peer
        for number, text in enumerate(reversed(self._hops(headers))):
            packed = parse(text) if number < MOST_HOPS else None
            if packed is None:
                return peer
            hop = packed
            if not trusted.find(packed):
                break
        return hop

    def _hops(self, headers: Headers) -> list[str]:
        told: dict[bytes, list[bytes]] = {}
        for name, value in headers:
            if name in self._headers:
                told.setdefault(name, []).append(value)
        name = next((name for name in self._headers if name in told), b"")
        if not name:
            return []
        text = b",".join(told[name])[-LONGEST:].decode("latin-1")
        return [_forwarded(part) if name == b"forwarded" else _bare(part) for part in text.split(",")]


@lru_cache(4096)
def _usual(peer: str) -> str | None:
    """Return an address in its usual form; None where it is none."""
    packed = pack(peer)
    return None if packed is None else render(packed)


def load(settings: Settings) -> Proxies:
    """Read what the settings name; raises UsageError."""
    try:
        return Proxies(settings.trusted_proxies, settings.proxy_header)
    except ValueError as error:
        raise UsageError(f"{PREFIX}TRUSTED_PROXIES: {error}") from error


def _forwarded(element: str) -> str:
    """Return the node of `for=…` (RFC 7239); an element that is nothing but an address is taken for one."""
    for pair in element.split(";"):
        name, mark, value = pair.partition("=")
        if mark and name.strip().lower() == "for":
            return _bare(value)
    return _bare(element) if "=" not in element else ""


def _bare(text: str) -> str:
    text = text.strip()
    return text[1:-1].strip() if len(text) >= 2 and text[0] == text[-1] == '"' else text
