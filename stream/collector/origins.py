"""Which pages: origins as a browser sends them, compared whole, with `https://*.example.com` for every host below one.

page_of(request.headers, image=incoming.pixel)     # "https://www.example.com"
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from stream.settings import is_loopback

_ORIGIN: Final = re.compile(r"(https?)://(\*\.)?([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::(\d{1,5}))?", re.ASCII)
_DEFAULT: Final = {"http": "80", "https": "443"}
_REFERER: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")
FETCHED: Final = b"sec-fetch-site"
"""Every browser says by it how near the asking page is, and no page can unsay it; only to https, and to its own machine."""
NAMELESS: Final = "null"


@dataclass(frozen=True, slots=True)
class Origins:
    """A set of origins; the empty one admits every origin and lists none."""

    exact: frozenset[str] = frozenset()
    below: frozenset[tuple[str, str]] = frozenset()

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Origins":
        """Read origins like `https://www.example.com`; raises ValueError at one that is none."""
        return cls.union(map(_read, texts))

    @classmethod
    def union(cls, sets: Iterable["Origins"]) -> "Origins":
        """Return what any of them lists."""
        held = list(sets)
        return cls(frozenset().union(*(one.exact for one in held)), frozenset().union(*(one.below for one in held)))

    def __bool__(self) -> bool:
        """Tell whether anything is listed."""
        return bool(self.exact or self.below)

    def lists(self, origin: str) -> bool:
        """Tell whether an origin is listed."""
        if origin in self.exact:
            return True
        return any(
            origin.startswith(scheme) and origin.endswith(end) and _is_host(origin[len(scheme) : -len(end)])
            for scheme, end in self.below
        )

    def admit(self, origin: str) -> bool:
        """Tell whether an origin is listed, or nothing is."""
        return not self or self.lists(origin)


def page_of(headers: Mapping[bytes, bytes], *, image: bool) -> str | None:
    """Return the origin of the page that asks; empty: a browser that does not say, None: none.

    An image is asked for without Origin, as is what a page gets from its own host: there the Referer tells it. A page of
    another site that hides this too is nameless, as it would be by Origin.
    """
    told = headers.get(b"origin")
    if told is not None:
        return told.decode("latin-1")
    site = headers.get(FETCHED)
    if site is None and not image:
        return None
    referer = headers.get(b"referer")
    if referer:
        found = _REFERER.match(referer.decode("latin-1"))
        return NAMELESS if found is None else found[0].lower()
    return NAMELESS if site == b"cross-site" else ""


def is_local(origin: str) -> bool:
    """Tell whether a page comes from this machine: somebody builds a website.

    >>> is_local("http://localhost:3000"), is_local("https://localhost.evil.example")
    (True, False)
    """
    found = _ORIGIN.fullmatch(origin)
    return found is not None and is_loopback(found[3])


def _is_host(text: str) -> bool:
    return re.fullmatch(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", text, re.ASCII) is not None


def _read(text: str) -> Origins:
    found = _ORIGIN.fullmatch(text.lower())
    if found is None or (found[4] and not 0 < int(found[4]) < 65536):
        raise ValueError(f"{text!r} is no origin: scheme and host, like https://www.example.com or https://*.example.com")
    scheme, wild, host, port = found.groups(default="")
    end = host if port in {"", _DEFAULT[scheme]} else f"{host}:{port}"
    return Origins(below=frozenset({(f"{scheme}://", f".{end}")})) if wild else Origins(frozenset({f"{scheme}://{end}"}))
