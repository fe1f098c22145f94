"""Where an event happened, as rules see it: host and path, and nothing that varies from visit to visit."""

import re
from functools import lru_cache
from typing import Final

_SCHEME: Final = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//", re.ASCII | re.IGNORECASE)
_BEHIND: Final = re.compile(r"[?#]")
_CLASS: Final = re.compile(r"\[!?\]?[^\]]*\]")
_MEANT_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*://", re.ASCII | re.IGNORECASE)
_MEANT_QUERY: Final = re.compile(r"\?[\w.-]+=|://")
_USUAL_LENGTH: Final = 2_048


def of_url(url: str) -> str:
    """Return host, port and path of an address as written: no scheme, user, query, fragment, trailing slash.

    >>> of_url("https://ann:pw@Acme.example:8443/Products/?utm=1#top"), of_url("/pricing/"), of_url("/")
    ('Acme.example:8443/Products', '/pricing', '')
    """
    return _remembered(url) if len(url) <= _USUAL_LENGTH else _host_and_path(url)


def _host_and_path(url: str) -> str:
    place = _BEHIND.split(url.strip(), maxsplit=1)[0]
    scheme = _SCHEME.match(place)
    if scheme is None:
        return place.rstrip("/")
    host, slash, path = place[scheme.end() :].partition("/")
    return f"{host.rpartition('@')[2]}{slash}{path}".rstrip("/")


_remembered = lru_cache(maxsize=16_384)(_host_and_path)


def of_path(path: str) -> str:
    """Return a bare path without query, fragment and trailing slash.

    >>> of_path("/blog/?page=2"), of_path("/")
    ('/blog', '')
    """
    return _BEHIND.split(path.strip(), maxsplit=1)[0].rstrip("/")


def instead(pattern: str) -> str | None:
    """Return what to write for a pattern that no place ever matches; None where one may.

    >>> instead("https://acme.example/pricing/"), instead("*/faq#top"), instead("*/pricing*"), instead("*/a?b=1")
    ('acme.example/pricing', '*/faq', None, None)
    """
    plain = _CLASS.sub(lambda found: "x" * len(found[0]), pattern)
    scheme, fragment = _MEANT_SCHEME.match(plain), plain.find("#")
    if scheme is None and fragment < 0 and not plain.endswith("/"):
        return None
    return pattern[scheme.end() if scheme else 0 : fragment if fragment >= 0 else None].rstrip("/")


def is_doubtful(pattern: str) -> bool:
    """Tell whether a pattern looks as if it asked for a query or a scheme, though some odd place could match it."""
    return _MEANT_QUERY.search(pattern) is not None
