"""A patient source is not read on while its agent has no room: what others wait for would wait behind it."""

import random
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from faust.types import TP

if TYPE_CHECKING:
    from asyncio import Queue


class Patience:
    """Says which partitions are to be fetched. `topics` are patient, `index` names the channels of a partition.

    `look` makes a fetch under way look again at the partitions it was given.
    """

    def __init__(
        self, topics: Callable[[], frozenset[str]], index: Callable[[TP], Iterable[Any]], look: Callable[[], None]
    ) -> None:
        self._topics, self._index, self._look = topics, index, look
        self._wanted: set[TP] = set()
        self._left_out: set[TP] = set()

    def wanted(self, active: set[TP]) -> set[TP]:
        """Return the partitions to be fetched now; the set grows when there is room again."""
        patient = [tp for tp in active if tp.topic in self._topics()]
        room = self._room(patient)
        self._left_out = set(patient if room is None else random.sample(patient, max(0, len(patient) - room)))
        self._wanted = active - self._left_out if self._left_out else active
        return self._wanted

    def on_taken(self) -> None:
        """Hear that an agent took a batch."""
        if self._left_out and (room := self._room(self._left_out)) is not None:
            fits = set(list(self._left_out)[:room])
            self._wanted |= fits
            self._left_out -= fits
            self._look()

    def fetched(self) -> None:
        """Hear that the fetch is over."""
        self._left_out = set()

    def _room(self, patient: Iterable[TP]) -> int | None:
        """Return for how many batches there is room; None while neither all would fit nor half of a queue is free."""
        tps = list(patient)
        queues: set[Queue[Any]] = {channel.queue for tp in tps for channel in self._index(tp)}
        room = min((queue.maxsize - queue.qsize() for queue in queues), default=len(tps))
        return room if room >= len(tps) or all(room >= queue.maxsize // 2 for queue in queues) else None
