"""By which ruleset a partition of `events` goes on that was adopted, for its table, or what it read, may have lost word of it."""

from typing import NamedTuple

import msgspec
from faust.types import TP

from stream.domain import editions
from stream.domain.editions import Edition, Editions, loaded
from stream.domain.head import EPOCH_BITS
from stream.domain.ownrows import RULESET
from stream.ops.survey import Looked, Survey
from stream.runtime.resume import Mark


class Turn(NamedTuple):
    """A source that goes on at a position, with a mark."""

    looked: Looked
    position: int
    mark: Mark

    @property
    def begins_at(self) -> int:
        """Its position as rows have it, behind its epoch."""
        return self.mark.epoch << EPOCH_BITS | self.position


def in_force(survey: Survey, people: TP) -> Edition | None:
    """Return the ruleset in force, as the people's table says, else the newest that another one knows; None: there is none."""
    own = survey.row_of(people, RULESET)
    known = [editions.read(row).newest for row in (survey.rows_of(RULESET) if own is None else [own])]
    return max(known, key=lambda edition: edition.place, default=None)


def holding(row: bytes | None, newest: Edition | None, since: int) -> Editions | None:
    """Return what holds in a partition: what its row says, and where that is behind, the newest ruleset from a position on."""
    known = None if row is None else editions.read(row)
    if newest is None:
        return known
    if known is None:
        return Editions([Edition(newest.place, since, newest.text)])
    return known.followed_by(Edition(newest.place, max(since, known.newest.since), newest.text))


def judged_by(turn: Turn, held: Editions | None) -> Turn:
    """Return a turn whose mark says which ruleset holds there; None: the next worker's own."""
    rules, place = ("", 0) if held is None else (loaded(held.newest.text).hash, held.newest.place)
    return turn._replace(mark=msgspec.structs.replace(turn.mark, rules=rules, place=place))
