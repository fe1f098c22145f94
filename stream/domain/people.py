"""The one ordered log that decides about people: a pure fold of snapshots and ticks into persons, stages and facts.

A snapshot is applied in this order: what is due, its sums, its links, one judgement. A tick lets the people's clock run.
The fold reads no clock and no file; what it emits is a function of the log alone.
"""

from collections.abc import Iterator, MutableMapping

from stream.domain import outcomes
from stream.domain.erasing import Erasures
from stream.domain.ids import kind_of, value_of
from stream.domain.inforce import InForce
from stream.domain.leads import Cause, Leads, Out
from stream.domain.links import Links
from stream.domain.log import (
    Buried,
    Canary,
    Deployment,
    Erasing,
    GoOn,
    Linking,
    NewRuleset,
    Record,
    Refused,
    Remembered,
    Restored,
    Said,
    Settled,
    Settling,
    Snapshot,
    Tick,
    Told,
    Unlinking,
    decode,
)
from stream.domain.membership import Membership
from stream.domain.mending import Mending
from stream.domain.person import Identity, Person
from stream.domain.restoring import bring_back, hear_again
from stream.domain.rows import Rows
from stream.domain.ruleset.model import Ruleset
from stream.domain.state import NEVER, State
from stream.domain.timers import LeadTimers


