"""A person: the source identities that belong to one human, and where the lead stands.

The sums live with the identities; a person is their sum, computed when asked. So a merge and its undoing are exact.
"""

import msgspec

from stream.domain.ruleset.model import Ruleset, Stage
from stream.domain.stages import VISITOR
from stream.domain.state import NEVER, State


class Identity(msgspec.Struct, array_like=True):
    """One source identity as the people log knows it.

    `version` is its newest snapshot's (-1: none yet), `person` the id of its person ("": nobody's), `named_t` the newest
    event time that named it, `kind` its e-mail or phone kind, `refused` six bytes for each node it was refused with lately.
    `state` is a row of its own, so that a change of person does not write it again.
    """

    node: str
    version: int = -1
    person: str = ""
    shared: bool = False
    kind: str = ""
    named_t: int = NEVER
    named_stamp: int = 0
    refused: bytes = b""
    state: State = msgspec.field(default_factory=State)

    def name_at(self, t: int, offset: int) -> None:
        """Remember that an event of `t` names it; among equal times the later in the log counts."""
        if t >= self.named_t:
            self.named_t, self.named_stamp = t, offset + 1


class Bonus(msgspec.Struct, array_like=True):
    """A sequence's bonus, earned once, dated at its last step."""

    t: int
    points: float
    half_life_ms: float


class Person(msgspec.Struct, array_like=True):
    """A person's own facts. `id` is the lead id once identified; `into` names the survivor of one that was merged away.

    `born` is the log position that made it, `identified` that of its identification (0: not a lead), `crm_t` the newest CRM
    move's event time, `sequence` that of its newest fact, `rules` the place of the ruleset under which it was judged last.
    """

    id: str
    born: int = 0
    into: str = ""
    members: list[str] = []
    identified: int = 0
    as_of: int = NEVER
    sequence: int = 0
    stage: str = VISITOR.name
    entered_at: int = NEVER
    hold_until: int = NEVER
    crm_t: int = NEVER
    route: str = "nurture"
    previous: list[str] = []
    bonuses: dict[str, Bonus] = {}
    rules: int = 0


def stage_named(rules: Ruleset, name: str) -> Stage:
    """Return a stage by name, also one that the ladder has no more; `visitor` is the one before the ladder."""
    found = next((stage for stage in rules.stages if stage.name == name), None)
    return found or rules.gone.get(name, VISITOR)
