"""Leads: who is one, what falls due for whom, and what is told of them. The decisions of the people log, one lead at a time."""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from stream.domain import arming, facts, graves, stages
from stream.domain.facts import Change
from stream.domain.ids import class_of, kind_of, lead_id
from stream.domain.inforce import InForce
from stream.domain.log import NewRuleset, Wake, encode
from stream.domain.person import Identity, Person, stage_named
from stream.domain.rows import Rows
from stream.domain.ruleset.model import Ruleset
from stream.domain.stages import Move
from stream.domain.state import NEVER
from stream.domain.timers import LeadTimers
from stream.domain.view import View


class Out(msgspec.Struct, frozen=True, gc=False):
    """A record for a topic; `cause_ms` is the receive time of what caused it, `partition` where the key does not say it.

    `own` names the kind of a record of ours in `events`.
    """

    topic: str
    key: bytes
    value: bytes | None
    cause_ms: int
    partition: int | None = None
    own: bytes = b"ruleset"


@dataclass(slots=True)
class Cause:
    """The record being applied: its offset, its receive time (or the due instant), and why a judgement moves a lead."""

    offset: int
    r: int
    code: str | None = None


DUE = 1_000
"""How many leads are moved at once, at most: others want to work, too."""


class Leads:
    """Persons read together with their members, moved and told.

    Args:
        rows: identities and persons.
        app: the name in every fact's `source`.
        in_force: the ruleset in force.
        accounts: whether accounts are told of leads.
    """

    def __init__(self, rows: Rows, app: str, in_force: InForce, *, accounts: bool = False) -> None:
        self.rows, self.app, self._accounts = rows, app, accounts
        self.out: list[Out] = []
        self.cause: Cause | None = None
        """Of the record that is being applied, where it may change a member of an account."""
        self._views: dict[str, View] = {}
        self.settling = False
        """Whether sums are still coming back after a loss: nobody moves down meanwhile."""
        self.put_in_force(in_force, self.armed(in_force))

    @property
    def rules(self) -> Ruleset:
        """The ruleset in force."""
        return self.in_force.rules

    def arming(self, in_force: InForce, timers: LeadTimers) -> Iterator[None]:
        """Set the timers of all leads there are as a ruleset wants them; pauses after every few."""
        for pause in arming.arm_all(timers, self.rows, in_force, ages=self._accounts):
            self.forget_all()
            yield pause
        self.forget_all()

    def forget_all(self) -> None:
        """Forget all that was read, and drop the rows it was read of."""
        self.forget()  # what was read of a person belongs to the person as it was decoded
        self.rows.forget()

    def armed(self, in_force: InForce) -> LeadTimers:
        """Return the timers of all leads there are as a ruleset wants them."""
        timers = LeadTimers()
        for _ in self.arming(in_force, timers):
            pass
        return timers

    def put_in_force(self, in_force: InForce, timers: LeadTimers) -> None:
        """Judge by a ruleset from now on."""
        self.in_force, self.timers = in_force, timers
        self.forget()

    def pass_on(self, place: int, partitions: int, cause: Cause) -> None:
        """Tell every partition of `events` the ruleset in force."""
        value = encode(NewRuleset(place, self.rules.text))
        self.out += [Out("events", b"", value, cause.r, partition) for partition in range(partitions)]

    def belong(self, identity: Identity, person: Person) -> None:
        """Make an identity one of a person's."""
        identity.person = person.id
        self._views.pop(person.id, None)
        self.rows.keep(identity, person)

    def identify(self, person: Person, cause: Cause) -> Person:
        """Make a lead of a person that has a member of class A or B, under the id of the first."""
        if person.identified:
            return person
        first = next((n for n in person.members if class_of(kind_of(n), self.rules.typed_email) in ("A", "B")), None)
        if first is None:
            return person
        lead = Person(lead_id(first), person.born, members=person.members, identified=cause.offset + 1, as_of=cause.r)
        lead.rules = self.in_force.place
        floor = self.rows.person(lead.id)
        if floor is not None and floor.id == lead.id:
            lead.sequence = floor.sequence
            if floor is not person:
                lead.members = person.members + floor.members
        elif (grave := graves.found(self.rows.other, f"lead::{lead.id}")) is not None:
            lead.sequence = grave.sequence
        self.rows.end(person)
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

    def has_earned(self, person: Person) -> bool:
        """Tell whether a lead has the bonuses of all that its members told, by the ruleset in force."""
        view = self._views.get(person.id)
        return not self.rules.sequences or (view is not None and view.earned)

    def told_anew(self, person: Person) -> None:
        """Forget what was read of a person: something else is known of a member now."""
        self._views.pop(person.id, None)

    def renew(self, person: Person, *, told: bool) -> None:
        """Read a person's sums again after a snapshot, and who it is only where that was told anew."""
        if told:
            self._views.pop(person.id, None)
        elif (view := self._views.get(person.id)) is not None:
            view.refresh()

    def forget(self) -> None:
        """Forget all that was read."""
        self._views.clear()

    def run_clock(self, offset: int, clock: int) -> bool:
        """Do for leads what is due until `clock`, each at its own instant, in order of (instant, lead id).

        At most `DUE` of them at once, and as many as a cut has room for; tell whether that was all. Who moved has it behind them:
        it can be done in parts, each written before the next.
        """
        moved = 0
        for at, lead in self.timers.due(clock):
            person = self.rows.person(lead)
            if person is None or person.id != lead:
                continue
            view = self.view(person)
            view.outlook(person.as_of).likely = at
            move = self.in_force.next_due(view)
            if move is not None and move.at <= at:  # else the lead waits for its turn
                self._do_due(view, move, Cause(offset, move.at))
                moved += 1
            self.arm(person)
            if moved == DUE or self.rows.fill_a_cut:
                break
        return not self.timers.is_due(clock)

    def advance(self, person: Person, until: int, offset: int) -> None:
        """Do all that falls due for a lead in (asOf, until], each at its own exact instant, then set asOf."""
        if not person.identified or until <= person.as_of:
            return
        armed = None if self.settling else self.timers.at(person.id)
        if armed is not None and armed <= until:
            self._do_all_due(person, until, offset)
        person.as_of = until
        self.rows.keep(person)
        if armed is not None and armed <= until:
            self.arm(person)

    def _do_all_due(self, person: Person, until: int, offset: int) -> None:
        while True:
            view = self.view(person)
            move = self.in_force.next_due(view)
            if move is None or move.at > until:
                return
            self._do_due(view, move, Cause(offset, move.at))

    def _do_due(self, view: View, move: Move, cause: Cause) -> None:
        view.person.as_of = move.at
        self._move(view, move, cause)

    def arm(self, person: Person) -> None:
        """Set the lead's timer to its next due instant, or leave it where that is still a lower bound."""
        arming.arm(self.timers, self.view(person), self.in_force)

    def judge(self, person: Person, cause: Cause) -> None:
        """Do at an event what the stage machine says, and decide the route."""
        view = self.view(person)
        look = view.outlook(person.as_of)
        now = view.standing()
        move = stages.judge(view.ladder(), now, look, person.as_of)
        if move is None or (self.settling and move.to.order < now.stage.order):
            person.route = view.route(person.as_of)
            person.rules = self.in_force.place
            return
        self._move(view, move, cause)

    def obey(self, person: Person, name: str, cause: Cause) -> None:
        """Do what the CRM says; it holds an engine's stage for a while, the present one too."""
        stage = stage_named(self.rules, name)
        if stage.name != name:  # a ruleset that was never in force here knew it
            return
        person.hold_until = person.as_of + self.rules.hold_ms if stage.owner == "engine" else NEVER
        view = self.view(person)
        if stage.name == person.stage:
            person.joined = None
            person.route = view.route(person.as_of)
            return
        self.enter(view, Move(stage, person.as_of, "crm"), f"the CRM says {stage.name}", cause)

    def _move(self, view: View, move: Move, cause: Cause) -> None:
        left, person = view.standing().stage, view.person
        code = cause.code or self.in_force.reason(view, move)
        if left.name in self.rules.gone and move.code != "threshold_up":
            text = f"the ruleset has no stage {left.name} any more"
        else:
            text = facts.because(left, move, view.outlook(person.as_of))
            text += "; the ruleset changed" if code == "ruleset_change" else ""
        person.rules = self.in_force.place
        self.enter(view, Move(move.to, move.at, code), text, cause)

    def enter(self, view: View, move: Move, text: str, cause: Cause, entered_at: int | None = None) -> None:
        """Put a lead into a stage and tell it, why in words; `entered_at` where that is not the move's own instant."""
        person, left = view.person, view.standing().stage
        before, person.stage, person.joined = person.entered_at, move.to.name, None
        person.entered_at = move.at if entered_at is None else entered_at
        person.route = view.route(person.as_of)
        person.sequence += 1
        change = Change(left, move.to, move.at, person.entered_at, before, move.code, text, cause.r)
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
        self.out.append(Out("wakes", node.encode(), encode(Wake(node, cause.r, cause.offset + 1)), cause.r))
