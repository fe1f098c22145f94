"""The one ordered log that decides about people: a pure fold of snapshots and ticks into persons, stages and facts.

A snapshot changes one identity and whom it belongs to (`snapshots`), a tick lets the people's clock run. The fold reads no
clock and no file; what it emits is a function of the log alone.
"""

from collections.abc import Iterator, MutableMapping

from stream.domain.erasing import Erasures
from stream.domain.inforce import InForce
from stream.domain.leads import Cause, Leads, Out
from stream.domain.links import Links
from stream.domain.log import (
    Buried,
    Canary,
    Deployment,
    Disowned,
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
    TellAgain,
    Tick,
    Told,
    Unlinking,
    decode,
)
from stream.domain.membership import Membership
from stream.domain.mending import Mending
from stream.domain.ownrows import CUT_BYTES
from stream.domain.restoring import bring_back
from stream.domain.rows import Rows
from stream.domain.ruleset.model import Ruleset
from stream.domain.snapshots import Snapshots
from stream.domain.state import NEVER
from stream.domain.timers import LeadTimers
from stream.domain.waiting import Waiting


class People:
    """The fold over the `people` log.

    Args:
        stored: the table's partition, key bytes -> row bytes; read on touch, written by `cut`.
        partitions: how many partitions `events` has: the clock needs a tick of each.
        app: the name in every fact's `source`.
        rules: the ruleset of an empty table, a stored one is in force instead; or what is in force in another fold.
        accounts: whether accounts are told of their members.
    """

    cut_bytes = CUT_BYTES

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
        self.waiting = Waiting(self.rows)
        self.membership = Membership(self.leads) if accounts else None
        self._snapshots = Snapshots(self.rows, self.leads, self.links, self.erasures, self.membership)
        self._prepared: tuple[int, InForce, LeadTimers] | None = None
        self.leads.settling = bool(self.log.settling)

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
        """How many bytes the next cut takes, at most."""
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

    def apply(self, offset: int, value: bytes) -> None:
        """Apply the record at `offset`; raises `Unreadable` for one that this release cannot read."""
        while not self.apply_part(offset, value):
            pass

    def apply_part(self, offset: int, value: bytes) -> bool:
        """Apply so much of a record as one cut takes, and tell whether that was all; raises as `apply` does.

        Thousands of leads may be due at one tick. Until all is done the log stands where it stood: the same record comes next.
        """
        record = decode(value)
        self.leads.cause = None
        if isinstance(record, Snapshot):
            self._snapshots.apply(offset, record)
        elif isinstance(record, Tick | GoOn):
            if not self._tick(offset, record):
                return False
        else:
            self._word(offset, record, value)
        self._tell_accounts(record, offset)
        self.rows.applied(value)
        self.log.next = offset + 1
        return True

    def _word(self, offset: int, record: Record, value: bytes) -> None:
        """Do what an operator says, or what comes back after a loss."""
        if isinstance(record, Deployment):
            self._deploy(offset, record)
        elif isinstance(record, Settling | Restored | Told | Refused | Said | Settled):
            self._come_back(offset, record)
        elif isinstance(record, Erasing | Linking | Unlinking):
            if self.leads.settling or self.waiting:
                self.waiting.add(record, value, self.log)
            else:
                self._decide(offset, record)
        elif isinstance(record, Buried):
            self.erasures.buried(record)
        elif isinstance(record, Disowned):
            self.erasures.disown(record, offset)
        elif isinstance(record, Remembered):
            self.erasures.remember(record)
        elif isinstance(record, Canary):
            self.out.append(Out("wakes", record.node.encode(), value, NEVER))
        elif isinstance(record, TellAgain):
            self.log.told = ""

    def _decide(self, offset: int, said: Record) -> None:
        """Do what an operator said of somebody, or nothing, and remember which."""
        if isinstance(said, Erasing):
            self.erasures.erase(said, offset, self.clock)
        elif isinstance(said, Linking | Unlinking):
            self.mending.decide(said, self.log, offset, self.clock)

    def _tell_accounts(self, record: Record, offset: int) -> None:
        """Tell accounts what a record changed; at other ticks what a ruleset changed of all, or what came back after a loss."""
        membership, cause = self.membership, self.leads.cause
        if membership is None:
            return
        if cause is None:
            membership.forget()
            clock = self.clock if isinstance(record, Tick | GoOn) and not self.leads.settling else None
            if clock is not None:
                until = max(clock, self.log.aging)
                membership.grow_old(offset, until)
                self.log.aging = until if membership.waiting else NEVER
        else:
            membership.tell(cause, record if isinstance(record, Snapshot) else None, settling=self.leads.settling)
        if isinstance(record, Tick):
            membership.tick(record)
            if cause is None and not self.leads.settling and not membership.waiting:
                code = "ruleset_change" if self.in_force.place else None
                if not self.log.told and self.in_force.place:
                    membership.pass_on(NewRuleset(self.in_force.place, self.rules.text), self.partitions)
                self.log.told = membership.walk(self.log.told, Cause(offset, NEVER, code))

    def cut(self) -> list[tuple[bytes, bytes | None]]:
        """Return all changed rows and the log's own, to be appended whole or not at all."""
        rows = self.rows.cut(self.log)
        if self.rows.keeps_too_much:
            self.leads.forget_all()
        return rows

    def _tick(self, offset: int, tick: Tick | GoOn) -> bool:
        if isinstance(tick, Tick):
            self.log.ticks[tick.partition] = tick.until
        clock = self.clock
        if clock is None or self.log.settling:
            return True
        if self.waiting:  # one a tick: each needs a place of its own in the log
            self._decide(offset, decode(self.waiting.take()))
            return True
        done = self.leads.run_clock(offset, clock)
        if done:
            self.erasures.sweep(clock)
        elif self.membership is not None:
            self.membership.forget()  # who moved by time alone changes no account, and may be one of a million
        return done

    def _come_back(self, offset: int, record: Settling | Restored | Told | Refused | Said | Settled) -> None:
        """Let leads stand where the CRM knows them, and wait for the sums of every partition before anybody moves down."""
        if isinstance(record, Restored | Told | Refused | Said):
            bring_back(self.links, record, offset)
        elif isinstance(record, Settling):
            if record.anew or self.log.settling:
                self.log.run, self.log.settling = record.run, list(range(self.partitions))
        elif record.run == self.log.run and record.partition in self.log.settling:
            self.log.settling.remove(record.partition)
            if not self.log.settling:
                self.log.told = ""
                ready = self._prepared if self._prepared is not None and self._prepared[0] == offset else None
                self.leads.put_in_force(self.in_force, ready[2] if ready is not None else self.leads.armed(self.in_force))
            self._prepared = None
        self.leads.settling = bool(self.log.settling)

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
