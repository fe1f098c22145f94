"""When something is due for whom: a heap of lower bounds, rebuilt from the rows, never stored."""

from collections.abc import Iterator
from heapq import heappop, heappush


class Timers:
    """One armed instant (ms) per lead; what the heap holds beside it is stale and passed over."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, str]] = []
        self._armed: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._armed)

    def arm(self, lead: str, at: int | None) -> None:
        """Set a lead's instant; None disarms."""
        if at is None:
            self.disarm(lead)
        elif self._armed.get(lead) != at:
            self._armed[lead] = at
            heappush(self._heap, (at, lead))

    def disarm(self, lead: str) -> None:
        """Forget a lead."""
        self._armed.pop(lead, None)

    def at(self, lead: str) -> int | None:
        """Return the lead's instant: nothing is due for it before; None: nothing ever."""
        return self._armed.get(lead)

    def is_due(self, clock: int) -> bool:
        """Tell whether something may be due at or before `clock`."""
        return bool(self._heap) and self._heap[0][0] <= clock

    def due(self, clock: int) -> Iterator[tuple[int, str]]:
        """Yield (instant, lead) of the leads due at or before `clock`, in that order; each is disarmed first."""
        while self._heap and self._heap[0][0] <= clock:
            at, lead = heappop(self._heap)
            if self._armed.get(lead) == at:
                del self._armed[lead]
                yield at, lead


class LeadTimers(Timers):
    """Of leads: when a stage may change, and in `ages` when what names an account may have grown too old."""

    def __init__(self) -> None:
        super().__init__()
        self.ages = Timers()
