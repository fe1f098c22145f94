"""Whom an operator's unlink keeps apart: every pair across its cut, for all later events, until an operator links them.

The cut is written into the row of each identity it parted, so that it goes wherever they go: no event may bring two persons
together as long as one has a member of its one side, and the other a member of its other.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from stream.domain.person import Cut, Identity


def part(staying: Sequence[Identity], leaving: Sequence[Identity], at: int) -> None:
    """Keep two sides apart from a place in the log on."""
    size = len(staying) + len(leaving)
    for side, left in ((staying, False), (leaving, True)):
        for one in side:
            one.apart = [*one.apart, Cut(at, left, size)]


def are_apart(some: Iterable[Identity], others: Iterable[Identity]) -> bool:
    """Tell whether a pair of them, one of each, is kept apart."""
    cuts = _cuts(some)
    if not cuts:
        return False
    return any(mine.left is not theirs.left for other in others for theirs in other.apart for mine in cuts.get(theirs.at, ()))


def heal(members: Sequence[Identity]) -> list[Identity]:
    """Forget the cuts all of whose identities are one person again; return whose rows changed.

    One that parted others too stays: its marks say nothing among who is one person.
    """
    here = Counter(cut.at for one in members for cut in one.apart)
    changed = [one for one in members if any(here[cut.at] == cut.size for cut in one.apart)]
    for one in changed:
        one.apart = [cut for cut in one.apart if here[cut.at] < cut.size]
    return changed


def _cuts(some: Iterable[Identity]) -> dict[int, list[Cut]]:
    cuts: dict[int, list[Cut]] = {}
    for one in some:
        for cut in one.apart:
            cuts.setdefault(cut.at, []).append(cut)
    return cuts
