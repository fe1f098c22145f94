"""A partition of `events` while a batch is applied to it: what was counted, and what the batch has to say."""

from typing import TYPE_CHECKING

from stream.agents.erasing import Graveyard
from stream.domain import log
from stream.runtime.batches import Batch
from stream.runtime.lanes import Message

if TYPE_CHECKING:
    from stream.domain.ruleset.model import Ruleset
    from stream.domain.visitor import Visitor
    from stream.intake import Intake
    from stream.runtime.rows import RowPart

VERDICTS = ("own", "dead letter", "echo", "forwarded", "duplicate", "applied")
"""What a record of `events` becomes: exactly one of these."""


class Open:
    """One open partition, one batch. Positions in rows are `base` + offset."""

    __slots__ = (
        *("base", "counts", "graves", "history", "intake", "part", "partition"),
        *("out_bytes", "received", "rules", "snapshots", "told_at", "topic"),
    )

    def __init__(self, batch: Batch, part: "RowPart[Visitor]", base: int) -> None:
        self.topic, self.partition = batch.tp.topic, batch.tp.partition
        self.part, self.base, self.graves = part, base, Graveyard(part)
        self.rules: Ruleset
        self.intake: Intake
        self.counts = dict.fromkeys((*VERDICTS, "late"), 0)  # a Counter counts at a third of the speed
        self.received: list[int] = []
        self.snapshots: list[Message] = []
        self.told_at: list[int] = []
        self.out_bytes = 0
        self.history = False

    def say(self, told: log.Record) -> None:
        """Have a record for `people`."""
        message = log.encode(told)
        self.snapshots.append(Message(None, message))
        self.out_bytes += len(message)
