"""Networks of servers and of hidden visitors: what they hold is no company, whoever owns the addresses."""

from collections.abc import Iterator

from stream.lookups import packaged
from stream.lookups.asn import as_number
from stream.lookups.networks import NetworkTable, Span, parse_network
from stream.lookups.words import Word, WordLists


def read_networks(lists: WordLists) -> NetworkTable[str]:
    """Return the kind, `hosting` or `vpn`, by address; where both lists hold it, the narrower network, then vpn."""
    return NetworkTable([*_spans(lists, "hosting-networks", "hosting"), *_spans(lists, "vpn-networks", "vpn")])


def read_asns(lists: WordLists) -> frozenset[int]:
    """Return the numbers of the autonomous systems that sell servers (`16509` or `AS16509` a line)."""
    return frozenset(_number(word) for word in lists.read("hosting-asns"))


def _spans(lists: WordLists, name: str, kind: str) -> Iterator[Span[str]]:
    if not lists.replaces(name):
        yield from packaged.networks(kind)
    for word in lists.read(name):
        try:
            first, last = parse_network(word.text)
        except ValueError as error:
            raise word.bad(str(error)) from error
        yield Span(first, last, kind)


def _number(word: Word) -> int:
    number = as_number(word.text)
    if number is None:
        raise word.bad(f"{word.text!r} is no AS number")
    return number
