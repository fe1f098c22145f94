"""Going on with what is there: what does not fit, and the mark that lets a source go on all the same."""

from dataclasses import replace

import msgspec

from stream.domain.head import EPOCH_BITS
from stream.runtime.fatal import Misfit
from stream.runtime.misfits import CHANGELOG_CUT, CHANGELOG_LOST, FOLD_CUT, FOLD_LOST, FOLD_UNDONE, OTHER_RECORD, RECREATED
from stream.runtime.resume import UNMET, Found, Mark, Resume, furthest, last_known, resume

OF_PEOPLE = frozenset({FOLD_LOST, FOLD_CUT, FOLD_UNDONE})
"""What `leadstream resync` mends."""
OF_CHANGELOG = OF_PEOPLE | {CHANGELOG_LOST, CHANGELOG_CUT}
ANEW = frozenset({RECREATED, OTHER_RECORD})
"""What makes a source another one, whose offsets begin again."""


def troubles(found: Found) -> tuple[list[Misfit], Resume | None]:
    """Return what does not fit, the changelog first, and where the source would go on if it is not the trouble itself."""
    met: list[Misfit] = []
    at, mark = last_known(found)
    stored = found.stored if at is None or mark is None else (at, mark)
    for one in (found, replace(found, changelog=UNMET, begin=0, stored=stored)):
        try:
            return met, resume(one)
        except Misfit as cause:
            met.append(cause)
            if cause.kind not in OF_CHANGELOG:
                break
    return met, None


def turned(found: Found, kinds: set[str], position: int | None = None) -> tuple[int, Mark]:
    """Return the position and the mark with which a source goes on, at its beginning if nothing else is said.

    One that was recreated begins a new epoch. Else positions go on as they were: what is read again, rows skip that have
    it, and rows that are lost take. By which ruleset it is judged stays.
    """
    said = last_known(found)[1] or Mark()
    epoch = max(said.epoch, (found.state_at or 0) >> EPOCH_BITS) + bool(kinds & ANEW)
    mark = Mark(
        changelog=found.changelog, partitions=found.partitions, rules=said.rules, place=said.place, epoch=epoch,
        turn=said.turn + 1, begin=found.begin,
    )  # fmt: skip
    return found.first if position is None else position, mark


def held(found: Found, kinds: set[str]) -> tuple[int, Mark]:
    """Return the position and the mark of a source whose table is being made again: under them no worker reads on.

    It stands at the first record that may be unread: its beginning where it is not known how far it was read.
    """
    at, mark = last_known(found)
    read = furthest(found, at, mark or Mark())[1]
    position = found.first if read is None or kinds & ANEW else max(found.first, read)
    return position, msgspec.structs.replace(turned(found, kinds)[1], changelog=UNMET)
