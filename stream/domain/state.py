"""What is known of one source identity: its sums, its traits, where it was seen. Travels whole in every snapshot.

No row can be part of a cycle, so the garbage collector need not look at it (`gc=False`).
"""

from typing import Any

import msgspec

from stream.domain.decay import Sums
from stream.domain.event import Company
from stream.domain.outcomes import Outcomes

NEVER = -1
"""An instant before all others."""


class Trait(msgspec.Struct, array_like=True, gc=False):
    """A trait's leaf: value (null: deleted), event time, e-mail or phone kind, and its place in the `people` log."""

    value: Any
    t: int
    kind: str | None = None
    stamp: int = 0


class GroupCall(msgspec.Struct, array_like=True, gc=False):
    """What was told of one group: newest time it was named, and its traits by leaf path."""

    t: int
    traits: dict[str, Trait]
    stamp: int = 0


class State(msgspec.Struct, array_like=True, gc=False):
    """The sums and facts of one source identity. Instants are ms; `landmark` is that of all three sums.

    `company` is the newest answer, `account` the newest that may name an account. A stamp is the place in the `people` log at
    which something was told: among equal times the later applied counts.
    """

    as_of: int = NEVER
    first_seen: int = NEVER
    last_seen: int = NEVER
    events: int = 0
    bot: bool = False
    bot_t: int = NEVER
    active: int = NEVER
    landmark: int = 0
    tags: Sums = {}
    points: Sums = {}
    timing: Sums = {}
    counts: dict[str, int] = {}
    times: dict[str, list[int]] = {}
    traits: dict[str, Trait] = {}
    groups: dict[str, GroupCall] = {}
    company: Company | None = None
    company_t: int = NEVER
    account: Company | None = None
    account_t: int = NEVER
    journey: str | None = None
    journey_t: int = NEVER
    company_stamp: int = 0
    account_stamp: int = 0
    journey_stamp: int = 0
    outcomes: Outcomes | None = None

    def group(self) -> tuple[str, GroupCall] | None:
        """Return the newest group named, the later applied among equals."""
        newest = None
        for id_, call in self.groups.items():
            if newest is None or call.t >= newest[1].t:
                newest = (id_, call)
        return newest
