"""A person: the source identities that belong to one human, and where the lead stands.

The sums live with the identities; a person is their sum, computed when asked. So a merge and its undoing are exact. As in
`state`, no row can be part of a cycle.
"""

import msgspec

from stream.domain.ruleset.model import Ruleset, Stage
from stream.domain.stages import VISITOR
from stream.domain.state import NEVER, State

PLACE_BITS = 10
"""Of a stamp: an event has no more members than that tells apart."""
BARE = 500
"""Bytes that a person's row takes beside the ids in it, about."""


class Cut(msgspec.Struct, array_like=True, gc=False):
    """An operator's unlink, at a place in the log: identities of its two sides stay apart, as long as they are two persons'.

    `size` is how many identities it cut apart, both sides together, `other` the lead on the other side ("": none): what is
    told of that one may still name who is on this.
    """

    at: int
    left: bool
    size: int
    other: str = ""


class Identity(msgspec.Struct, array_like=True, gc=False):
    """One source identity as the people log knows it.

    `version` is its newest snapshot's (-1: none yet), `person` the id of its person ("": nobody's), `named_t` the newest
    event time that named it, `kind` its e-mail or phone kind, `refused` six bytes for each node it was refused with lately.
    `state` is a row of its own, so that a change of person does not write it again. `linked` are the marks of whom its own
    events, or an operator, linked it to (`stream.domain.graph`), `apart` what an operator's unlink keeps it from.
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
    counted: str = ""
    linked: bytes = b""
    apart: list[Cut] = []
    asked: bool = False
    """Whether its sums are asked for once more: the answer counts under the version that is known already."""

    def name_at(self, t: int, offset: int, place: int = 0) -> None:
        """Remember that an event of `t` names it, at a place among its links; among equal times the later in the log counts."""
        if t >= self.named_t:
            self.named_t, self.named_stamp = t, (offset + 1) << PLACE_BITS | min(place, (1 << PLACE_BITS) - 1)


class Bonus(msgspec.Struct, array_like=True, gc=False):
    """A sequence's bonus, earned once, dated at its last step; `by` is the lead it was taken over from at a merge."""

    t: int
    points: float
    half_life_ms: float
    by: str = ""


class Stood(msgspec.Struct, array_like=True, gc=False):
    """A stage that a lead stands in, or stood in before it took another one over; `by` is whose it was ("": its own)."""

    stage: str
    entered_at: int
    by: str = ""


class Joined(msgspec.Struct, array_like=True, gc=False):
    """What merges changed of a lead, for an unlink to give back.

    `by` is the lead whose stage it stands in ("": its own), `under` are the stages it stood in before it took that over, the
    first one its own. Of a lead that was merged away: `hold_until` and `crm_t` (ms) are what the survivor had before.
    """

    by: str = ""
    under: list[Stood] = []
    hold_until: int = NEVER
    crm_t: int = NEVER


class Person(msgspec.Struct, array_like=True, gc=False):
    """A person's own facts. `id` is the lead id once identified; `into` names the survivor of one that was merged away.

    `born` is the log position that made it, `identified` that of its identification (0: not a lead), `crm_t` the newest CRM
    move's event time, `sequence` that of its newest fact, `rules` the place of the ruleset under which it was judged last.
    `aged` is the instant (ms) as of which it is known what names its `account`, where such things grow old: its clock when it was
    last told, or when something of that was last found too old.
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
    account: str = ""
    joined: Joined | None = None
    aged: int = NEVER

    @property
    def placed_at(self) -> int:
        """The instant (ms) as of which its account is known; `aged` in a row of the release before is not."""
        return self.as_of if self.aged == NEVER else self.aged

    @property
    def weight(self) -> int:
        """About how many bytes its row takes: ids make one large."""
        return BARE + sum([len(id_.encode()) for id_ in (*self.members, *self.previous)])


def stage_named(rules: Ruleset, name: str) -> Stage:
    """Return a stage by name, also one that the ladder has no more; `visitor` is the one before the ladder."""
    for stage in rules.stages:
        if stage.name == name:
            return stage
    return rules.gone.get(name, VISITOR)
