"""People as the oracle reads them out of the `people` log as it was written; what a snapshot holds, it takes from the events.

Of a snapshot only the node, the version, the receive time and whether it answers a wake are believed.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from copy import copy
from operator import itemgetter
from typing import Any

import msgspec

from tests.brokers import Record
from tests.chaos.plain import Deed, rules_of
from tests.oracle.facts import account
from tests.oracle.people import Lead, Person, Row
from tests.oracle.reading import Event
from tests.oracle.rules import Rules
from tests.oracle.scoring import Score
from tests.oracle.world import World

WITHIN = 1_000_000
"""Room for a row's events behind a record of the log: what is told later counts as applied later."""


class Told(World):
    """The world of section 7, moved on by the records of `people` instead of by lines."""

    def __init__(self, rules: Rules, app: str, partitions: int, deeds: Mapping[str, list[Deed]]) -> None:
        super().__init__(rules, app)
        self.partitions = partitions
        self.deeds = {node: list(done) for node, done in deeds.items()}
        self.taken: dict[str, int] = defaultdict(int)
        self.versions: dict[str, int] = {}
        self.ticks: dict[int, int] = {}
        self.tops: list[tuple[int, int]] = []
        """(place in the log, people's clock), only where no later one is greater: the clock may go back."""
        self.looked: dict[int, int] = {}
        """Where in the log each person was looked at last."""
        self.place = self.since = 0
        """Where the ruleset in force came, and what the clock showed there."""
        self.aged: dict[str, int] = {}
        """When time took an account from a lead: the clock may go back, the account does not come back by that."""
        self.under: dict[str, int] = {}
        """The place of the ruleset under which each lead was judged last."""
        self.between: set[str] = set()
        """Facts of leads that were judged last under another ruleset: their reason may be its change."""
        self.born: dict[str, int] = {}
        """Where in the log each identity was heard of first."""

    def read(self, records: Iterable[Record]) -> "Told":
        """Read the whole log, and then what no snapshot told."""
        for record in records:
            self.line = record.offset
            told = msgspec.msgpack.decode((record.value or b"")[1:])
            if told[0] == "tick":
                self.tick(*told[1:3])
            elif told[0] == "go on":
                self.go_on()
            elif told[0] == "snapshot":
                self.hear(*told[1:4], wake=told[9])
            elif told[0] == "deploy":
                self.deploy(told[1])
        for person in self.distinct():
            self.fall(person, self.clock_since(person))
        for node in self.deeds:
            self.advance(self.row(node), 1 << 62)
        return self

    def tick(self, partition: int, until: int) -> None:
        """Let the people's clock run."""
        self.ticks[partition] = until
        self.go_on()

    def go_on(self) -> None:
        """Let happen what is due by the clock: it is done when its lead is looked at next, for it has its own instant."""
        if len(self.ticks) == self.partitions:
            clock = min(self.ticks.values())
            while self.tops and self.tops[-1][1] <= clock:
                self.tops.pop()
            self.tops.append((self.line, clock))

    def clock_since(self, person: Person) -> int:
        """Return the newest that the clock showed since a person was looked at; 0 if it stood."""
        at = bisect_right(self.tops, self.looked.get(id(person), -1), key=itemgetter(0))
        return self.tops[at][1] if at < len(self.tops) else 0

    def deploy(self, text: bytes) -> None:
        """Put a ruleset in force: nobody is moved by that, and nothing is due under it before the clock at this place."""
        rules = rules_of(text)
        if rules is self.rules:
            return
        for person in self.distinct():
            self.due(person, 0)
            if person.lead is not None:
                person.lead.stage = rules.stage(person.lead.stage["name"])
        self.rules, self.place = rules, self.line + 1
        self.since = min(self.ticks.values()) if len(self.ticks) == self.partitions else 0

    def begin(self, person: Person, first: Row, r: int) -> None:
        """Make a person a lead, under the ruleset in force."""
        super().begin(person, first, r)
        if person.lead is not None:
            self.under[person.lead.id] = self.place

    def judge(self, person: Person, r: int, reason: str | None) -> None:
        """Do step 3, under the ruleset in force."""
        super().judge(person, r, reason)
        if person.lead is not None:
            self.under[person.lead.id] = self.place

    def change(self, person: Person, to: dict[str, Any], code: str, at: int, r: int, *, entered: int | None = None) -> None:
        """Move a lead, under the ruleset in force if the engine decides."""
        super().change(person, to, code, at, r, entered=entered)
        lead = person.lead
        if lead is not None and code != "crm" and entered is None:
            if self.under.get(lead.id) != self.place:
                self.between.add(str(self.facts[-1]["id"]))
            self.under[lead.id] = self.place

    def hear(self, node: str, version: int, r: int, *, wake: bool) -> None:
        """Apply a snapshot that is newer than what is known."""
        if version <= self.versions.get(node, -1):
            return
        self.versions[node] = version
        self.born.setdefault(node, self.line)
        row = self.row(node)
        event = self.advance(row, version)
        row.as_of = max(row.as_of, r)
        if wake:
            self.wake(row, row.as_of)
        elif event is None:
            raise LookupError(f"people {self.line}: no event of {node} at {version}")
        elif not event.bot:
            self.snapshot(row, event)
        elif not row.shared:
            self.due(self.person(row), row.as_of)
        self.to_wake.clear()  # they answer in the log

    def advance(self, row: Row, version: int) -> Event | None:
        """Let a row do what it did up to a version; return the event that is it."""
        done, event = self.deeds.get(row.id, []), None
        while self.taken[row.id] < len(done) and done[self.taken[row.id]].version <= version:
            deed = done[self.taken[row.id]]
            self.taken[row.id] += 1
            event = copy(deed.event)
            event.line = self.line * WITHIN + self.taken[row.id]
            row.take(event, deed.rules)
        return event if event is not None and done[self.taken[row.id] - 1].version == version else None

    def due(self, person: Person, until: int) -> None:
        """Do what a tick has made due before, and what falls due until then; asOf goes no further than `until` by itself."""
        clock = self.clock_since(person)
        self.fall(person, max(until, clock))
        self.looked[id(person)] = self.line
        if person.lead is not None:
            self.age(person, person.lead, clock)
            person.lead.as_of = max(person.lead.as_of, until)

    def age(self, person: Person, lead: Lead, clock: int) -> None:
        """Let what names a lead's account have become too old by the clock, at its own instant."""
        known = self.known_at(lead)
        if known < clock:
            left = account(person, self.rules, clock)
            if account(person, self.rules, known) != left:
                at = bisect_left(range(known, clock), 1, key=lambda at: account(person, self.rules, at) == left)
                self.aged[lead.id] = known + at

    def known_at(self, lead: Lead) -> int:
        """Return the instant as of which a lead's account is known."""
        return max(lead.as_of, self.aged.get(lead.id, 0))

    def conflict(self, row: Row, other: Row, code: str, r: int) -> None:
        """Say it to leads for whom a tick's due facts come before."""
        for one in (row, other):
            self.due(self.people[one.id], 0)
        super().conflict(row, other, code, r)

    def fall(self, person: Person, until: int) -> None:
        """Do what falls due in (asOf, until], each at its own instant."""
        lead = person.lead
        if lead is None or lead.as_of >= until or not may_fall(lead):
            return
        score = Score(person, self.rules)
        while (at := score.next_fall(lead, self.after(lead), until)) is not None:
            lead.as_of = at
            self.change(person, self.lower(lead, score.at(at)), score.why(lead.stage, at), at, at)

    def after(self, lead: Lead) -> int:
        """Return the instant behind which something may be due."""
        return lead.as_of if self.under.get(lead.id) == self.place else max(lead.as_of, self.since - 1)


def may_fall(lead: Lead) -> bool:
    """Tell whether a lead's stage can be lost by waiting."""
    return lead.stage["owner"] != "crm" and bool(lead.stage.get("exit"))
