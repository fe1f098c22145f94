"""What comes in, for who integrates and who operates: counters by write key and library, and each key's last events.

    watching = Watching()
    watching.note(key, [(watching.library(event), "accepted", value), …])    # value: its bytes for Kafka, or b""
    watching.answered(200)                                                   # once a request; a refusal with its reason
    watching.last("website")                                                 # the newest hundred, oldest first
    watching.exposition()                                                    # for Prometheus

Outcomes, before Kafka is asked: `accepted`; `dead_letter` (accepted, and the worker will refuse it); `too_large`; the
reason of consent (`gpc`, `dnt`, `denied`, `not_given`); `type` (not for this key). All of it is bounded: libraries beyond the
first hundred are `other`, what is kept of events is one budget, shared by the keys.
"""

import re
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, Metric

from stream.collector.write_keys import WriteKey

LAST: Final = 100
LONGEST: Final = 4_096
BUDGET_BYTES: Final = 16 * 1024 * 1024
LIBRARIES: Final = 100
OTHER: Final = "other"
NONE: Final = "none"

_LIBRARY: Final = re.compile(r"[A-Za-z0-9@][A-Za-z0-9@._/ +-]{0,47}")


Noted = tuple[str, str, bytes]
"""Library, outcome and bytes of an event."""


class Seen(NamedTuple):
    """One event: when (s since 1970), what became of it, its bytes (the first few thousand) and how many there were."""

    at_s: float
    outcome: str
    value: bytes
    size: int


class _Request(NamedTuple):
    at_s: float
    events: Sequence[Noted] | Sequence[Seen]
    size: int


@dataclass(slots=True)
class _Kept:
    """The newest requests of a key: the last hundred events, and as much of what came with the oldest of them."""

    requests: deque[_Request] = field(default_factory=deque)
    count: int = 0
    size: int = 0

    def add(self, request: _Request, room: int) -> None:
        self.requests.append(request)
        self.count += len(request.events)
        self.size += request.size
        self.shrink(room)

    def shrink(self, room: int) -> None:
        while self.requests and (self.size > room or self.count - len(self.requests[0].events) >= LAST):
            oldest = self.requests.popleft()
            self.count -= len(oldest.events)
            self.size -= oldest.size


class Watching:
    """Counts and remembers; `keys` is how many there are, to share the budget among them: more may come, by a reload."""

    def __init__(self, keys: int = 1, clock: Callable[[], float] = time.time) -> None:
        """Begin with nothing."""
        self._clock = clock
        self._room = _room(keys)
        self._events: Counter[tuple[str, str, str]] = Counter()
        self._answers: Counter[tuple[str, str]] = Counter()
        self._libraries: dict[str, str] = {}
        self._last: dict[str, _Kept] = {}
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def note(self, key: WriteKey, events: Sequence[Noted]) -> None:
        """Note what became of the events of a request, of the last hundred also what they are."""
        if not events:
            return
        lengths = [len(value) for _, _, value in events]
        size, longest = sum(lengths), max(lengths)
        name = key.name
        self._count(name, events)
        now_s = self._clock()
        kept = self._last.get(name)
        if kept is None:
            kept = self._begin(name)
        if longest <= LONGEST and len(events) <= LAST and size <= self._room:
            kept.add(_Request(now_s, events, size), self._room)
        else:
            for event in events[-LAST:]:
                seen = _seen(now_s, event)
                kept.add(_Request(now_s, [seen], len(seen.value)), self._room)

    def _begin(self, name: str) -> _Kept:
        """Make room for one more key: where there are more than was said at first, the others get less."""
        kept = self._last[name] = _Kept()
        room = min(self._room, _room(len(self._last)))
        if room < self._room:
            self._room = room
            for each in self._last.values():
                each.shrink(room)
        return kept

    def _count(self, name: str, events: Sequence[Noted]) -> None:
        """Count events of a key, all at once what is alike: as the events of a batch mostly are."""
        library, outcome, _ = events[0]
        alike = 0
        for told, became, _ in events:
            if told != library or became != outcome:
                self._events[name, library, outcome] += alike
                library, outcome, alike = told, became, 0
            alike += 1
        self._events[name, library, outcome] += alike

    def library(self, event: Any) -> str:
        """Return the event's library as a label: a few of them, and nothing that could be somebody's data at length."""
        context = event.get("context") if isinstance(event, dict) else None
        library = context.get("library") if isinstance(context, dict) else None
        name = library.get("name") if isinstance(library, dict) else None
        if not isinstance(name, str):
            return NONE
        known = self._libraries.get(name)
        if known is not None:
            return known
        if len(self._libraries) >= LIBRARIES or not _LIBRARY.fullmatch(name):
            return OTHER
        self._libraries[name] = name
        return name

    def answered(self, status: int, reason: str = "") -> None:
        """Note how a request was answered."""
        self._answers[str(status), reason] += 1

    def last(self, name: str) -> list[Seen]:
        """Return the newest events of a key by its name, oldest first."""
        kept = self._last.get(name)
        requests = kept.requests if kept else ()
        seen = [each if isinstance(each, Seen) else _seen(request.at_s, each) for request in requests for each in request.events]
        return seen[-LAST:]

    @property
    def names(self) -> list[str]:
        """Return the names of the keys that events came under."""
        return list(self._last)

    def exposition(self) -> bytes:
        """Return the counters as Prometheus reads them."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yield the present state, as prometheus_client asks for it."""
        events = CounterMetricFamily(
            "leadstream_collector_events", "Events by write key, library and outcome", labels=["key", "library", "outcome"]
        )
        for labels, count in self._events.items():
            events.add_metric(labels, count)
        answers = CounterMetricFamily("leadstream_collector_requests", "Requests by answer", labels=["status", "reason"])
        for told, count in self._answers.items():
            answers.add_metric(told, count)
        yield from (events, answers)


def _room(keys: int) -> int:
    """Return the bytes that each of so many keys may keep: one event at least."""
    return max(LONGEST, BUDGET_BYTES // max(1, keys))


def _seen(at_s: float, event: Noted) -> Seen:
    _, outcome, value = event
    return Seen(at_s, outcome, value[:LONGEST], len(value))
