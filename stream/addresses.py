"""Addresses as an operator writes them: `host:port`, and where a worker answers."""

import re
from ipaddress import IPv6Address
from urllib.parse import urlsplit

_HOST_PORT = re.compile(r"(?:\[(?P<ipv6>[^\[\]]+)\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})")


def host_port(text: str) -> str:
    """Return `host:port` as it is, an IPv6 address in brackets; raises ValueError where it is none.

    >>> host_port("worker-1:6066"), host_port("[::1]:6066")
    ('worker-1:6066', '[::1]:6066')
    """
    found = _HOST_PORT.fullmatch(text)
    if found is None or not int(found["port"]) or not _is_ipv6(found["ipv6"]) or not is_url(f"http://{text}"):
        raise ValueError("that is not host:port: write it like worker-1:6066, or [2001:db8::1]:6066")
    return text


def is_url(text: str) -> bool:
    """Tell whether a worker can be asked there: http or https, and a host.

    >>> is_url("http://worker:6066"), is_url("worker:6066")
    (True, False)
    """
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
        host.encode("idna")
    except ValueError:
        return False
    return bool(host) and parts.scheme in {"http", "https"} and text.isprintable() and " " not in text and parts.path.isascii()


def _is_ipv6(text: str | None) -> bool:
    try:
        return text is None or bool(IPv6Address(text))
    except ValueError:
        return False
