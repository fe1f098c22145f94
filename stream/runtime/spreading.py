"""Which member gets which partitions: fair shares, and as few as possible move."""

from collections.abc import Collection, Mapping


def spread(partitions: int, held: Mapping[str, Collection[int]]) -> dict[str, set[int]]:
    """Return the partitions of each member; `held` says what each has now.

    Shares differ by one at most, and whoever holds more has the larger one.

    >>> shares = spread(8, {"a": {0, 1, 2, 3}, "b": {4, 5, 6, 7}, "new": set()})
    >>> [sorted(shares[member]) for member in ("a", "b", "new")]
    [[0, 1, 2], [4, 5, 6], [3, 7]]
    """
    fair, more = divmod(partitions, len(held))
    order = sorted(held, key=lambda member: (-len(held[member]), member))
    free, shares = set(range(partitions)), dict[str, set[int]]()
    for number, member in enumerate(order):
        kept = sorted(free.intersection(held[member]))[: fair + (number < more)]
        shares[member] = set(kept)
        free -= shares[member]
    left = sorted(free)
    for number, member in enumerate(order):
        missing = fair + (number < more) - len(shares[member])
        shares[member].update(left[:missing])
        left = left[missing:]
    return shares
