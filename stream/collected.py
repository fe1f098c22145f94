"""The Kafka headers in which the collector says of an event what does not stand in it."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import msgspec

from stream.domain.event import Company

TRUST: Final = "leadstream-trust"
"""Who vouches for the event: `browser` or `server`."""
SERVER: Final = b"server"
COMPANY: Final = "leadstream-company"
"""Whose address it was, where the address itself goes no further."""

_KNOWN: Final = 4_096

Headers = Iterable[tuple[str, bytes | None]]
"""Kafka knows headers without a value; none of ours is one."""


class Collected(msgspec.Struct, frozen=True, gc=False):
    """What they say: whether nobody but a `browser` vouches for the event, and in a tuple of one what `told_company` found."""

    browser: bool = False
    company: tuple[Company | None] | None = None


NOTHING: Final = Collected()
_encode = msgspec.json.Encoder().encode
_decode = lru_cache(_KNOWN)(msgspec.json.Decoder(Company | None).decode)


def is_browsers(headers: Headers) -> bool:
    """Tell whether nobody but a browser vouches for the event. Without a word on it, it came from inside.

    >>> is_browsers([("leadstream-trust", b"browser")]), is_browsers([("leadstream-trust", b"server")]), is_browsers([])
    (True, False, False)
    """
    return any(name == TRUST and value != SERVER for name, value in headers)


def company_header(company: Company | None) -> tuple[str, bytes]:
    """Return the header that says whose an address was; None: nobody that the files know.

    >>> company_header(None)
    ('leadstream-company', b'null')
    """
    return COMPANY, _encode(company)


def told_company(headers: Headers) -> tuple[Company | None] | None:
    """Return what the collector found, in a tuple of one; None where it said nothing, or nothing that can be read.

    >>> told_company([("leadstream-company", b"null")]), told_company([])
    ((None,), None)
    """
    for name, value in headers:
        if name == COMPANY and value is not None:
            try:
                return (_decode(value),)
            except (msgspec.DecodeError, UnicodeDecodeError):  # a release that says it otherwise
                return None
    return None


def collected_by(headers: Headers) -> Collected:
    """Return what the collector says in the headers of an event.

    >>> collected_by([("leadstream-trust", b"browser"), ("leadstream-company", b"null")])
    Collected(browser=True, company=(None,))
    """
    return Collected(is_browsers(headers), told_company(headers))
