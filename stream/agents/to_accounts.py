"""What the people tell accounts: their members, a ruleset that came into force, and how far the clock is."""

import time
from typing import TYPE_CHECKING

from stream.agents.anonymous import partition_of_account
from stream.domain.log import Tick, encode
from stream.runtime.lanes import Message

if TYPE_CHECKING:
    from stream.domain.people import People
    from stream.runtime.atomic import AtomicPart
    from stream.runtime.flow import Flow

TICK_S = 0.2
"""The clock is passed on at most so often: `members` may have many partitions."""


class ToAccounts:
    """Part of the people's agent; `topic` is `members`."""

    def __init__(self, flow: "Flow", topic: str) -> None:
        self._flow, self._topic = flow, topic
        self._clock: int | None = None
        self._ticked_at = 0.0

    def hand_on(self, part: "AtomicPart[People]") -> None:
        """Send what was folded, and behind it, in the same order everywhere, the clock."""
        membership = part.fold.membership
        if membership is None:
            return
        messages: dict[int, list[Message]] = {}
        for out in membership.out:
            at = partition_of_account(out.key, self._flow.counts[self._topic]) if out.partition is None else out.partition
            messages.setdefault(at, []).append(Message(out.key or None, out.value))
        membership.out.clear()
        self._add_clock(membership.clock(part.fold.partitions), messages)
        for partition, some in messages.items():
            part.sent(self._flow.outbox.put(self._topic, partition, some))

    def _add_clock(self, clock: int | None, messages: dict[int, list[Message]]) -> None:
        now = time.monotonic()
        if clock is None or clock == self._clock or now - self._ticked_at < TICK_S:
            return
        self._clock, self._ticked_at = clock, now
        tick = Message(None, encode(Tick(0, clock)))
        for partition in range(self._flow.counts[self._topic]):
            messages.setdefault(partition, []).append(tick)
