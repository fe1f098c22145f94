"""The links that made a person, kept with the identity whose event named the other; what hangs on one of them alone.

Eight bytes of a hash stand for an identity. What brought a person together is always kept: a link less than it has members.
Beside that an identity keeps `KEPT` links.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import pairwise
from typing import Final

from stream.domain.packed import holds, split
from stream.domain.person import Identity

MARK: Final = 8
KEPT: Final = 64


@lru_cache(maxsize=8192)
def mark(node: str) -> bytes:
    """Return what stands for an identity in a row of links."""
    return blake2b(node.encode(), digest_size=MARK).digest()


def note(one: Identity, other: Identity, *, joins: bool = True) -> None:
    """Remember a link, if it is not known yet; it is kept with `one`. `joins`: it makes one person of two.

    >>> cookie, user = Identity("anon::9f2c"), Identity("user::42")
    >>> note(user, cookie)
    >>> note(user, cookie)
    >>> len(user.linked), len(cookie.linked)
    (8, 0)
    """
    new = mark(other.node)
    at = one.linked.find(new)
    known = at >= 0 and (at % MARK == 0 or holds(one.linked, new))
    if not known and (joins or len(one.linked) < KEPT * MARK):
        one.linked += new


def hangs_on(cut: Identity, anchor: Identity, members: Sequence[Identity]) -> list[str]:
    """Return the nodes that leave `anchor` when `cut` does: `cut`, and who is linked to it, and to `anchor` through it alone.

    Whoever is linked to neither, as far as is known, stays.
    """
    links = _neighbours(members)
    staying = _reached({anchor.node}, links, but=cut.node)
    leaving = _reached({cut.node}, links, but="") - staying
    return [one.node for one in members if one.node in leaving]


def hold_together(gone: Identity, members: Sequence[Identity]) -> None:
    """Link with one another those who were linked to one that goes: they stay one person."""
    linked = _neighbours([gone, *members])[gone.node]
    for one, other in pairwise(member for member in members if member.node in linked):
        note(one, other)


def forget_links(some: Sequence[Identity], others: Iterable[Identity]) -> None:
    """Forget what was linked across a cut, in the rows of `some`."""
    gone = {mark(one.node) for one in others}
    for one in some:
        if one.linked:
            one.linked = b"".join(known for known in split(one.linked, MARK) if known not in gone)


def _neighbours(members: Sequence[Identity]) -> Mapping[str, set[str]]:
    named = {mark(one.node): one.node for one in members}
    links: dict[str, set[str]] = {one.node: set() for one in members}
    for one in members:
        for other in (named[known] for known in split(one.linked, MARK) if known in named):
            links[one.node].add(other)
            links[other].add(one.node)
    return links


def _reached(found: set[str], links: Mapping[str, set[str]], but: str) -> set[str]:
    """Return what can be reached without passing `but`."""
    found = set(found)
    edge = list(found)
    while edge:
        new = links[edge.pop()] - found - {but}
        found |= new
        edge += new
    return found
