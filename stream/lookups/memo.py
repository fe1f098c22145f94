"""Answers kept by network: an address in a network that was asked before costs no second read of its record."""

from bisect import bisect_left
from typing import Generic, TypeVar

from stream.lookups.networks import span_of

T = TypeVar("T")

_KEPT = 65_536


class NetworkMemo(Generic[T]):
    """A bounded map of disjoint networks, as the leaves of a MaxMind tree are; full, it begins anew.

    Networks are kept in buckets of one /8 (IPv6: /24), so that adding one moves no more than a bucket; a wider one is
    kept as its part in the bucket.
    """

    def __init__(self, size: int = _KEPT) -> None:
        self._size = size
        self._held = 0
        self._buckets: dict[bytes, tuple[list[bytes], list[bytes], list[T]]] = {}

    def get(self, packed: bytes) -> T | None:
        """Return the answer of the network an address lies in, or None where none is kept."""
        bucket = self._buckets.get(packed[:1] if len(packed) == 4 else packed[:3])
        if bucket is None:
            return None
        lasts, firsts, answers = bucket
        at = bisect_left(lasts, packed)
        return answers[at] if at < len(lasts) and firsts[at] <= packed else None

    def put(self, packed: bytes, prefix: int, answer: T) -> None:
        """Keep the answer of the network of that prefix length around an address."""
        if self._held >= self._size:
            self._buckets.clear()
            self._held = 0
        head = 1 if len(packed) == 4 else 3
        first, last = span_of(packed, max(prefix, head * 8))
        lasts, firsts, answers = self._buckets.setdefault(packed[:head], ([], [], []))
        at = bisect_left(lasts, last)
        lasts.insert(at, last)
        firsts.insert(at, first)
        answers.insert(at, answer)
        self._held += 1
