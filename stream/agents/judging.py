"""By which ruleset each open partition judges, and the reader of events that goes with it."""

from collections.abc import Callable

from stream.agents.opened import Open
from stream.agents.rules import RULESET_KEY, RulesInForce
from stream.domain.editions import Edition, Editions
from stream.domain.ruleset.model import Ruleset
from stream.domain.visitor import Visitor
from stream.intake import Intake
from stream.runtime.rows import RowPart

MakeIntake = Callable[[frozenset[str]], Intake]
"""Makes the reader of events for a ruleset's stage names."""


class Judging:
    """Part of the visitors' agent."""

    def __init__(self, rules: RulesInForce, make_intake: MakeIntake) -> None:
        self.rules, self._make_intake = rules, make_intake
        self._intakes: dict[str, Intake] = {}

    def seed(self, part: RowPart[Visitor]) -> None:
        """Put the worker's own ruleset in force in a partition that is opened for the first time ever."""
        if RULESET_KEY not in part.stored:
            part.put_raw(RULESET_KEY, self.rules.row())
        self.rules.noted(self.in_force(part))

    def editions(self, part: RowPart[Visitor]) -> Editions:
        """Return the rulesets that hold in a partition, each from its position on."""
        return self.rules.editions(part.stored[RULESET_KEY])

    def in_force(self, part: RowPart[Visitor]) -> Ruleset:
        """Return the newest of them."""
        return self.rules.of(self.editions(part).newest)

    def judge_by(self, edition: Edition, to: Open) -> None:
        """Let what follows in a batch be judged by an edition."""
        to.rules = self.rules.of(edition)
        to.intake = self._intake(to.rules)

    def _intake(self, rules: Ruleset) -> Intake:
        intake = self._intakes.get(rules.hash)
        if intake is None:
            stages = frozenset(stage.name for stage in rules.stages)
            intake = self._intakes[rules.hash] = self._make_intake(stages)
        return intake
