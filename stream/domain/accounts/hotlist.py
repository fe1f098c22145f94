"""Which accounts are hottest: ordered by score as of one instant, then by id, page by page."""

import re
from collections.abc import Iterator
from math import inf
from typing import NamedTuple, Self

from stream.domain.accounts.document import account
from stream.domain.accounts.fold import Accounts
from stream.domain.instants import LATEST

_INSTANT = re.compile(r"[0-9]{1,15}")
_PLACE = re.compile(r"([0-9]+)~(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)~(account:[\s\S]+)")


class Place(NamedTuple):
    """Where an account stands in the list that is ordered by scores as of `now` (ms)."""

    now: int
    score: float
    id: str

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Return the place that `next` told; None where it never did.

        >>> Place.read("1700000000000~82.5~account::acme.example")
        Place(now=1700000000000, score=82.5, id='account::acme.example')
        """
        found = _PLACE.fullmatch(text)
        now = None if found is None else _instant(found[1])
        return None if found is None or now is None else cls(now, float(found[2]), found[3])

    @classmethod
    def before_all(cls, now: str) -> Self | None:
        """Return the place before all accounts as of `now`, in ms as text; None where that is no instant."""
        at = _instant(now)
        return None if at is None else cls(at, inf, "")

    def write(self) -> str:
        """Return the place as `next` tells it."""
        return f"{self.now}~{self.score!r}~{self.id}"

    @property
    def order(self) -> tuple[float, str]:
        """What the list is ordered by."""
        return -self.score, self.id


def _instant(text: str) -> int | None:
    return int(text) if _INSTANT.fullmatch(text) is not None and int(text) <= LATEST else None


def ranked(fold: Accounts, stage: str | None, after: Place) -> Iterator[Place | None]:
    """Yield the places of a partition's accounts behind another, in no order; None for each that is passed over.

    The fold may go on meanwhile; `stage` None: in any.
    """
    for id_ in list(fold.rows.ids()):
        known = fold.rows.account(id_)
        if known is None or stage not in {None, known.stage}:
            yield None
            continue
        live, at = fold.live(known), max(after.now, known.as_of)
        if live.passed <= at < live.next:
            score = live.score(fold.in_force.anonymous).part("score", at)
        else:  # a member counted otherwise then: only a copy may run there
            document = account(fold, id_, after.now)
            score = 0.0 if document is None else float(document["score"])
        place = Place(after.now, score, id_)
        yield place if place.order > after.order else None
