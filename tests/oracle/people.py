"""What is known: rows of single identities, and people as plain sets of them (section 3 of the contract)."""

from dataclasses import dataclass, field
from typing import Any

from tests.oracle import identities as ids
from tests.oracle.reading import Event
from tests.oracle.rules import TOLERANCE, Rules, chain_end, duration

REMEMBERED = 16


@dataclass
class Given:
    """What one identity has told so far."""

    events: list[Event] = field(default_factory=list)
    tags: dict[str, list[tuple[int, float, float]]] = field(default_factory=dict)
    times: dict[str, list[int]] = field(default_factory=dict)

    @property
    def deeds(self) -> list[Event]:
        """Return the events that are no bot's."""
        return [event for event in self.events if not event.bot]


@dataclass
class Row:
    """One source identity: everything it did, and what people know of that."""

    id: str
    klass: str
    now: Given = field(default_factory=Given)
    known: Given = field(default_factory=Given)
    messages: set[str] = field(default_factory=set)
    spent: dict[tuple[str, str], float] = field(default_factory=dict)
    as_of: int = 0
    awake: bool = False
    named: tuple[int, int] = (-1, 0)
    shared: bool = False

    def is_forgotten(self, at: int, rules: Rules) -> bool:
        """Tell whether nobody listens and nothing was received for longer than the horizon."""
        return not self.awake and at - self.as_of > rules.horizon

    def begin_anew(self) -> None:
        """Forget everything."""
        self.now, self.messages, self.spent = Given(), set(), {}

    def take(self, event: Event, rules: Rules) -> None:
        """Apply one event to the row."""
        self.as_of = max(self.as_of, event.r)
        self.now.events.append(event)
        if event.bot:
            return
        rules.explain_event(event)
        self.cap(event, rules)
        for tag, weight, half_life in event.tags:
            self.now.tags.setdefault(tag, []).append((event.t, weight, half_life))
        while len(self.now.tags) > rules.max_tags:
            del self.now.tags[smallest(self.now.tags, self.as_of, rules.tag_order)]
        if event.behaviour is not None:
            times = [*self.now.times.get(event.behaviour, []), event.t]
            self.now.times[event.behaviour] = sorted(times)[-REMEMBERED:]

    def cap(self, event: Event, rules: Rules) -> None:
        """Cut the points of an event to what its behaviour may still give that day."""
        if event.behaviour is None:
            return
        cap = rules.part("behaviours")[event.behaviour].get("cap")
        if cap is None:
            return
        place = (event.behaviour, rules.day(event.t))
        left = max(0.0, cap["points"] - self.spent.get(place, 0.0))
        size = min(abs(event.points), left)
        self.spent[place] = self.spent.get(place, 0.0) + size
        event.points = size if event.points > 0 else -size

    def tell(self) -> None:
        """Let people know all that the row knows."""
        self.awake = True
        tags = {tag: list(parts) for tag, parts in self.now.tags.items()}
        self.known = Given(list(self.now.events), tags, {name: list(times) for name, times in self.now.times.items()})


def decayed(parts: list[tuple[int, float, float]], at: int) -> float:
    """Return sum w * 2^(-(at - t) / h) of (t, w, h)."""
    return float(sum(w * 2 ** (-(at - t) / h) for t, w, h in parts))


def smallest(tags: dict[str, list[tuple[int, float, float]]], at: int, order: list[str]) -> str:
    """Return the tag that leaves: of the smallest weight, among equals the last."""
    weights = {tag: decayed(parts, at) for tag, parts in tags.items()}
    low = min(weights.values())
    equal = [tag for tag, weight in weights.items() if weight <= low + TOLERANCE]
    return max(equal, key=lambda tag: (order.index(tag) if tag in order else len(order), tag))


@dataclass
class Lead:
    """What is decided about a person who is a lead."""

    id: str
    born: int
    as_of: int
    stage: dict[str, Any]
    entered: int | None = None
    hold_until: int | None = None
    crm_t: int | None = None
    bonuses: dict[str, int] = field(default_factory=dict)
    previous: list[str] = field(default_factory=list)


@dataclass
class Person:
    """A set of identities, in the order in which they joined."""

    members: list[Row]
    lead: Lead | None = None

    def a_values(self) -> dict[str, set[str]]:
        """Return the values of class A by kind."""
        found: dict[str, set[str]] = {}
        for row in self.members:
            if row.klass == "A":
                found.setdefault(ids.kind_of(row.id), set()).add(row.id)
        return found

    def clashes(self, other: "Person") -> bool:
        """Tell whether joining would give one person two class A values of one kind."""
        mine, theirs = self.a_values(), other.a_values()
        return any(len(mine[kind] | theirs[kind]) > 1 for kind in mine.keys() & theirs.keys())

    def deeds(self) -> list[Event]:
        """Return all known events that are no bot's."""
        return [event for row in self.members for event in row.known.deeds]

    def newest(self, events: list[Event]) -> Event | None:
        """Return the newest by event time, among equals the later applied."""
        return max(events, key=lambda event: (event.t, event.line), default=None)

    def traits(self) -> dict[str, Any]:
        """Return merged traits by leaf path, the newest group's company traits where the person's own are missing."""
        merged: dict[str, Any] = {}
        for event in sorted(self.deeds(), key=lambda event: (event.t, event.line)):
            merged |= event.traits
        merged = {path: value for path, value in merged.items() if value is not None}
        return {f"company.{path}": value for path, value in self.group_traits().items()} | merged

    def company(self) -> dict[str, Any] | None:
        """Return the company behind the newest address that resolved."""
        found = self.newest([event for event in self.deeds() if event.company is not None])
        return found.company if found else None

    def group(self) -> Event | None:
        """Return the newest event that told the account."""
        return self.newest([event for event in self.deeds() if event.group])

    def group_traits(self) -> dict[str, Any]:
        """Return what was told of that account, by leaf path, whichever identity told it."""
        newest = self.group()
        told: dict[str, Any] = {}
        for event in sorted(self.deeds(), key=lambda event: (event.t, event.line)):
            if newest is not None and event.group == newest.group:
                told |= ids.leaves(event.body.get("traits") or {})
        return {path: value for path, value in told.items() if value is not None}

    def named(self, kind: str) -> list[str]:
        """Return the values of one kind, the one named by the newest event last."""
        rows = [row for row in self.members if ids.kind_of(row.id) == kind]
        return [ids.value_of(row.id) for row in sorted(rows, key=lambda row: row.named)]

    def named_at(self, kind: str, value: str) -> int:
        """Return when an identity was named last."""
        return next(row.named[0] for row in self.members if ids.kind_of(row.id) == kind and ids.value_of(row.id) == value)

    def journey(self) -> str | None:
        """Return the journey stage of the newest event that has one."""
        found = self.newest([event for event in self.deeds() if event.journey])
        return found.journey if found else None

    def collect_bonuses(self, rules: Rules) -> None:
        """Give the lead each sequence it has completed, once."""
        if self.lead is None:
            return
        for name, rule in rules.part("sequences").items():
            if name in self.lead.bonuses:
                continue
            times: dict[str, list[int]] = {}
            for row in self.members:
                for behaviour, seen in row.known.times.items():
                    times.setdefault(behaviour, []).extend(seen)
            end = chain_end(rule["steps"], times, duration(rule["within"]))
            if end is not None:
                self.lead.bonuses[name] = end
