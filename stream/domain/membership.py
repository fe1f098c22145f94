"""What an account hears of its members: leads and visitors as versioned snapshots, and that they left.

Who is awake is counted by the people log: within its lead, or alone where it is nobody's. A visitor that nobody listens to is
counted by its own partition. One record an account holds all that one record of people changes there.
"""

from stream.domain.accounts.member import account_of, alone_id, lead_member, place_of, visitor_id, visitor_member
from stream.domain.ids import is_device, kind_of
from stream.domain.leads import Cause, Leads, Out
from stream.domain.log import Member, Members, NewRuleset, Snapshot, Tick, encode
from stream.domain.person import Identity, Person

WALK = 200
"""How many leads one tick tells anew, where all must be."""
WALKED = "~"
"""Behind every lead id: all were told."""


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
        return min(self.ticks.values()) if len(self.ticks) == partitions else None

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

    def _person(self, person: Person, version: int) -> None:
        place, view = None, None
        if person.identified and not person.into:
            view = self.leads.view(person)
            place = place_of(view.profile.standing(person.as_of))
        named = place.account if place is not None else ""
        if person.account and person.account != named:
            self._change(person.account, Member(person.id, version, left=True))
        if person.account != named:
            person.account = named
            self.rows.keep(person)
        if view is not None and place is not None:
            self._now = max(self._now, person.as_of)
            self._change(named, lead_member(view, place, version))

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

    # -- all leads anew

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
        if self._walk is None:
            ids = (key[2:].decode() for key in self.rows.keys() if key.startswith(b"p:lead_"))  # noqa: SIM118 - no mapping
            self._walk = sorted((id_ for id_ in ids if id_ > last), reverse=True)
        self._now = cause.r
        left = WALK
        while self._walk and left:
            last = self._walk.pop()
            person = self.rows.person(last)
            if person is not None and person.id == last and person.identified < int(began):
                self._person(person, cause.offset + 1)
                left -= 1
        told = f"{began}:{last}" if self._walk else WALKED
        self._walk = self._walk or None
        self._send(cause)
        return told
