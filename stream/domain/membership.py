"""What an account hears of its members: leads and visitors as versioned snapshots, and that they left.

Who is awake is counted by the people log: within its lead, or alone where it is nobody's. A visitor that nobody listens to is
counted by its own partition. One record an account holds all that one record of people changes there.
"""

from stream.domain.accounts.member import account_of, alone_id, lead_member, place_of, visitor_id, visitor_member
from stream.domain.claims import Claim, stand_until
from stream.domain.freshness import ALWAYS
from stream.domain.ids import is_device, kind_of
from stream.domain.leads import Cause, Leads, Out
from stream.domain.log import BY_ITSELF, Member, Members, NewRuleset, Snapshot, Tick, encode
from stream.domain.person import Identity, Person

WALK = 100_000
"""How many bytes of leads one tick tells anew, where all must be: some two hundred, whose rows fit into a cut beside others."""
WALKED = "~"
"""Behind every lead id: all were told."""
AGED = 100_000
"""How many bytes of leads one record takes from accounts because what names these has become too old."""


class Membership:
    """Tells accounts what each record of people changes.

    Args:
        leads: whom it is about.
    """

    def __init__(self, leads: Leads) -> None:
        self.leads, self.rows = leads, leads.rows
        self.out: list[Out] = []
        self.ticks: dict[int, int] = {}
        """Up to when each partition of `events` has handed its visitors on to `members` (ms)."""
        self._changes: dict[str, list[Member]] = {}
        self._now = 0
        self._walk: list[str] | None = None
        self.waiting = False
        """Whether leads wait for the next record to leave: accounts must not be told the clock before."""
        self.rows.touched, self.rows.gone = {}, []

    def hears(self, identity: Identity, snap: Snapshot) -> None:
        """Let a device be counted by its partition no more where it is heard of first, or names another account than before."""
        if not is_device(snap.node, "C") or (snap.state.account is None and not snap.state.groups):
            return
        named = account_of(snap.state)
        first = identity.version < 0
        if first or named not in {account_of(identity.state), identity.counted}:
            self._change(named, Member(visitor_id(snap.node), snap.version, left=True, final=True))

    def tell(self, cause: Cause, snap: Snapshot | None = None, *, settling: bool = False) -> None:
        """Send what the record of `cause` has changed; while sums come back after a loss, nothing of what they change."""
        rows, version = self.rows, cause.offset + 1
        self._now = cause.r
        if settling:
            rows.touched = {}
        for id_, account in rows.gone:
            self._change(account, Member(alone_id(id_) if ":" in id_ else id_, version, left=True))
        for row in list((rows.touched or {}).values()):
            if isinstance(row, Person):
                self._person(row, version)
            else:
                self._identity(row, version, snap)
        self._send(cause)

    def tick(self, tick: Tick) -> None:
        """Hear how far a partition of `events` has handed on."""
        self.ticks[tick.partition] = tick.until if tick.members is None else tick.members

    def clock(self, partitions: int) -> int | None:
        """Return up to when everything was handed on to `members` (ms); None until each partition said so."""
        return min(self.ticks.values()) if len(self.ticks) == partitions and not self.waiting else None

    def forget(self) -> None:
        """Forget what was touched by a record that changes no account."""
        self.rows.touched, self.rows.gone = {}, []

    def _send(self, cause: Cause) -> None:
        for account, changed in self._changes.items():
            value = encode(Members(account, self._now, changed, cause.code or ""))
            self.out.append(Out("members", account.encode(), value, cause.r))
        self._changes = {}
        self.forget()

    def _change(self, account: str, member: Member) -> None:
        self._changes.setdefault(account, []).append(member)

    def _person(self, person: Person, version: int, at: int | None = None) -> None:
        """Tell a lead to the account that is named as of `at` (ms; None: as of its clock, or what was known later)."""
        place, view = None, None
        if person.identified and not person.into:
            view = self.leads.view(person)
            known_at = max(person.as_of, person.aged) if at is None else at
            claims = view.profile.standing(known_at)
            place = place_of(claims)
            self._watch(person, claims, known_at)
            self._now = max(self._now, person.as_of) if at is None else at
        named = place.account if place is not None else ""
        if person.account and person.account != named:
            self._change(person.account, Member(person.id, version, left=True))
        if person.account != named:
            person.account = named
            self.rows.keep(person)
        if view is not None and place is not None:
            self._change(named, lead_member(view, place, version))

    def _watch(self, person: Person, claims: list[Claim], known_at: int) -> None:
        """Look again when one of the claims has become too old; an instant that is set already and earlier does as well."""
        until = stand_until(claims, self.leads.rules.freshness)
        if (until != ALWAYS or person.account) and person.aged != known_at:
            person.aged = known_at
            self.rows.keep(person)
        if until == ALWAYS:
            return
        ages = self.leads.timers.ages
        armed = ages.at(person.id)
        if armed is None or until < armed:
            ages.arm(person.id, until)

    def grow_old(self, offset: int, clock: int) -> None:
        """Let what names accounts become too old up to `clock` (ms), each at its own instant, or be `waiting`.

        An account hears of one change of a member a record, so that a lead which is due again waits, and who is due behind it.
        """
        ages, done, self.waiting = self.leads.timers.ages, set[str](), False
        room = AGED
        for at, id_ in ages.due(clock):
            person = self.rows.person(id_)
            if person is None or person.id != id_ or not person.account:
                continue
            until = self._too_old_at(person)
            if until is None or until > at:  # it was a lower bound, which one that was just read from the rows has not
                ages.arm(id_, until)
                continue
            if id_ in done or room <= 0:
                ages.arm(id_, at)
                self.waiting = True
                break
            done.add(id_)
            room -= person.weight
            self._grow_old(person, until, offset)

    def _too_old_at(self, person: Person) -> int | None:
        """Return when the first of what names a lead's account becomes too old: under a new ruleset not before it came."""
        until = self.leads.view(person).profile.stands_until(person.placed_at)
        return None if until is None else max(until, self.leads.in_force.since)

    def _grow_old(self, person: Person, at: int, offset: int) -> None:
        self._now = at
        self._person(person, offset + 1, at)
        self._send(Cause(offset, at, BY_ITSELF))

    def _identity(self, identity: Identity, version: int, snap: Snapshot | None) -> None:
        """Count an identity that is nobody's alone."""
        owner = None
        if not identity.shared:
            owner = self.rows.person(identity.person) if identity.person else None
            if owner is not None and owner.identified:
                self._leave(identity, "", version)
                return
        state = identity.state
        past = None
        if identity.shared:
            if snap is None or snap.node != identity.node:
                return  # what it does from now on is told by its next snapshot
            state, past = snap.state, identity.state
        elif owner is None and kind_of(identity.node) == "lead":
            return
        named = account_of(state)
        self._leave(identity, named, version)
        if named:
            self._now = max(self._now, state.as_of)
            self._change(named, visitor_member(alone_id(identity.node), state, version, self.leads.rules.floor, past))

    def _leave(self, identity: Identity, named: str, version: int) -> None:
        if identity.counted and identity.counted != named:
            self._change(identity.counted, Member(alone_id(identity.node), version, left=True))
        if identity.counted != named:
            identity.counted = named
            self.rows.keep(identity)

    def pass_on(self, new: NewRuleset, partitions: int) -> None:
        """Tell every partition of accounts the ruleset in force."""
        value = encode(new)
        self.out += [Out("members", b"", value, self._now, partition) for partition in range(partitions)]

    def walk(self, told: str, cause: Cause) -> str:
        """Tell the next leads to their accounts anew, behind where `told` says that it is; returns how far that is then.

        `told` is "" where it begins, then where in the log it began and the id told last: who became a lead since was told then.
        """
        if told == WALKED:
            return told
        began, _, last = (told or f"{cause.offset + 1}:").partition(":")
        if self._walk is None or not told:  # it may begin anew in the middle
            self._walk = sorted((id_ for id_ in self.rows.lead_ids() if id_ > last), reverse=True)
        self._now = cause.r
        room = WALK
        while self._walk and room > 0:
            last = self._walk.pop()
            person = self.rows.person(last)
            if person is not None and person.id == last and person.identified < int(began):
                self._person(person, cause.offset + 1)
                room -= person.weight
        told = f"{began}:{last}" if self._walk else WALKED
        self._walk = self._walk or None
        self._send(cause)
        return told
