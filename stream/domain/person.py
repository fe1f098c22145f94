"""A person: the source identities that belong to one human, and where the lead stands.

The sums live with the identities; a person is their sum, computed when asked. So a merge and its undoing are exact.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from stream.domain import decay, scoring
from stream.domain.event import Company
from stream.domain.ids import class_of, kind_of, value_of
from stream.domain.ruleset.model import Ruleset, Stage
from stream.domain.scoring import Explained, Outlook
from stream.domain.sequences import completed_at
from stream.domain.stages import VISITOR, Standing
from stream.domain.state import NEVER, GroupCall, State, Trait


class Identity(msgspec.Struct, array_like=True):
    """One source identity as the people log knows it.

    `version` is its newest snapshot's (-1: none yet), `person` the id of its person ("": nobody's), `named_t` the newest
    event time that named it, `conflicts` the nodes it was refused with.
    """

    node: str
    version: int = -1
    person: str = ""
    shared: bool = False
    kind: str = ""
    named_t: int = NEVER
    conflicts: list[str] = []
    state: State = msgspec.field(default_factory=State)


class Bonus(msgspec.Struct, array_like=True):
    """A sequence's bonus, earned once, dated at its last step."""

    t: int
    points: float
    half_life_ms: float


class Person(msgspec.Struct, array_like=True):
    """A person's own facts. `id` is the lead id once identified; `into` names the survivor of one that was merged away.

    `born` is the log position that made it, `identified` that of its identification (0: not a lead), `crm_t` the newest CRM
    move's event time.
    """

    id: str
    born: int = 0
    into: str = ""
    members: list[str] = []
    identified: int = 0
    as_of: int = NEVER
    sequence: int = 0
    stage: str = "visitor"
    entered_at: int = NEVER
    hold_until: int = NEVER
    crm_t: int = NEVER
    route: str = "nurture"
    previous: list[str] = []
    bonuses: dict[str, Bonus] = {}


def stage_named(rules: Ruleset, name: str) -> Stage:
    """Return a stage by name; `visitor` is the one before the ladder."""
    return next((stage for stage in rules.stages if stage.name == name), VISITOR)


