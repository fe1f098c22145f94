"""The same rules in one process, without Kafka: events in log order, each with all its consequences before the next."""

from collections.abc import Iterable
from typing import Any

import orjson

from schemas.event import Rejected
from stream.domain import documents, outcomes, visitor
from stream.domain.event import Event
from stream.domain.instants import parse
from stream.domain.log import Snapshot, decode, encode
from stream.domain.people import People
from stream.domain.ruleset.model import Ruleset
from stream.domain.visitor import Visitor
from stream.intake import Intake


class Simulation:
    """Visitors and people in memory; feed lines, then ask for the documents.

    Args:
        rules: the ruleset.
        intake: reads a line as the worker reads a record.
        app: the name in every fact's source.
    """

    def __init__(self, rules: Ruleset, intake: Intake, app: str = "leadstream") -> None:
        self.rules, self.intake = rules, intake
        self.rows: dict[str, Visitor] = {}
        self.people = People({}, 1, app, rules)
        self.changes: list[dict[str, Any]] = []
        self.rejected: list[dict[str, Any]] = []
        self.line = 0
        self.received: int | None = None
        self.clock = 0

    def feed(self, line: bytes, read: Event | Rejected | None = None) -> None:
        """Apply one line, its newline removed or not; `read` is what it is, if that is known."""
        self.line += 1
        event = self.intake.read_line(line.rstrip(b"\r\n"), self.received) if read is None else read
        if not isinstance(event, Event):
            self.rejected.append({"line": self.line, "reason": event.reason, "message": event.message})
            return
        self.received = r = event.r
        self.clock = max(self.clock, r)
        outcome = visitor.apply(self.rows.get(event.node), event, self.line, self.rules)
        if outcome.row is not None:
            self.rows[event.node] = outcome.row
        if outcome.snapshot is not None:
            self._hand_on(outcome.snapshot)

    def look(self, line: bytes) -> Event | Rejected:
        """Read a line as if it were the first, with what the rules say of it; changes nothing here."""
        event = self.intake.read_line(line.rstrip(b"\r\n"), None)
        if isinstance(event, Event) and not event.bot and not event.echo:
            event.match = self.rules.match(event)
            if event.event in outcomes.NAMES:
                return event
            dwell = self.rules.dwell
            event.properties = {} if dwell is None else {key: x for key, x in event.properties.items() if key == dwell.property}
        return event

    def _hand_on(self, snapshot: Snapshot) -> None:
        self.people.apply(self.line, encode(snapshot))
        for fact in self.people.take_out():
            if fact.topic == "stage-changes" and fact.value is not None:
                self.changes.append(orjson.loads(fact.value))
            elif fact.topic == "wakes" and fact.value is not None:
                self._wake(fact.key.decode(), fact.value)

    def _wake(self, node: str, value: bytes) -> None:
        wake = decode(value)
        known = self.rows.get(node)
        row, snapshot = visitor.wake(known, node, wake.r, self.rules)  # type: ignore[union-attr]  # wakes holds Wakes
        self.rows[node] = row
        self._hand_on(snapshot)

    def finish(self, at: int | None = None) -> dict[str, Any]:
        """Let the clock run to `at` (default: the largest receive time) and return the document.

        Raises:
            documents.TooEarly: `at` is before the largest receive time.
        """
        at = self.clock if at is None else at
        if at < self.clock:
            raise documents.TooEarly(at, self.clock)
        leads = sorted((p for p in self.people.rows.persons() if p.identified), key=lambda person: person.id)
        for person in leads:
            self.people.leads.advance(person, at, self.line)
        self._drain()
        self.changes.sort(key=lambda change: (parse(change["time"]), change["subject"], change["sequence"]))
        return {
            "visitors": [self._visitor(node, row, at) for node, row in sorted(self.rows.items()) if self._is_known(row, at)],
            "leads": [documents.lead(self.people.leads.view(p), at, at, decided=False) for p in leads],
            "stageChanges": self.changes,
            "deadLetters": self.rejected,
        }

    def _drain(self) -> None:
        out = self.people.take_out()
        self.changes += [orjson.loads(o.value) for o in out if o.topic == "stage-changes" and o.value]

    def _is_known(self, row: Visitor, at: int) -> bool:
        return row.state.events > 0 and not visitor.is_forgotten(row, at, self.rules)

    def _visitor(self, node: str, row: Visitor, at: int) -> dict[str, Any]:
        return documents.visitor(node, row.state, self.rules, self._lead_of(node), at, at)

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
