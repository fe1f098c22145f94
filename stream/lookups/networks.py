"""Longest prefix by address: nested networks flattened into disjoint spans, found by one short bisect."""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from itertools import accumulate
from typing import Generic, NamedTuple, TypeVar

from stream.lookups.addresses import pack, render

T = TypeVar("T")
U = TypeVar("U")

_MAPPED_BITS = 96

SHOWN = {4: 24, 16: 48}
"""The prefix that is told in place of a single address, by its bytes: what IP_RETENTION=truncate leaves of it."""


class Span(NamedTuple, Generic[T]):
    """All addresses from `first` to `last` (packed, both included) and what is said of them."""

    first: bytes
    last: bytes
    value: T


def parse_network(text: str) -> tuple[bytes, bytes]:
    """Return the first and last address of a CIDR; one address alone is a network of one.

    Raises ValueError, with the reason, where it is no network or has host bits.

    >>> parse_network("203.0.113.0/24")[1][-1]
    255
    """
    address, slash, length = text.strip().partition("/")
    packed = pack(address)
    if packed is None:
        raise ValueError(f"{text!r} is no network, such as 203.0.113.0/24 or 2001:db8::/32")
    bits = len(packed) * 8
    if slash and not (length.isascii() and length.isdigit() and len(length) <= 3):
        raise ValueError(f"{text!r} has no prefix length")
    prefix = int(length) if slash else bits
    if slash and ":" in address and bits == 32:
        prefix -= _MAPPED_BITS
    if not 0 <= prefix <= bits:
        raise ValueError(f"{text!r} has no prefix length")
    first, last = span_of(packed, prefix)
    if first != packed:
        raise ValueError(f"{text!r} has host bits: write {cidr(packed, prefix)} for the network, {address} for a host")
    return first, last


def span_of(packed: bytes, prefix: int) -> tuple[bytes, bytes]:
    """Return the first and last address of the network of that prefix length around an address."""
    size = len(packed)
    hosts = (1 << (size * 8 - prefix)) - 1
    value = int.from_bytes(packed)
    return (value & ~hosts).to_bytes(size), (value | hosts).to_bytes(size)


def cidr(packed: bytes, prefix: int) -> str:
    """Return the CIDR of that prefix length around an address.

    >>> cidr(bytes([203, 0, 113, 7]), 24)
    '203.0.113.0/24'
    """
    return f"{render(span_of(packed, prefix)[0])}/{prefix}"


def prefix_of(first: bytes, last: bytes) -> int:
    """Return the prefix length of the network of those two addresses."""
    return len(first) * 8 - (int.from_bytes(first) ^ int.from_bytes(last)).bit_length()


def shown(packed: bytes, prefix: int) -> str:
    """Return the CIDR that may be told and stored of the network around a visitor: of one address, its own, the cut one.

    >>> shown(bytes([203, 0, 113, 7]), 32), shown(bytes([203, 0, 113, 7]), 28)
    ('203.0.113.0/24', '203.0.113.0/28')
    """
    return cidr(packed, prefix if prefix < len(packed) * 8 else SHOWN[len(packed)])


class NetworkTable(Generic[T]):
    """An immutable map from address to the value of the narrowest span around it.

    Of two equal spans the later counts; of two that only overlap, the one that begins later. A look-up costs one index
    by the top 16 bits and a bisect among the few spans that share them.
    """

    def __init__(self, spans: Iterable[Span[T]] = ()) -> None:
        by_size: dict[int, list[Span[T]]] = {4: [], 16: []}
        for span in spans:
            by_size[len(span.first)].append(span)
        self._v4 = _Flat.of(by_size[4], 4)
        self._v6 = _Flat.of(by_size[16], 16)

    def find(self, packed: bytes) -> T | None:
        """Return what is said of an address, or None."""
        flat = self._v4 if len(packed) == 4 else self._v6
        top = packed[0] << 8 | packed[1]
        index = flat.index
        return flat.values[bisect_right(flat.starts, packed, index[top], index[top + 1]) - 1]

    def span(self, packed: bytes) -> tuple[bytes, bytes]:
        """Return the first and last address around this one of which the same is said."""
        flat = self._v4 if len(packed) == 4 else self._v6
        at = bisect_right(flat.starts, packed)
        if at == len(flat.starts):
            return flat.starts[-1], b"\xff" * len(packed)
        return flat.starts[at - 1], (int.from_bytes(flat.starts[at]) - 1).to_bytes(len(packed))

    def overlaid(self, other: "NetworkTable[U]", join: Callable[[T, U], T]) -> "NetworkTable[T]":
        """Return this table with `join(value, over)` wherever the other says something too."""
        table: NetworkTable[T] = NetworkTable()
        table._v4 = self._v4.overlaid(other._v4, join)  # noqa: SLF001 - one class
        table._v6 = self._v6.overlaid(other._v6, join)  # noqa: SLF001 - likewise
        return table


class _Flat(Generic[T]):
    """One address family: `values[i]` holds from `starts[i]` to the next start; `index` by the top 16 bits."""

    __slots__ = ("index", "starts", "values")

    def __init__(self, starts: list[bytes], values: list[T | None]) -> None:
        self.starts = starts
        self.values = values
        counts = [0] * 65_536
        for start in starts:
            counts[start[0] << 8 | start[1]] += 1
        self.index = list(accumulate(counts, initial=0))

    @classmethod
    def of(cls, spans: list[Span[T]], size: int) -> "_Flat[T]":
        starts = [bytes(size)]
        values: list[T | None] = [None]
        open_spans: list[tuple[bytes, T]] = []

        def mark(start: bytes, value: T | None) -> None:
            if starts[-1] == start:
                values[-1] = value
            else:
                starts.append(start)
                values.append(value)

        def close_before(first: bytes | None) -> None:
            while open_spans and (first is None or open_spans[-1][0] < first):
                last, _ = open_spans.pop()
                if last != b"\xff" * size:
                    mark((int.from_bytes(last) + 1).to_bytes(size), open_spans[-1][1] if open_spans else None)

        # Wider before narrower where they begin together: sorted() is stable, so a later equal one stays later.
        spans = sorted(sorted(spans, key=lambda span: span.last, reverse=True), key=lambda span: span.first)
        for first, last, value in spans:
            close_before(first)
            while open_spans and open_spans[-1][0] <= last:
                open_spans.pop()
            mark(first, value)
            open_spans.append((last, value))
        close_before(None)
        return cls(starts, values)

    def overlaid(self, other: "_Flat[U]", join: Callable[[T, U], T]) -> "_Flat[T]":
        starts: list[bytes] = []
        values: list[T | None] = []
        mine = others = -1
        for start in sorted({*self.starts, *other.starts}):
            mine += mine + 1 < len(self.starts) and self.starts[mine + 1] == start
            others += others + 1 < len(other.starts) and other.starts[others + 1] == start
            value, over = self.values[mine], other.values[others]
            joined = value if value is None or over is None else join(value, over)
            if not starts or joined is not values[-1]:
                starts.append(start)
                values.append(joined)
        return _Flat(starts, values)
