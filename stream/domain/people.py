"""The one ordered log that decides about people: a pure fold of snapshots and ticks into persons, stages and facts.

A snapshot is applied in this order: what is due, its sums, its links, one judgement. A tick lets the people's clock run.
The fold reads no clock and no file; what it emits is a function of the log alone.
"""

from collections.abc import MutableMapping
from dataclasses import dataclass

from stream.domain import facts, stages
from stream.domain.facts import Change
from stream.domain.ids import class_of, kind_of, lead_id, value_of
from stream.domain.links import Links
from stream.domain.log import Snapshot, Tick, Wake, decode, encode
from stream.domain.person import Identity, Person, stage_named
from stream.domain.rows import Rows
from stream.domain.ruleset.load import load
from stream.domain.ruleset.model import Ruleset, Stage
from stream.domain.scoring import Outlook
from stream.domain.stages import Move, Standing
from stream.domain.state import NEVER, State
from stream.domain.timers import Timers
from stream.domain.view import View


@dataclass(frozen=True, slots=True)
class Out:
    """A record for an output topic; `cause_ms` is the receive time of what caused it."""

    topic: str
    key: bytes
    value: bytes | None
    cause_ms: int


@dataclass(slots=True)
class Cause:
    """The record being applied: its offset, its receive time (or the due instant), and why a judgement moves a lead."""

    offset: int
    r: int
    code: str | None = None


