"""What a snapshot does to people: what is due, its sums, its links, one judgement, in this order."""

from stream.domain import outcomes
from stream.domain.erasing import Erasures
from stream.domain.ids import kind_of, value_of
from stream.domain.leads import Cause, Leads
from stream.domain.links import Links
from stream.domain.log import Snapshot
from stream.domain.membership import Membership
from stream.domain.person import Identity, Person
from stream.domain.restoring import hear_again
from stream.domain.rows import Rows
from stream.domain.state import State, Trait


class Snapshots:
    """Part of the fold over the `people` log; the hot path. `membership` is there where accounts are told."""

    def __init__(self, rows: Rows, leads: Leads, links: Links, erasures: Erasures, membership: Membership | None) -> None:
        self._rows, self._leads, self._links = rows, leads, links
        self._erasures, self._membership = erasures, membership

    def apply(self, offset: int, snap: Snapshot) -> None:
        """Apply the snapshot at `offset` of the log, if it is newer than what is known of its identity."""
        identity = self._rows.identity(snap.node) or Identity(snap.node)
        if snap.version <= identity.version and not _is_asked_for(snap, identity):
            return
        cause = self._caused_by(identity, snap, offset)
        if self._erasures.salt and self._is_erased(identity, snap):
            return
        returns = self._leads.settling and identity.version < 0 and bool(identity.person)
        identity.version, identity.asked = snap.version, False
        self._rows.keep(identity)
        if identity.shared and not returns:
            owner = self._rows.person(identity.person)
            if owner is not None:
                self._links.follow(identity, owner, snap, cause)
            return
        person = self._owner(identity, offset)
        if person is not None:
            self._leads.advance(person, snap.r, offset)
        told, done = _news(snap.state, identity.state, offset)
        if snap.judged:
            told = told or (snap.kind or identity.kind) != identity.kind or kind_of(snap.node) in ("email", "phone")
            identity.kind = snap.kind or identity.kind
            identity.name_at(snap.t, offset)
        identity.state = snap.state
        self._rows.keep_sums(identity)
        if person is not None:
            self._leads.renew(person, told=told)
            if done:
                self._leads.earn(person)
            if snap.judged:
                person = self._links.follow(identity, self._leads.identify(person, cause), snap, cause)
            self._decide(person, snap, cause)

    def _caused_by(self, identity: Identity, snap: Snapshot, offset: int) -> Cause:
        """Return the cause of what follows; whoever is heard of is counted here from now on, whatever becomes of the snapshot."""
        cause = self._leads.cause = Cause(offset, snap.r, "merge" if snap.wake else None)
        if self._membership is not None:
            self._membership.hears(identity, snap)
        return cause

    def _is_erased(self, identity: Identity, snap: Snapshot) -> bool:
        """Tell whether a snapshot is from before its identity's erasure; takes away those of its links that are."""
        if identity.version < 0 and self._erasures.is_before(snap.node, snap.erased):
            return True
        snap.links = self._erasures.made_since(snap.links, snap.t, snap.buried)
        return False

    def _owner(self, identity: Identity, offset: int) -> Person | None:
        """Return the identity's person, a new one for who comes first; None for a lead id that nobody has."""
        if identity.person:
            return self._rows.person(identity.person)
        if kind_of(identity.node) == "lead":
            person = self._rows.lead(value_of(identity.node))
        else:
            person = Person(f"~{identity.node}", born=offset + 1)
        if person is not None:
            person.members.append(identity.node)
            self._leads.belong(identity, person)
        return person

    def _decide(self, person: Person, snap: Snapshot, cause: Cause) -> None:
        """Judge once, or do what the CRM says."""
        self._rows.keep(person)
        if not person.identified:
            return
        if snap.judged:
            person.as_of = max(person.as_of, snap.r)
            if not self._leads.has_earned(person):
                self._leads.earn(person)
            if self._leads.settling:
                hear_again(self._leads, person, snap)
            if snap.crm_stage is None:
                self._leads.judge(person, cause)
            elif snap.t >= person.crm_t:
                person.crm_t = snap.t
                self._leads.obey(person, snap.crm_stage, cause)
        self._leads.arm(person)


def _is_asked_for(snap: Snapshot, identity: Identity) -> bool:
    """Tell whether a snapshot answers who asked for what is known already; what it named when it was shared links nobody."""
    if snap.version < identity.version or not (snap.wake and identity.asked):
        return False
    snap.links = []
    return True


def _news(new: State, old: State, offset: int) -> tuple[bool, bool]:
    """Stamp what a snapshot tells anew with its place in the log.

    Returns whether it tells anew who somebody is, and whether behaviours of sequences were done.
    """
    here = offset + 1
    told = len(new.traits) != len(old.traits)  # what is gone
    if new.groups or old.groups:
        told = told or list(new.groups) != list(old.groups)  # and who was named last
    told = _stamp(new.traits, old.traits, here) or told
    for id_, call in new.groups.items():
        before = old.groups.get(id_)
        anew = _stamp(call.traits, {} if before is None else before.traits, here)
        call.stamp = here if before is None or before.t != call.t else before.stamp
        told = told or anew or before != call
    same_company = (new.company, new.company_t) == (old.company, old.company_t)
    same_account = (new.account, new.account_t) == (old.account, old.account_t)
    same_journey = (new.journey, new.journey_t) == (old.journey, old.journey_t)
    new.company_stamp = old.company_stamp if same_company else here
    new.account_stamp = old.account_stamp if same_account else here
    new.journey_stamp = old.journey_stamp if same_journey else here
    if new.outcomes is not None:
        outcomes.stamp(new.outcomes, old.outcomes, here)
    return told or not (same_company and same_account), new.times != old.times


def _stamp(new: dict[str, Trait], old: dict[str, Trait], here: int) -> bool:
    """Stamp the leaves that are told anew; tell whether there are any."""
    told = False
    for path, trait in new.items():
        known = old.get(path)
        same = known is not None and known.t == trait.t and _alike(known.value, trait.value)
        trait.stamp = known.stamp if same and known is not None else here
        told = told or not same
    return told


def _alike(one: object, other: object) -> bool:
    """Tell whether two values are the same, also to a condition: to Python 1 is True."""
    return one == other and type(one) is type(other) and (not isinstance(one, list) or repr(one) == repr(other))
