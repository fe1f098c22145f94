"""The law of time and of people, line by line: sections 3, 7 and 11 of the contract."""

# Decided: a key of class A or B is a lead before its links are followed, so that `lead.merged.v1` is sent also for a lead
# that the same event made; conflicts are told at once, in the order of the links; only devices are woken.

from typing import Any

from tests.oracle import identities as ids
from tests.oracle.facts import instant_text, lead_fact, stage_fact
from tests.oracle.people import Lead, Person, Row
from tests.oracle.reading import Event
from tests.oracle.rules import Rules, duration, enters, exits
from tests.oracle.scoring import Score


class World:
    """All rows, all people, and the facts that came out."""

    def __init__(self, rules: Rules, app: str = "leadstream") -> None:
        self.rules = rules
        self.source = f"/leadstream/{app}"
        self.rows: dict[str, Row] = {}
        self.people: dict[str, Person] = {}
        self.merged: dict[str, str] = {}
        self.sequences: dict[str, int] = {}
        self.conflicts: set[frozenset[str]] = set()
        self.facts: list[dict[str, Any]] = []
        self.line = 0
        self.births = 0
        self.two_became_one = False
        self.to_wake: list[Row] = []

    # Lines

    def apply(self, event: Event) -> None:
        """Apply one event with all its consequences."""
        if event.echo:
            return
        self.line = event.line
        row = self.row(event.key)
        if row.is_forgotten(event.r, self.rules):
            row.begin_anew()
        if event.message in row.messages:
            return
        row.messages.add(event.message)
        row.take(event, self.rules)
        if event.bot:
            if row.awake and not row.shared:
                self.due(self.people[row.id], row.as_of)
        elif row.awake or row.klass != "C" or event.links:
            self.snapshot(row, event)
            while self.to_wake:
                self.wake(self.to_wake.pop(0), row.as_of)

    def row(self, name: str) -> Row:
        """Return the row of an identity, a new one if there is none."""
        return self.rows.setdefault(name, Row(name, ids.class_of(name, self.rules.typed_email)))

    def snapshot(self, row: Row, event: Event) -> None:
        """Apply what an identity hands on: what is due, its sums, its links, one judgement."""
        person = self.person(row)
        row.awake = True
        self.two_became_one = False
        nobodys = row.shared
        if not nobodys:
            self.told(row, person, row.as_of)
            row.named = max(row.named, (event.t, event.line))
        for name in event.links:
            self.link(row, name, row.as_of, event)
        if nobodys:
            return
        person = self.people[row.id]
        person.collect_bonuses(self.rules)
        if event.crm_stage is not None:
            self.crm_move(person, event, row.as_of)
        else:
            self.judge(person, row.as_of, "merge" if self.two_became_one else None)

    def told(self, row: Row, person: Person, r: int) -> Person:
        """Do steps 1 and 2: what is due, then the sums; a lead may begin."""
        if row.klass == "L":
            person = self.join_by_lead_id(row, person)
        self.due(person, r)
        row.tell()
        if person.lead is None and row.klass in "AB":
            self.begin(person, row, r)
        person.collect_bonuses(self.rules)
        return person

    def wake(self, row: Row, r: int) -> None:
        """Apply what an identity brings when somebody first listens to it."""
        if row.is_forgotten(r, self.rules):
            row.begin_anew()
        row.as_of = max(row.as_of, r)
        if row.shared:
            row.awake = True
            return
        person = self.told(row, self.people[row.id], row.as_of)
        self.judge(person, row.as_of, "merge")

    # People

    def person(self, row: Row) -> Person:
        """Return whose an identity is; alone, if people never heard of it."""
        return self.people.setdefault(row.id, Person([row]))

    def join_by_lead_id(self, row: Row, person: Person) -> Person:
        """Return the person a lead id belongs to."""
        if len(person.members) > 1:
            return person
        wanted = self.survivor(ids.value_of(row.id))
        for owner in self.distinct():
            if owner.lead is not None and owner.lead.id == wanted:
                owner.members.append(row)
                self.people[row.id] = owner
                return owner
        return person

    def survivor(self, lead_id: str) -> str:
        """Return the lead id that answers for one."""
        while lead_id in self.merged:
            lead_id = self.merged[lead_id]
        return lead_id

    def distinct(self) -> list[Person]:
        """Return every person once."""
        return list({id(person): person for person in self.people.values()}.values())

    def begin(self, person: Person, first: Row, r: int) -> None:
        """Make a person a lead; events keyed by its lead id before now are its own."""
        self.births += 1
        person.lead = Lead(ids.lead_id(first.id), self.births, r, self.rules.stage("visitor"))
        early = self.people.get(f"lead::{person.lead.id}")
        if early is not None and early is not person:
            person.members.extend(early.members)
            for row in early.members:
                self.people[row.id] = person

    def link(self, row: Row, name: str, r: int, event: Event) -> None:
        """Link the key of an event to another identity that it carries."""
        if row.shared and name not in self.people:
            return
        other, unheard = self.row(name), name not in self.people
        mine, theirs = self.person(row), self.person(other)
        clash = mine is not theirs and mine.clashes(theirs)
        over = mine is not theirs and len(mine.members) + len(theirs.members) > self.rules.max_members
        if clash:
            for one in (row, other):
                one.shared = one.shared or one.klass == "C"
        elif row.shared or other.shared:
            return
        if clash or over:
            self.conflict(row, other, "class_a" if clash else "max_members", r)
            if unheard:
                del self.people[name]  # A refused link changes nothing.
            return
        other.named = max(other.named, (event.t, event.line))
        if mine is not theirs:
            self.join(mine, theirs, other, r)
        if unheard and other.klass == "C":
            self.to_wake.append(other)

    def conflict(self, row: Row, other: Row, code: str, r: int) -> None:
        """Say once per pair, to each lead concerned, that a link was refused."""
        pair = frozenset({row.id, other.id})
        if pair in self.conflicts:
            return
        self.conflicts.add(pair)
        leads = [p.lead for p in (self.people[row.id], self.people[other.id]) if p.lead is not None]
        data = {"ids": [row.id, other.id], "leads": [lead.id for lead in leads], "code": code}
        for lead in leads:
            self.emit(lead.id, "identity.conflict.v1", lead.as_of, r, data)

    def join(self, mine: Person, theirs: Person, linked: Row, r: int) -> None:
        """Make two people one."""
        self.due(mine, r)
        self.due(theirs, r)
        older, younger = mine, theirs
        if theirs.lead is not None and (mine.lead is None or theirs.lead.born < mine.lead.born):
            older, younger = theirs, mine
        ending = younger.lead
        older.members.extend(younger.members)
        for row in younger.members:
            self.people[row.id] = older
        if older.lead is None and linked.klass in "AB":
            self.begin(older, linked, r)
        if older.lead is not None and ending is not None:
            self.merge(older, older.lead, ending, r)
        older.collect_bonuses(self.rules)

    def merge(self, person: Person, lead: Lead, ending: Lead, r: int) -> None:
        """Let one lead go on for two."""
        self.two_became_one = True
        self.merged[ending.id] = lead.id
        data = {"lead": {"id": ending.id}, "into": lead.id}
        self.emit(ending.id, "lead.merged.v1", max(r, ending.as_of), r, data)
        lead.previous = sorted({*lead.previous, ending.id, *ending.previous})
        lead.as_of = max(lead.as_of, ending.as_of)
        lead.hold_until = max(lead.hold_until or 0, ending.hold_until or 0) or None
        lead.crm_t = max(lead.crm_t or 0, ending.crm_t or 0) or None
        lead.bonuses = ending.bonuses | lead.bonuses
        person.collect_bonuses(self.rules)
        if rank(ending.stage) > rank(lead.stage):
            self.change(person, ending.stage, "merge", lead.as_of, r, entered=ending.entered)

    # Time

    def due(self, person: Person, until: int) -> None:
        """Do all that falls due in (asOf, until], each at its own instant; then the clock is there."""
        lead = person.lead
        if lead is None:
            return
        while lead.as_of < until:
            score = Score(person, self.rules)
            at = score.next_fall(lead, lead.as_of, until)
            if at is None:
                lead.as_of = until
                return
            lead.as_of = at
            self.change(person, self.lower(lead, score.at(at)), score.why(lead.stage, at), at, at)

    def lower(self, lead: Lead, score: dict[str, Any]) -> dict[str, Any]:
        """Return the nearest lower engine stage that stands; below the lowest, `visitor`."""
        standing = [
            stage
            for stage in self.rules.stages
            if stage["order"] < lead.stage["order"] and stage["owner"] == "engine" and not exits(stage, score)
        ]
        return standing[-1]

    def judge(self, person: Person, r: int, reason: str | None) -> None:
        """Do step 3 at asOf."""
        lead = person.lead
        if lead is None or lead.stage["owner"] == "crm" or (lead.hold_until or 0) > lead.as_of:
            return
        score = Score(person, self.rules).at(lead.as_of)
        above = [
            stage
            for stage in self.rules.stages
            if stage["order"] > lead.stage["order"]
            and stage["owner"] == "engine"
            and enters(stage, score)
            and not exits(stage, score)
        ]
        if above:
            self.change(person, above[-1], reason or "threshold_up", lead.as_of, r)
        elif exits(lead.stage, score) and lead.as_of >= (lead.entered or 0) + duration(lead.stage.get("dwell", "0s")):
            self.change(person, self.lower(lead, score), reason or "threshold_down", lead.as_of, r)

    def crm_move(self, person: Person, event: Event, r: int) -> None:
        """Do what the CRM says, unless it said something newer before."""
        lead = person.lead
        if lead is None or (lead.crm_t is not None and event.t < lead.crm_t):
            return
        lead.crm_t = event.t
        stage = self.rules.stage(event.crm_stage or "")
        if stage["owner"] == "engine":
            lead.hold_until = lead.as_of + self.rules.hold
        if stage["name"] != lead.stage["name"]:
            self.change(person, stage, "crm", lead.as_of, r)

    # Facts

    def change(self, person: Person, to: dict[str, Any], code: str, at: int, r: int, *, entered: int | None = None) -> None:
        """Move a lead to a stage and say so."""
        lead = person.lead
        if lead is None:
            return
        left, since = lead.stage, lead.entered
        lead.stage, lead.entered = to, at if entered is None else entered
        data = stage_fact(person, lead, self.rules, left=left, since=since, code=code, at=at)
        data["freshness"] = {"asOf": instant_text(at), "offset": self.line}
        self.emit(lead.id, "lead.stage_changed.v1", at, r, data)

    def emit(self, subject: str, kind: str, at: int, r: int, data: dict[str, Any]) -> None:
        """Keep one event that goes out."""
        number = self.sequences[subject] = self.sequences.get(subject, 0) + 1
        self.facts.append(lead_fact(self.source, subject, number, kind, (at, r), data))


def rank(stage: dict[str, Any]) -> tuple[bool, int]:
    """Return how stages compare when two leads become one."""
    return stage["owner"] == "crm", stage["order"]
