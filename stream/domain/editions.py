"""Which ruleset holds from where. Rulesets come through the log, so that a place in the log never meets another one."""

from collections.abc import Mapping
from functools import lru_cache
from math import inf

import msgspec

from stream.domain.head import FORMAT, LENGTH, head_at
from stream.domain.log import Unreadable
from stream.domain.ruleset.load import load
from stream.domain.ruleset.mistakes import RulesetError
from stream.domain.ruleset.model import Ruleset, Stage

KEPT = 4
"""How many editions are remembered, the newest among them."""
MAX_TEXT = 200_000
"""Bytes of a ruleset's text: a row of `KEPT` of them is a record that Kafka takes."""


class Edition(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A ruleset as it came into force.

    `place` is that of its record in the `people` log, its offset + 1; 0: it was in force from the beginning. It holds from
    `since` on: a position in a partition of `events`, or, for people, their clock (ms) at that record.
    """

    place: int
    since: int
    text: bytes


class Gone(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A stage that a former ladder had: whose it was, and the names of those below it, highest first."""

    owner: str
    below: list[str]


class Editions(msgspec.Struct, array_like=True, frozen=True):
    """The last `KEPT` editions, oldest first, and the stages that leads may still stand in though the ladder has them no more."""

    held: list[Edition]
    gone: dict[str, Gone] = {}

    @property
    def newest(self) -> Edition:
        """The edition in force."""
        return self.held[-1]

    def at(self, position: int) -> Edition:
        """Return the edition that holds at a position, the oldest known one before all of them."""
        return next((one for one in reversed(self.held) if one.since <= position), self.held[0])

    def read_up_to(self, offset: int) -> Edition:
        """Return the edition in force once `people` is read up to an offset."""
        return next((one for one in reversed(self.held) if one.place <= offset), self.held[0])

    def of(self, place: int) -> Edition:
        """Return the edition that came at a place, the oldest known one for a place that is forgotten."""
        return next((one for one in self.held if one.place >= place), self.newest)

    def followed_by(self, edition: Edition) -> "Editions":
        """Return the editions with a newer one; one that is not newer is a repeat, the same text again only moves its place."""
        newest = self.newest
        if edition.place <= newest.place:
            return self
        if edition.text == newest.text:
            return Editions([*self.held[:-1], Edition(edition.place, newest.since, newest.text)], self.gone)
        return Editions([*self.held, edition][-KEPT:], self.gone)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Editions).decode


def body(editions: Editions) -> bytes:
    """Return the row without its head."""
    return _encode(editions)


def row(editions: Editions) -> bytes:
    """Return the row of a partition of `events`: its position is that of the newest edition."""
    return head_at(editions.newest.since) + _encode(editions)


def read(data: bytes) -> Editions:
    """Return the editions in a row; raises `Unreadable`."""
    if data[:1] != FORMAT:
        raise Unreadable(f"ruleset row of format {data[:1].hex() or 'none'}: this release reads format {FORMAT.hex()}")
    try:
        return _decode(memoryview(data)[LENGTH:])
    except msgspec.MsgspecError as error:
        raise Unreadable(f"ruleset row cannot be read: {error}") from error


@lru_cache(maxsize=2 * KEPT)
def loaded(text: bytes) -> Ruleset:
    """Return a ruleset that was checked when it was deployed; raises `Unreadable` where this release knows less."""
    try:
        return load(text)
    except RulesetError as error:
        first = str(error).splitlines()[0]
        raise Unreadable(f"the deployed ruleset cannot be read by this release, which it is newer than: {first}") from error


def left_behind(old: Ruleset, new: Ruleset, gone: Mapping[str, Gone]) -> dict[str, Gone]:
    """Return the stages that are gone once `new` follows `old`, with those that were gone before."""
    names = [stage.name for stage in old.stages]
    lost = {stage.name: Gone(stage.owner, names[: stage.order - 1][::-1]) for stage in old.stages}
    kept = {stage.name for stage in new.stages}
    return {name: stage for name, stage in {**gone, **lost}.items() if name not in kept}


def standing_in(ladder: tuple[Stage, ...], gone: Mapping[str, Gone]) -> dict[str, Stage]:
    """Return the gone stages as rungs, each above the highest one left of those it was above.

    A lead cannot stay in one of the engine's: it has an exit that always holds.
    """
    orders = {stage.name: stage.order for stage in ladder}
    stages = {}
    for name, stage in gone.items():
        order = 1 + next((orders[lower] for lower in stage.below if lower in orders), 0)
        stages[name] = Stage(name, order, stage.owner, exit=None if stage.owner == "crm" else {"total": inf})
    return stages
