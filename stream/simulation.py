"""The same rules in one process, without Kafka: events in log order, each with all its consequences before the next."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import orjson

from stream.domain import documents, visitor
from stream.domain.event import Event
from stream.domain.instants import parse
from stream.domain.log import Snapshot, decode, encode
from stream.domain.people import People
from stream.domain.ruleset.model import Ruleset
from stream.domain.visitor import Visitor
from stream.intake import Intake
from stream.recorded import Lines


class Visitors:
    """The rows of visitors, in memory."""

    def __init__(self, rules: Ruleset) -> None:
        self.rules = rules
        self.rows: dict[str, Visitor] = {}

    def apply(self, event: Event, line: int) -> Snapshot | None:
        """Apply the event of a line; returns what people are to hear of it."""
        if event.echo:
            return None
        node = event.node
        outcome = visitor.apply(self.rows.get(node), event, line, self.rules)
        self.rows[node] = outcome.row
        return outcome.snapshot

    def wake(self, node: str, r: int) -> Snapshot:
        """Let a row hand on snapshots from now on; returns its first."""
        self.rows[node], snapshot = visitor.wake(self.rows.get(node), node, r, self.rules)
        return snapshot

    def documents(self, at: int, lead_of: Callable[[str], str | None]) -> Iterator[dict[str, Any]]:
        """Yield the documents as of `at` (ms) of those who did something that is not forgotten, by id."""
        for node, row in sorted(self.rows.items()):
            if row.state.events > 0 and not visitor.is_forgotten(row, at, self.rules):
                yield documents.visitor(node, row.state, self.rules, lead_of(node), at, at)


class Simulation:
    """Visitors and people in memory; feed lines, then ask for the documents.

    Args:
        rules: the ruleset.
        intake: reads a line as the worker reads a record.
        app: the name in every fact's source.
    """

    def __init__(self, rules: Ruleset, intake: Intake, app: str = "leadstream") -> None:
        self.rules = rules
        self.lines = Lines(intake)
        self.visitors = Visitors(rules)
        self.people = People({}, 1, app, rules)
        self.changes: list[dict[str, Any]] = []

    @property
    def rows(self) -> dict[str, Visitor]:
        """The rows of the visitors."""
        return self.visitors.rows

    @property
    def line(self) -> int:
        """How many lines were read."""
        return self.lines.count

    @property
    def clock(self) -> int:
        """The largest receive time (ms)."""
        return self.lines.clock

    def feed(self, line: bytes) -> None:
        """Apply one line, its newline removed or not."""
        event = self.lines.read(line)
        if event is not None:
            self.apply(event, self.lines.count)

    def apply(self, event: Event, line: int) -> None:
        """Apply the event of a line, with all its consequences."""
        snapshot = self.visitors.apply(event, line)
        if snapshot is not None:
            self._hand_on(snapshot, line)

    def _hand_on(self, snapshot: Snapshot, line: int) -> None:
        self.people.apply(line, encode(snapshot))
        for fact in self.people.take_out():
            if fact.topic == "stage-changes" and fact.value is not None:
                self.changes.append(orjson.loads(fact.value))
            elif fact.topic == "wakes" and fact.value is not None:
                wake = decode(fact.value)
                heard = self.visitors.wake(fact.key.decode(), wake.r)  # type: ignore[union-attr]  # wakes holds Wakes
                self._hand_on(heard, line)

    def end_at(self, at: int | None = None) -> int:
        """Return the instant (ms) of the documents: `at`, or the largest receive time.

        Raises:
            documents.TooEarly: `at` is before the largest receive time.
        """
        at = self.clock if at is None else at
        if at < self.clock:
            raise documents.TooEarly(at, self.clock)
        return at

    def finish(self, at: int | None = None) -> dict[str, Any]:
        """Let the clock run to the end and return the document; raises as `end_at` does."""
        at = self.end_at(at)
        leads = sorted((p for p in self.people.rows.persons() if p.identified), key=lambda person: person.id)
        for person in leads:
            self.people.leads.advance(person, at, self.line)
        self._drain()
        self.changes.sort(key=lambda change: (parse(change["time"]), change["subject"], change["sequence"]))
        return {
            "visitors": list(self.visitors.documents(at, self._lead_of)),
            "leads": [documents.lead(self.people.leads, p, at, at, decided=False) for p in leads],
            "stageChanges": self.changes,
            "deadLetters": self.lines.rejected,
        }

    def _drain(self) -> None:
        out = self.people.take_out()
        self.changes += [orjson.loads(o.value) for o in out if o.topic == "stage-changes" and o.value]

    def _lead_of(self, node: str) -> str | None:
        identity = self.people.rows.identity(node)
        if identity is None or identity.shared or not identity.person:
            return None
        person = self.people.rows.person(identity.person)
        return person.id if person is not None and person.identified else None


def simulate(
    lines: Iterable[bytes], rules: Ruleset, intake: Intake, at: int | None = None, app: str = "leadstream"
) -> dict[str, Any]:
    """Return `{"visitors", "leads", "stageChanges", "deadLetters"}` of events in log order, as of `at` (ms)."""
    simulation = Simulation(rules, intake, app)
    for line in lines:
        simulation.feed(line)
    return simulation.finish(at)
