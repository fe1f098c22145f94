"""Recorded events, line by line in log order: which event each is, when it was received, and what is refused."""

from typing import Any

from schemas.event import Rejected
from stream.domain.event import Event
from stream.intake import Intake


class Lines:
    """Reads one line after the other: what a line does not say of its receive time, the line before it does.

    `count` is how many were read, `received` (ms) when the last that was no dead letter was received, `clock` the largest of
    these, `rejected` the dead letters as they are shown.
    """

    def __init__(self, intake: Intake) -> None:
        self.intake = intake
        self.count = 0
        self.received: int | None = None
        self.clock = 0
        self.rejected: list[dict[str, Any]] = []

    def read(self, line: bytes) -> Event | None:
        """Return the event of the next line, its newline removed or not; None for a dead letter."""
        self.count += 1
        event = self.intake.read_line(line.rstrip(b"\r\n"), self.received)
        if isinstance(event, Rejected):
            self.rejected.append({"line": self.count, "reason": event.reason, "message": event.message})
            return None
        self.received = r = event.r
        self.clock = max(self.clock, r)
        return event

    def read_at(self, number: int, line: bytes, before: int | None) -> Event | None:
        """Read the line of a number, where others read those in between; the good one before it was received at `before`."""
        self.count, self.received = number - 1, before
        return self.read(line)
