"""Patterns as rules write them, compiled once into the cheapest test; browsers send `/für` as `/f%C3%BCr`, which is the same."""

import re
from collections.abc import Callable
from fnmatch import translate
from urllib.parse import quote, unquote

Glob = Callable[[str], bool]
SPECIAL = re.compile(r"[*?\[]")
_SENT = re.compile(r"(?:%[89a-f][0-9a-f])+|%(?:20|22|3c|3e|5e|60|7b|7c|7d)", re.IGNORECASE)
_SIGNS = re.compile(r"\[!?\]?[^\]]*\]|[^\x21-\x7e]|[\"<>^`{|}]")
_MARKS = 0xF0000
"""Code points that nobody uses stand for the signs while the rest of the pattern is translated."""


def glob(pattern: str) -> Glob:
    """Return a test of lower-cased text against an `fnmatch` pattern; one that ends in `/*` also matches without it.

    >>> glob("*/Products/*")("shop.example/products"), glob("trial *")("trial started"), glob("a?")("a")
    (True, True, False)
    """
    pattern = pattern.lower()
    test = _glob(pattern)
    if not pattern.endswith("/*"):
        return test
    shorter = _glob(pattern[:-2])
    return lambda text: test(text) or shorter(text)


def _glob(pattern: str) -> Glob:
    """Choose the cheapest test: most patterns in a ruleset are a plain word with a star at one end or at both."""
    bare = pattern.strip("*")
    if SPECIAL.search(bare):
        full = re.compile(translate(pattern)).match
        return lambda text: full(text) is not None
    if not bare:
        return _stars(pattern)
    starts, ends = not pattern.startswith("*"), not pattern.endswith("*")
    if starts and ends:
        return bare.__eq__
    if starts:
        return lambda text: text.startswith(bare)
    if ends:
        return lambda text: text.endswith(bare)
    return lambda text: bare in text


def _stars(pattern: str) -> Glob:
    """Test a pattern of nothing but stars: without one it is the empty text, else anything."""
    return (lambda _: True) if pattern else (lambda text: not text)


def address_glob(pattern: str) -> Glob:
    """Return `glob`, which also finds percent-encoded what a browser sends so; what stands in `[]` is taken as written.

    >>> für = address_glob("*/für*")
    >>> für("a.example/für-alle"), für("a.example/f%c3%bcr-alle"), address_glob("*/F%C3%9CR*")("a.example/für")
    (True, True, True)
    """
    signs: dict[str, str] = {}

    def mark(found: re.Match[str]) -> str:
        sign = found[0]
        return sign if sign.startswith("[") else signs.setdefault(sign, chr(_MARKS + len(signs)))

    marked = _SIGNS.sub(mark, _SENT.sub(_decoded, pattern).lower())
    if not signs:
        return glob(pattern)
    spellings = {ord(mark): _spellings(sign) for sign, mark in signs.items()}
    longer, shorter = (re.compile(translate(each).translate(spellings)).match for each in (marked, marked.removesuffix("/*")))
    return lambda text: longer(text) is not None or shorter(text) is not None


def _decoded(found: re.Match[str]) -> str:
    try:
        text = unquote(found[0], errors="strict")
    except UnicodeDecodeError:
        return found[0]
    is_kept = all(sign in (sign.lower(), sign.lower().upper()) for sign in text)  # "İ" would not come back
    return text if is_kept else found[0]


def _spellings(sign: str) -> str:
    """Return all that may stand for a lower-case sign in an address in lower case: itself, and as it or its capital is sent."""
    sent = {quote(one, safe="", errors="surrogatepass").lower() for one in (sign, sign.upper()) if len(one) == 1}
    return f"(?:{'|'.join([re.escape(sign), *sorted(one for one in sent if one.startswith('%'))])})"