class View:
    """A person with its members' sums, read together under one ruleset.

    Args:
        person: whom to read.
        members: its identities, those without a snapshot included.
        rules: the ruleset in force.
    """

    def __init__(self, person: Person, members: Sequence[Identity], rules: Ruleset) -> None:
        self.person, self.members, self.rules = person, members, rules
        self.states = [member.state for member in members]
        self.group = self._newest_group()
        self.company = self._newest_company()
        self.traits = self._merged_traits()
        self.fits = [fit for fit in rules.fit.values() if fit.match.holds(self.get)]
        self.fit = sum(fit.points for fit in self.fits)
        self.grade = scoring.grade_of(rules, self.fit, len({fit.bant for fit in self.fits if fit.bant}))
        self.journey = self._newest_journey()

    # -- what conditions see

    def get(self, key: str) -> Any:
        """Return the value of a condition's key (traits.*, company.*, email_kind, phone_kind); None when absent."""
        head, _, name = key.partition(".")
        if head == "traits":
            return self.trait(name)
        if head == "company":
            return self._company(name)
        return self._kind(head.removesuffix("_kind")) if head in ("email_kind", "phone_kind") else None

    def trait(self, path: str) -> Any:
        """Return a merged trait; a group's traits stand in for a missing `company.*`."""
        known = self.traits.get(path)
        if known is not None and known.value is not None:
            return known.value
        if path.startswith("company.") and self.group is not None:
            told = self.group[1].traits.get(path.removeprefix("company."))
            return told.value if told is not None else None
        return None

    def _kind(self, kind: str) -> str | None:
        trait = self.traits.get(kind)
        if trait is not None and trait.value is not None and trait.kind:
            return trait.kind
        named = [m for m in self.members if kind_of(m.node) == kind and m.kind]
        return max(named, key=lambda m: m.named_t).kind if named else None

    def _company(self, name: str) -> Any:
        if name == "known":
            return self.company is not None or self.group is not None
        told = self.group[1].traits.get(name) if self.group is not None else None
        if told is not None and told.value is not None:
            return told.value
        return self.company.get(name) if self.company is not None else None

    def _newest_group(self) -> tuple[str, GroupCall] | None:
        groups = [group for state in self.states if (group := state.group()) is not None]
        return max(groups, key=lambda group: group[1].t, default=None)

    def _newest_company(self) -> Company | None:
        newest = max(self.states, key=lambda state: state.company_t, default=None)
        return newest.company if newest is not None else None

    def _newest_journey(self) -> str | None:
        newest = max(self.states, key=lambda s: (s.journey_t, s.journey_stamp), default=None)
        return newest.journey if newest is not None else None

    def _merged_traits(self) -> dict[str, Trait]:
        merged: dict[str, Trait] = {}
        for state in self.states:
            for path, trait in state.traits.items():
                known = merged.get(path)
                if known is None or (trait.t, trait.stamp) >= (known.t, known.stamp):
                    merged[path] = trait
        return merged

    # -- sums

    def outlook(self, base: int) -> Outlook:
        """Return the score as a function of time from `base` (ms) on."""
        look = Outlook(base, self.rules, self.fit, self.grade, self.identified)
        for state in self.states:
            decay.accumulate(look.interest, state.points, state.landmark, base)
            decay.accumulate(look.timing, state.timing, state.landmark, base)
            look.active = max(look.active, state.active)
        for bonus in self.person.bonuses.values():
            worth = bonus.points * 2.0 ** ((bonus.t - base) / bonus.half_life_ms)
            look.interest[bonus.half_life_ms] = look.interest.get(bonus.half_life_ms, 0.0) + worth
        return look

    @property
    def identified(self) -> bool:
        """Tell whether a member of class A or B makes it a lead."""
        return any(class_of(kind_of(m.node), self.rules.typed_email) in ("A", "B") for m in self.members)

    def standing(self) -> Standing:
        """Return where the lead stands."""
        return Standing(stage_named(self.rules, self.person.stage), self.person.entered_at, self.person.hold_until)

    def tags(self, at: int) -> list[tuple[str, float]]:
        """Return tags and weights at `at`, heaviest first."""
        return heaviest(decay.worth(state.tags, state.landmark, at) for state in self.states)

    def explain(self, at: int, look: Outlook) -> list[Explained]:
        """Return the ledger: rows that sum to the total at `at`."""
        interest = points_rows(self.states, at)
        for name, bonus in self.person.bonuses.items():
            points = bonus.points * 2.0 ** ((bonus.t - at) / bonus.half_life_ms)
            interest.append(Explained(f"sequences.{name}", 1, points))
        interest += scoring.idle_row(self.rules.idle, look.periods(at))
        beside = timing_rows(self.states, at) + [Explained(f"fit.{fit.name}", 1, fit.points) for fit in self.fits]
        return scoring.ledger(interest, self.rules.floor, beside)

    def earn_bonuses(self) -> None:
        """Give each sequence's bonus that the members' behaviours have completed, once."""
        for sequence in self.rules.sequences.values():
            if sequence.name in self.person.bonuses:
                continue
            times = {step: sorted(t for s in self.states for t in s.times.get(step, ())) for step in set(sequence.steps)}
            at = completed_at(sequence, times)
            if at is not None:
                self.person.bonuses[sequence.name] = Bonus(at, sequence.points, sequence.half_life_ms)

    def route(self, at: int) -> str:
        """Return the route of the first rule that matches; `nurture` where none does."""
        facts = {"stage": self.person.stage, "grade": self.grade, "journey": self.journey, "intent": self._intent(at)}
        for route in self.rules.routes:
            if route.match.holds(lambda key: facts[key] if key in facts else self.get(key)):
                return route.route
        return "nurture"

    def _intent(self, at: int) -> str:
        points = 0.0
        for state in self.states:
            for name, worth in decay.worth(state.points, state.landmark, at).items():
                behaviour = self.rules.behaviours.get(name)
                if behaviour is not None and behaviour.intent == "direct":
                    points += worth
        return scoring.direct(points)

    # -- who it is

    def account(self) -> dict[str, Any] | None:
        """Return the account: a `group` call beats a business e-mail domain beats an IP; the newest among equals."""
        if self.group is not None:
            return self._group_account(*self.group)
        mails = [m for m in self.members if kind_of(m.node) == "email" and m.kind == "business"]
        if mails:
            domain = value_of(max(mails, key=lambda m: m.named_t).node).rpartition("@")[2]
            return _account(f"account::{domain}", self._name_of(domain), domain, "business", 1.0)
        named = [s for s in self.states if s.company is not None and self._names_account(s.company)]
        if not named:
            return None
        company = max(named, key=lambda s: s.company_t).company
        assert company is not None
        id_ = f"account::{company.domain}" if company.domain else f"account:name:{company.name.lower()}"
        return _account(id_, company.name, company.domain or None, company.kind, company.confidence)

    def _group_account(self, id_: str, call: GroupCall) -> dict[str, Any]:
        def told(name: str) -> Any:
            trait = call.traits.get(name)
            return trait.value if trait is not None and isinstance(trait.value, str) else None

        return _account(f"account:group:{id_}", told("name") or id_, told("domain"), "business", 1.0)

    def _name_of(self, domain: str) -> str:
        names = [s.company.name for s in self.states if s.company is not None and s.company.domain == domain]
        return names[-1] if names and names[-1] else domain

    def _names_account(self, company: Company) -> bool:
        accounts = self.rules.accounts
        return company.kind in accounts.kinds and company.confidence >= accounts.min_confidence - 1e-9


def _account(id_: str, name: str, domain: str | None, kind: str, confidence: float) -> dict[str, Any]:
    return {"id": id_, "name": name, "domain": domain, "kind": kind, "confidence": confidence}


def heaviest(weights: Iterable[dict[str, float]]) -> list[tuple[str, float]]:
    """Add up tag weights and order them, heaviest first."""
    total: dict[str, float] = {}
    for some in weights:
        for name, weight in some.items():
            total[name] = total.get(name, 0.0) + weight
    return sorted(((n, w) for n, w in total.items() if w), key=lambda tag: (-tag[1], tag[0]))


def points_rows(states: Iterable[State], at: int) -> list[Explained]:
    """Return the ledger's behaviour rows, summed over identities."""
    return _rows("behaviours.", "", [(s, decay.worth(s.points, s.landmark, at)) for s in states])


def timing_rows(states: Iterable[State], at: int) -> list[Explained]:
    """Return the ledger's timing rows, summed over identities."""
    return _rows("timing.", "timing.", [(s, decay.worth(s.timing, s.landmark, at)) for s in states])


def _rows(prefix: str, counted: str, parts: list[tuple[State, dict[str, float]]]) -> list[Explained]:
    total: dict[str, list[float]] = {}
    for state, worth in parts:
        for name, points in worth.items():
            row = total.setdefault(name, [0, 0.0])
            row[0] += state.counts.get(counted + name, 0)
            row[1] += points
    return [Explained(prefix + name, int(count), points) for name, (count, points) in total.items()]
