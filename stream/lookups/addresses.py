"""An address as clients and proxies write it: packed bytes (4 or 16), or None where it is none."""

from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

_V4_IN_V6 = b"\0" * 10 + b"\xff\xff"


def parse(text: str) -> bytes | None:
    """Return the packed address of the first entry of a comma list; brackets, port and zone do not count.

    IPv4-mapped IPv6 is IPv4. Whatever is no address is None, never an error.

    >>> parse("203.0.113.7:443, 10.0.0.1") == parse("::ffff:203.0.113.7") == bytes([203, 0, 113, 7])
    True
    >>> parse("localhost") is None
    True
    """
    try:
        # Plain IPv4 is nearly everything that comes: the strict parser of the C library answers at once.
        return inet_pton(AF_INET, text) if ":" not in text else _general(text)
    except (OSError, ValueError):
        return _general(text)


def render(packed: bytes) -> str:
    """Return the usual text of a packed address.

    >>> render(bytes([203, 0, 113, 7]))
    '203.0.113.7'
    """
    return inet_ntop(AF_INET if len(packed) == 4 else AF_INET6, packed)


def pack(text: str) -> bytes | None:
    """Return the packed form of exactly one address, nothing around it; None where it is none."""
    try:
        packed = inet_pton(AF_INET6 if ":" in text else AF_INET, text)
    except (OSError, ValueError):
        return None
    return packed[12:] if packed.startswith(_V4_IN_V6) and len(packed) == 16 else packed


def _general(text: str) -> bytes | None:
    first = text.partition(",")[0].strip()
    if first.startswith("["):
        inside, closed, port = first[1:].partition("]")
        return _without_zone(inside) if closed and (not port or _is_port(port)) else None
    if first.count(":") == 1:
        host, _, port = first.partition(":")
        return pack(host) if _is_port(":" + port) else None
    return _without_zone(first)


def _without_zone(text: str) -> bytes | None:
    address, mark, zone = text.partition("%")
    if mark and (not zone or ":" not in address):
        return None
    return pack(address)


def _is_port(text: str) -> bool:
    digits = text[1:]
    return text[0] == ":" and digits.isascii() and digits.isdigit() and int(digits[:6]) <= 65_535
