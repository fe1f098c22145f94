"""The ruleset in force among accounts, and what its change means for one: as for leads, nobody is moved by it alone."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from stream.domain import stages
from stream.domain.accounts.account import Account
from stream.domain.accounts.score import AccountScore
from stream.domain.editions import KEPT, Edition, Editions, left_behind, loaded, standing_in
from stream.domain.log import NewRuleset
from stream.domain.ruleset.model import Ruleset, Stage
from stream.domain.stages import VISITOR, Move, Standing
from stream.domain.state import NEVER

Scored = Callable[[float], AccountScore]
"""Gives an account's score with a weight of anonymous visitors."""


class AccountRules:
    """The editions of a partition's accounts, the newest one compiled.

    Args:
        editions: as the table has them.
        known: a ruleset that is compiled already, perhaps the one in force.
    """

    def __init__(self, editions: Editions, known: Ruleset) -> None:
        self.editions = editions
        newest = editions.newest
        self.rules = known if known.text == newest.text else loaded(newest.text)
        self.stages, self.anonymous = self.rules.accounts.stages, self.rules.accounts.anonymous
        self.gone = standing_in(self.stages, editions.gone)
        self.place, self.since = newest.place, newest.since

    def followed_by(self, new: NewRuleset, clock: int) -> "AccountRules":
        """Return what is in force once a ruleset comes, at which the accounts' clock says `clock` (ms)."""
        rules = loaded(new.text)
        if new.place <= self.place:
            return self
        if new.text == self.rules.text:
            moved = Edition(new.place, self.since, new.text)
            return AccountRules(Editions([*self.editions.held[:-1], moved], self.editions.gone), rules)
        gone = left_behind(_with_ladder(self.rules), _with_ladder(rules), self.editions.gone)
        held = [*self.editions.held, Edition(new.place, clock, new.text)][-KEPT:]
        return AccountRules(Editions(held, gone), rules)

    def ladder(self, account: Account) -> Sequence[Stage]:
        """Return the stages as an account meets them: one that it stands in though the ruleset has it no more is among them."""
        gone = self.gone.get(account.stage)
        return self.stages if gone is None else (*self.stages[: gone.order - 1], gone, *self.stages[gone.order - 1 :])

    def standing(self, account: Account) -> Standing:
        """Return where an account stands."""
        return _standing(self.stages, self.gone.get(account.stage, VISITOR), account)

    def next_due(self, account: Account, score: AccountScore, after: int) -> Move | None:
        """Return what changes next if nobody comes; from a stage that is gone it may lead anywhere."""
        if account.rules != self.place:
            after = max(after, self.since - 1)
        ladder, now = self.ladder(account), self.standing(account)
        move = stages.next_due(ladder, now, score, after)
        if move is None or account.stage not in self.gone:
            return move
        return stages.judge(ladder, now, score, move.at)

    def reason(self, account: Account, move: Move, scored: Scored) -> str:
        """Return the code of why an account moves: `ruleset_change` where the former ruleset would not have moved it."""
        if account.stage in self.gone:
            return "ruleset_change"
        if account.rules == self.place:
            return move.code
        former = loaded(self.editions.of(account.rules).text).accounts
        now = _standing(former.stages, VISITOR, account)
        would = stages.judge(former.stages, now, scored(former.anonymous), move.at)
        promotes = move.code == "threshold_up"
        return move.code if would is not None and (would.code == "threshold_up") == promotes else "ruleset_change"


def _standing(ladder: Sequence[Stage], other: Stage, account: Account) -> Standing:
    stage = next((stage for stage in ladder if stage.name == account.stage), other)
    return Standing(stage, account.entered_at, NEVER)


def _with_ladder(rules: Ruleset) -> Ruleset:
    return replace(rules, stages=rules.accounts.stages)
