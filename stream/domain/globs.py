"""Patterns as rules write them, compiled once into the cheapest test."""

import re
from collections.abc import Callable
from fnmatch import translate

Glob = Callable[[str], bool]
SPECIAL = re.compile(r"[*?\[]")


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
