"""The ruleset in force among people, and what its change means for a lead.

A change moves nobody by itself: a lead meets the new ruleset at its next record or due instant, and nothing is due under it
before the people's clock at which it came. Until a lead is judged under it, the one by which it was judged last is known, to
tell what the event moves from what the new ruleset does.
"""

from dataclasses import replace

from stream.domain import stages
from stream.domain.editions import KEPT, Edition, Editions, left_behind, loaded, standing_in
from stream.domain.log import Unreadable
from stream.domain.person import Person
from stream.domain.ruleset.model import Ruleset
from stream.domain.stages import Move
from stream.domain.view import View


class InForce:
    """The editions of the people, the newest one compiled.

    Args:
        editions: as the table has them.
        known: a ruleset that is compiled already, perhaps the one in force.
    """

    def __init__(self, editions: Editions, known: Ruleset) -> None:
        self.editions = editions
        newest = editions.newest
        rules = known if known.text == newest.text else loaded(newest.text)
        self.rules = replace(rules, gone=standing_in(rules.stages, editions.gone))
        self.place, self.since = newest.place, newest.since
        self.weak_email = any(map(_may_be_weak, editions.held))
        """Whether an address is, or was when it came, a device that tells nothing before it is woken."""

    def followed_by(self, text: bytes, place: int, clock: int) -> "InForce":
        """Return what is in force once a text comes at a place in the log, at which the people's clock says `clock` (ms)."""
        rules = loaded(text)
        gone = left_behind(self.rules, rules, self.editions.gone)
        held = [*self.editions.held, Edition(place, clock, text)][-KEPT:]
        return InForce(Editions(held, gone), rules)

    def next_due(self, view: View) -> Move | None:
        """Return what changes for a lead if no event comes."""
        base = view.person.as_of
        return view.next_due(view.outlook(base), self.after(view.person, base))

    def after(self, person: Person, base: int) -> int:
        """Return the instant (ms) after which a lead may move by time alone: by new rules not before they came into force."""
        return base if person.rules == self.place else max(base, self.since - 1)

    def reason(self, view: View, move: Move) -> str:
        """Return the code of why the engine moves a lead: `ruleset_change` where the former ruleset would not have moved it."""
        if view.person.stage in self.rules.gone:
            return "ruleset_change"
        if view.person.rules == self.place:
            return move.code
        former = loaded(self.editions.of(view.person.rules).text)
        before = View(view.person, view.members, former)
        would = stages.judge(former.stages, before.standing(), before.outlook(view.person.as_of), move.at)
        promotes = move.code == "threshold_up"
        return move.code if would is not None and (would.code == "threshold_up") == promotes else "ruleset_change"


def _may_be_weak(edition: Edition) -> bool:
    """Tell whether addresses were devices by an edition; of one that only a newer release reads nobody knows."""
    try:
        return loaded(edition.text).typed_email == "C"
    except Unreadable:
        return True
