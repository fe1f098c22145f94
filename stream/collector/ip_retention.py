"""What of a visitor's address goes into Kafka: IP_RETENTION. The company is found first, then the address goes.

    header = addresses.kept(event)         # changes event["context"]["ip"] in place; the last step before Kafka
                                           # None, or the Kafka header that says whose address it was

| IP_RETENTION | `context.ip` in `events` | the company |
|---|---|---|
| `truncate` (default) | its /24, IPv6 its /48 | found here, told by the header |
| `drop` | none | found here, told by the header |
| `keep` | as it came | found by the worker |

Half of a network is no address of anybody: `203.0.113.0` may lie in another company's /29. So the collector asks the same
look-up files as the worker (COMPANY_RANGES, MMDB, ASN), and says what it found, also that it found nothing. A collector
without look-up files says nothing, and the worker looks up what is left of the address.
"""

from functools import lru_cache
from typing import Any, Final, Literal, Protocol

from stream.collected import company_header
from stream.domain.event import Company
from stream.lookups.addresses import parse, render

Retention = Literal["truncate", "drop", "keep"]

_V4_BYTES: Final = 3
_V6_BYTES: Final = 6
_LONGEST: Final = 45
"""Characters of an address: what a client sends at length is not remembered."""
_REMEMBERED: Final = 8_192


class Names(Protocol):
    """What knows whose an address is."""

    def company(self, ip: str, /) -> Company | None:
        """Return who holds the address."""


class Addresses:
    """Applies IP_RETENTION; `names` is None where no look-up file is set."""

    def __init__(self, retention: Retention, names: Names | None) -> None:
        """Take the setting and the look-up files."""
        self._retention: Retention = retention
        self._names = names

    def kept(self, event: dict[str, Any]) -> tuple[str, bytes] | None:
        """Leave of `context.ip` what may be stored; return the header that tells the company, None where it tells nothing."""
        context = event.get("context")
        if self._retention == "keep" or not isinstance(context, dict) or "ip" not in context:
            return None
        address = context.pop("ip")
        if not isinstance(address, str):
            return None
        short = (_shortened if len(address) <= _LONGEST else shorten)(address, self._retention)
        if short is not None:
            context["ip"] = short
        return None if self._names is None else company_header(self._names.company(address))


def shorten(address: str, retention: Retention) -> str | None:
    """Return what may be stored of an address; None: nothing, also where it is none and may not be kept as it is.

    >>> shorten("203.0.113.77", "truncate"), shorten("2001:db8:85a3:1:2:3:4:5", "truncate")
    ('203.0.113.0', '2001:db8:85a3::')
    """
    if retention == "keep":
        return address
    packed = parse(address) if retention == "truncate" else None
    if packed is None:
        return None
    kept = packed[: _V4_BYTES if len(packed) == 4 else _V6_BYTES]
    return render(kept.ljust(len(packed), b"\0"))


_shortened = lru_cache(_REMEMBERED)(shorten)  # a visit has one address and several events