class People:
    """The fold over the `people` log.

    Args:
        stored: the table's partition, key bytes -> row bytes; read on touch, written by `cut`.
        partitions: how many partitions `events` has: the clock needs a tick of each.
        app: the name in every fact's `source`.
        rules: the ruleset of an empty table, a stored one is in force instead; or what is in force in another fold.
        accounts: whether accounts are told of their members.
    """

    def __init__(
        self, stored: MutableMapping[bytes, bytes], partitions: int, app: str, rules: Ruleset | InForce, *, accounts: bool = False
    ) -> None:
        self.rows = Rows(stored)
        self.partitions = partitions
        self.log = self.rows.log()
        in_force = rules if isinstance(rules, InForce) else InForce(self.rows.editions(rules.text), rules)
        self.leads = Leads(self.rows, app, in_force, accounts=accounts)
        self.links = Links(self.leads)
        self.mending = Mending(self.links)
        self.erasures = Erasures(self.leads, self.log, partitions)
        self.membership = Membership(self.leads) if accounts else None
        self._prepared: tuple[int, InForce, LeadTimers] | None = None
        self.leads.settling = bool(self.log.settling)

    # -- the log

    @property
    def rules(self) -> Ruleset:
        """The ruleset in force."""
        return self.leads.rules

    @property
    def in_force(self) -> InForce:
        """The ruleset in force and those before it."""
        return self.leads.in_force

    @property
    def out(self) -> list[Out]:
        """What is to be sent, in order."""
        return self.leads.out

    def take_out(self) -> list[Out]:
        """Return what is to be sent and forget it."""
        out, self.leads.out = self.leads.out, []
        return out

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

    @property
    def waits(self) -> bool:
        """Whether something is due that waits for the next record that lets the clock run."""
        return self.membership is not None and self.membership.waiting and not self.leads.settling

    def apply(self, offset: int, value: bytes) -> bool:
        """Apply the record at `offset`; raises `Unreadable` for one that this release cannot read.

        Returns whether all of it was done. If not, so many leads are due at a tick that their rows must be cut in between: the
        log stands where it stood, and nothing else may come before the same record was applied again.
        """
        record = decode(value)
        self.leads.cause = None
        if isinstance(record, Snapshot):
            self._snapshot(offset, record)
        elif isinstance(record, Tick | GoOn):
            if not self._tick(offset, record):
                return False
        else:
            self._word(offset, record, value)
        self._tell_accounts(record, offset)
        self.log.next = offset + 1
        return True

    def _word(self, offset: int, record: Record, value: bytes) -> None:
        """Do what an operator says, or what comes back after a loss."""
        if isinstance(record, Deployment):
            self._deploy(offset, record)
        elif isinstance(record, Settling | Restored | Told | Refused | Said | Settled):
            self._come_back(offset, record)
        elif isinstance(record, Erasing):
            self.erasures.erase(record, offset, self.clock)
        elif isinstance(record, Buried):
            self.erasures.buried(record)
        elif isinstance(record, Remembered):
            self.erasures.remember(record)
        elif isinstance(record, Linking | Unlinking):
            self.mending.decide(record, self.log, offset, self.clock)
        elif isinstance(record, Canary):
            self.out.append(Out("wakes", record.node.encode(), value, NEVER))

    def _tell_accounts(self, record: Record, offset: int) -> None:
        """Tell accounts what a record changed; at ticks, what a ruleset changed of all, or what came back after a loss."""
        membership, cause = self.membership, self.leads.cause
        if membership is None:
            return
        if cause is None:
            membership.forget()
            clock = self.clock if isinstance(record, Tick | GoOn) and not self.leads.settling else None
            if clock is not None:
                membership.grow_old(offset, clock)
        else:
            membership.tell(cause, record if isinstance(record, Snapshot) else None, settling=self.leads.settling)
        if isinstance(record, Tick):
            membership.tick(record)
            if not self.leads.settling and not membership.waiting:
                code = "ruleset_change" if self.in_force.place else None
                if not self.log.told and self.in_force.place:
                    membership.pass_on(NewRuleset(self.in_force.place, self.rules.text), self.partitions)
                self.log.told = membership.walk(self.log.told, Cause(offset, NEVER, code))

    def cut(self) -> list[tuple[bytes, bytes | None]]:
        """Return all changed rows and the log's own, to be appended whole or not at all."""
        self.leads.forget()
        return self.rows.cut(self.log)

    def _tick(self, offset: int, tick: Tick | GoOn) -> bool:
        if isinstance(tick, Tick):
            self.log.ticks[tick.partition] = tick.until
        clock = self.clock
        if clock is None or self.log.settling:
            return True
        done = self.leads.run_clock(offset, clock)
        if done:
            self.erasures.sweep(clock)
        return done

    # -- what was lost comes back

    def _come_back(self, offset: int, record: Settling | Restored | Told | Refused | Said | Settled) -> None:
        """Let leads stand where the CRM knows them, and wait for the sums of every partition before anybody moves down."""
        if isinstance(record, Restored | Told | Refused | Said):
            bring_back(self.links, record, offset)
        elif isinstance(record, Settling):
            self.log.run, self.log.settling = record.run, list(range(self.partitions))
        elif record.run == self.log.run and record.partition in self.log.settling:
            self.log.settling.remove(record.partition)
            if not self.log.settling:
                self.log.told = ""
                ready = self._prepared if self._prepared is not None and self._prepared[0] == offset else None
                self.leads.put_in_force(self.in_force, ready[2] if ready is not None else self.leads.armed(self.in_force))
            self._prepared = None
        self.leads.settling = bool(self.log.settling)

    # -- rulesets

    def prepare(self, offset: int, value: bytes) -> Iterator[None]:
        """Do beforehand what takes long at the deployment at `offset`, the next to be applied; pauses after every few leads."""
        record = decode(value)
        if isinstance(record, Deployment) and record.text != self.rules.text:
            in_force, timers = self._followed_by(offset, record), LeadTimers()
            yield from self.leads.arming(in_force, timers)
            self._prepared = offset, in_force, timers
        elif isinstance(record, Settled) and self.log.settling == [record.partition] and record.run == self.log.run:
            timers = LeadTimers()
            yield from self.leads.arming(self.in_force, timers)
            self._prepared = offset, self.in_force, timers

    def _deploy(self, offset: int, deployment: Deployment) -> None:
        """Put a ruleset in force, and pass it on; nobody is moved by that."""
        if deployment.text != self.rules.text:
            if self._prepared is None or self._prepared[0] != offset:
                in_force = self._followed_by(offset, deployment)
                self._prepared = offset, in_force, self.leads.armed(in_force)
            _, in_force, timers = self._prepared
            self.leads.put_in_force(in_force, timers)
            self.rows.keep_editions(in_force.editions)
        elif not deployment.again:
            return
        self._prepared, self.log.told = None, ""
        clock = self.clock
        self.leads.pass_on(offset + 1, self.partitions, Cause(offset, NEVER if clock is None else clock))

    def _followed_by(self, offset: int, deployment: Deployment) -> InForce:
        clock = self.clock
        return self.in_force.followed_by(deployment.text, offset + 1, NEVER if clock is None else clock)

    # -- snapshots

    def _snapshot(self, offset: int, snap: Snapshot) -> None:
        identity = self.rows.identity(snap.node) or Identity(snap.node)
        if snap.version <= identity.version:
            return
        cause = self._caused_by(identity, snap, offset)
        if self.erasures.salt and self._is_erased(identity, snap):
            return
        returns = self.leads.settling and identity.version < 0 and bool(identity.person)
        identity.version = snap.version
        self.rows.keep(identity)
        if identity.shared and not returns:
            owner = self.rows.person(identity.person)
            if owner is not None:
                self.links.follow(identity, owner, snap, cause)
            return
        person = self._owner(identity, offset)
        if person is not None:
            self.leads.advance(person, snap.r, offset)
        told, done = _news(snap.state, identity.state, offset)
        if snap.judged:
            told = told or (snap.kind or identity.kind) != identity.kind or kind_of(snap.node) in ("email", "phone")
            identity.kind = snap.kind or identity.kind
            identity.name_at(snap.t, offset)
        identity.state = snap.state
        self.rows.keep_sums(identity)
        if person is not None:
            self.leads.renew(person, told=told)
            if done:
                self.leads.earn(person)
            if snap.judged:
                person = self.links.follow(identity, self.leads.identify(person, cause), snap, cause)
            self._decide(person, snap, cause)

    def _caused_by(self, identity: Identity, snap: Snapshot, offset: int) -> Cause:
        """Return the cause of what follows; whoever is heard of is counted here from now on, whatever becomes of the snapshot."""
        cause = self.leads.cause = Cause(offset, snap.r, "merge" if snap.wake else None)
        if self.membership is not None:
            self.membership.hears(identity, snap)
        return cause

    def _is_erased(self, identity: Identity, snap: Snapshot) -> bool:
        """Tell whether a snapshot is from before its identity's erasure; takes away those of its links that are."""
        if identity.version < 0 and self.erasures.is_before(snap.node, snap.erased):
            return True
        snap.links = self.erasures.made_since(snap.links, snap.t)
        return False

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
            self.leads.belong(identity, person)
        return person

    def _decide(self, person: Person, snap: Snapshot, cause: Cause) -> None:
        """Judge once, or do what the CRM says."""
        self.rows.keep(person)
        if not person.identified:
            return
        if snap.judged:
            person.as_of = max(person.as_of, snap.r)
            if not self.leads.is_read(person):
                self.leads.earn(person)
            if self.leads.settling:
                hear_again(self.leads, person, snap)
            if snap.crm_stage is None:
                self.leads.judge(person, cause)
            elif snap.t >= person.crm_t:
                person.crm_t = snap.t
                self.leads.obey(person, snap.crm_stage, cause)
        self.leads.arm(person)


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
    if new.outcomes is not None:
        outcomes.stamp(new.outcomes, old.outcomes, here)
    return told or not (same_company and same_account), new.times != old.times