class People:
    """The fold over the `people` log.

    Args:
        stored: the table's partition, key bytes -> row bytes; read on touch, written by `cut`.
        partitions: how many partitions `events` has: the clock needs a tick of each.
        app: the name in every fact's `source`.
        rules: the ruleset of an empty table; a stored one is in force instead.
    """

    def __init__(self, stored: MutableMapping[bytes, bytes], partitions: int, app: str, rules: Ruleset) -> None:
        self.rows = Rows(stored)
        self.partitions, self.app = partitions, app
        in_force = self.rows.ruleset(rules.text)
        self.rules = rules if in_force == rules.text else load(in_force)
        self.out: list[Out] = []
        self.log = self.rows.log()
        self.timers = Timers()
        self.links = Links(self)
        self._views: dict[str, View] = {}
        for person in self.rows.persons():
            if person.identified:
                self._arm(person)
        self._views.clear()
        self.rows.forget()

    # -- the log

    @property
    def next(self) -> int:
        """The offset at which the log goes on."""
        return self.log.next

    @property
    def size(self) -> int:
        """About how many bytes of rows changed since the last cut."""
        return self.rows.size

    @property
    def clock(self) -> int | None:
        """The people's clock: the smallest newest tick over all partitions; None until each has one."""
        ticks = self.log.ticks
        return min(ticks.values()) if len(ticks) == self.partitions else None

    def apply(self, offset: int, value: bytes) -> None:
        """Apply the record at `offset`; raises `Unreadable` for one that this release cannot read."""
        record = decode(value)
        if isinstance(record, Tick):
            self._tick(offset, record)
        elif isinstance(record, Snapshot):
            self._snapshot(offset, record)
        self.log.next = offset + 1

    def cut(self) -> list[tuple[bytes, bytes]]:
        """Return all changed rows and the log's own, to be appended whole or not at all."""
        self._views.clear()
        return self.rows.cut(self.log)

    # -- time

    def _tick(self, offset: int, tick: Tick) -> None:
        self.log.ticks[tick.partition] = tick.until
        clock = self.clock
        if clock is not None:
            self.run_clock(offset, clock)

    def run_clock(self, offset: int, clock: int) -> None:
        """Do for every lead what is due until `clock`, each at its own instant, in order of (instant, lead id)."""
        for at, lead in self.timers.due(clock):
            person = self.rows.person(lead)
            if person is None or person.id != lead:
                continue
            view = self.view(person)
            move = stages.next_due(self.rules.stages, view.standing(), view.outlook(person.as_of), person.as_of)
            if move is not None and move.at <= at:  # else the timer was a lower bound: the lead waits for its turn
                self._do_due(view, move, Cause(offset, move.at))
            self._arm(person)

    def advance(self, person: Person, until: int, offset: int) -> None:
        """Do all that falls due for a lead in (asOf, until], each at its own exact instant, then set asOf."""
        if not person.identified or until <= person.as_of:
            return
        armed = self.timers.at(person.id)
        if armed is not None and armed <= until:
            self._do_all_due(person, until, offset)
        person.as_of = until
        self.rows.keep(person)
        if armed is not None and armed <= until:
            self._arm(person)

    def _do_all_due(self, person: Person, until: int, offset: int) -> None:
        while True:
            view = self.view(person)
            move = stages.next_due(self.rules.stages, view.standing(), view.outlook(person.as_of), person.as_of)
            if move is None or move.at > until:
                return
            self._do_due(view, move, Cause(offset, move.at))

    def _do_due(self, view: View, move: Move, cause: Cause) -> None:
        view.person.as_of = move.at
        self._move(view, move, cause)

    def _arm(self, person: Person) -> None:
        """Set the lead's timer to its next due instant, or leave it where that is still a lower bound."""
        view = self.view(person)
        now, look = view.standing(), view.outlook(person.as_of)
        if now.stage.exit is None or now.stage.owner == "crm":
            self.timers.disarm(person.id)
        elif not self._stands(self.timers.at(person.id), now, look):
            move = stages.next_due(self.rules.stages, now, look, person.as_of)
            self.timers.arm(person.id, move.at if move is not None else None)

    @staticmethod
    def _stands(armed: int | None, now: Standing, look: Outlook) -> bool:
        """Tell whether nothing falls before the armed instant; one look shows it where a score can but fall."""
        if armed is None or armed <= look.base or now.free_at > look.base or not look.only_falls:
            return False
        return not look.falls(now.stage.exit or {}, armed - 1)

    # -- snapshots

    def _snapshot(self, offset: int, snap: Snapshot) -> None:
        identity = self.rows.identity(snap.node) or Identity(snap.node)
        if snap.version <= identity.version:
            return
        cause = Cause(offset, snap.r, "merge" if snap.wake else None)
        identity.version = snap.version
        self.rows.keep(identity)
        if identity.shared:
            owner = self.rows.person(identity.person)
            if owner is not None:
                self.links.follow(identity, owner, snap, cause)
            return
        person = self._owner(identity, offset)
        if person is not None:
            self.advance(person, snap.r, offset)
        told, done = _news(snap.state, identity.state, offset)
        if snap.judged:
            told = told or (snap.kind or identity.kind) != identity.kind or kind_of(snap.node) in ("email", "phone")
            identity.kind = snap.kind or identity.kind
            identity.name_at(snap.t, offset)
        identity.state = snap.state
        self.rows.keep_sums(identity)
        if person is not None:
            self._renew(person, told=told)
            if done:
                self.earn(person)
            if snap.judged:
                person = self.links.follow(identity, self.identify(person, cause), snap, cause)
            self._decide(person, snap, cause)

    def _owner(self, identity: Identity, offset: int) -> Person | None:
        """Return the identity's person, a new one for who comes first; None for a lead id that nobody has."""
        if identity.person:
            return self.rows.person(identity.person)
        if kind_of(identity.node) == "lead":
            person = self.rows.person(value_of(identity.node))
        else:
            person = Person(f"~{identity.node}", born=offset + 1)
        if person is not None:
            person.members.append(identity.node)
            self.belong(identity, person)
        return person

    def belong(self, identity: Identity, person: Person) -> None:
        """Make an identity one of a person's."""
        identity.person = person.id
        self._views.pop(person.id, None)
        self.rows.keep(identity, person)

    def _decide(self, person: Person, snap: Snapshot, cause: Cause) -> None:
        """Judge once, or do what the CRM says."""
        self.rows.keep(person)
        if not person.identified:
            return
        if snap.judged:
            person.as_of = max(person.as_of, snap.r)
            if person.id not in self._views:
                self.earn(person)
            if snap.crm_stage is None:
                self._judge(person, cause)
            elif snap.t >= person.crm_t:
                person.crm_t = snap.t
                self._obey(person, snap.crm_stage, cause)
        self._arm(person)

    def identify(self, person: Person, cause: Cause) -> Person:
        """Make a lead of a person that has a member of class A or B, under the id of the first."""
        strong = (n for n in person.members if class_of(kind_of(n), self.rules.typed_email) in ("A", "B"))
        first = None if person.identified else next(strong, None)
        if first is None:
            return person
        lead = Person(lead_id(first), person.born, members=person.members, identified=cause.offset + 1, as_of=cause.r)
        person.into, person.members = lead.id, []
        self.rows.keep(person)
        waiting = self.rows.identity(f"lead::{lead.id}")
        if waiting is not None and not waiting.person:
            lead.members.append(waiting.node)
        for node in lead.members:
            self.belong(self.rows.identity(node) or Identity(node), lead)
        return lead

    def earn(self, person: Person) -> None:
        """Give a lead the sequence bonuses that its members have completed."""
        if person.identified and self.rules.sequences:
            self.view(person).earn_bonuses()

    def view(self, person: Person) -> View:
        """Read a person together with its members."""
        view = self._views.get(person.id)
        if view is None:
            members = [self.rows.identity(node) or Identity(node) for node in person.members]
            view = self._views[person.id] = View(person, members, self.rules)
        return view

    def told_anew(self, person: Person) -> None:
        """Forget what was read of a person: something else is known of a member now."""
        self._views.pop(person.id, None)

    def _renew(self, person: Person, *, told: bool) -> None:
        """Read a person's sums again after a snapshot, and who it is only where that was told anew."""
        if told:
            self._views.pop(person.id, None)
        elif (view := self._views.get(person.id)) is not None:
            view.refresh()

    # -- stages

    def _judge(self, person: Person, cause: Cause) -> None:
        view = self.view(person)
        look = view.outlook(person.as_of)
        move = stages.judge(self.rules.stages, view.standing(), look, person.as_of)
        if move is None:
            person.route = view.route(person.as_of)
            return
        self._move(view, Move(move.to, move.at, cause.code or move.code), cause)

    def _obey(self, person: Person, name: str, cause: Cause) -> None:
        """Do what the CRM says; it holds an engine's stage for a while, the present one too."""
        stage = stage_named(self.rules, name)
        person.hold_until = person.as_of + self.rules.hold_ms if stage.owner == "engine" else NEVER
        view = self.view(person)
        if stage.name == person.stage:
            person.route = view.route(person.as_of)
            return
        text = f"the CRM says {stage.name}"
        self.enter(view, stage, person.as_of, person.as_of, text, "crm", cause)

    def _move(self, view: View, move: Move, cause: Cause) -> None:
        left = view.standing().stage
        text = facts.because(left, move, view.outlook(view.person.as_of))
        self.enter(view, move.to, move.at, move.at, text, move.code, cause)

    def enter(self, view: View, stage: Stage, at: int, entered_at: int, text: str, code: str, cause: Cause) -> None:
        """Put a lead into a stage and tell it."""
        person, left = view.person, view.standing().stage
        before, person.stage, person.entered_at = person.entered_at, stage.name, entered_at
        person.route = view.route(person.as_of)
        person.sequence += 1
        change = Change(left, stage, at, entered_at, before, code, text, cause.r)
        value = facts.stage_changed(self.app, view, change, cause.offset)
        self.tell(person, value, cause, state=value)
        self.rows.keep(person)

    def tell(self, person: Person, value: bytes, cause: Cause, *, state: bytes | None = b"") -> None:
        """Emit a fact about a lead; `state` is what `lead-states` shows from now on (b"": as before)."""
        key = person.id.encode()
        self.out.append(Out("stage-changes", key, value, cause.r))
        if state != b"":
            self.out.append(Out("lead-states", key, state, cause.r))

    def wake(self, node: str, cause: Cause) -> None:
        """Let a device that was heard of for the first time send what it knows."""
        self.out.append(Out("wakes", node.encode(), encode(Wake(node, cause.r)), cause.r))


def _news(new: State, old: State, offset: int) -> tuple[bool, bool]:
    """Stamp what a snapshot tells anew with its place in the log.

    Returns whether it tells anew who somebody is, and whether behaviours of sequences were done.
    """
    here, told = offset + 1, False
    for path, trait in new.traits.items():
        known = old.traits.get(path)
        same = known is not None and known.t == trait.t and known.value == trait.value
        trait.stamp = known.stamp if same and known is not None else here
        told = told or not same
    for id_, call in new.groups.items():
        before = old.groups.get(id_)
        call.stamp = here if before is None or before.t != call.t else before.stamp
        told = told or before != call
    same_company = (new.company, new.company_t) == (old.company, old.company_t)
    same_account = (new.account, new.account_t) == (old.account, old.account_t)
    same_journey = (new.journey, new.journey_t) == (old.journey, old.journey_t)
    new.company_stamp = old.company_stamp if same_company else here
    new.account_stamp = old.account_stamp if same_account else here
    new.journey_stamp = old.journey_stamp if same_journey else here
    return told or not (same_company and same_account), new.times != old.times
