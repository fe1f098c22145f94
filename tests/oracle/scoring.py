"""A lead's score at any instant, from whole event lists, and the instant when it next falls (section 7)."""

from collections.abc import Callable
from typing import Any

from tests.oracle import identities as ids
from tests.oracle.people import Lead, Person, decayed
from tests.oracle.rules import TOLERANCE, Rules, company_column, duration, exits, half_life

Part = tuple[int, float, float]


class Score:
    """Everything that makes a person's score, as lists."""

    def __init__(self, person: Person, rules: Rules) -> None:
        self.rules = rules
        self.person = person
        deeds = person.deeds()
        self.traits = person.traits()
        self.fits = rules.fit(self.fit_getter())
        self.grade = rules.grade(self.fits)
        self.behaviours: dict[str, list[Part]] = {}
        self.timings: dict[str, list[Part]] = {}
        for event in deeds:
            if event.behaviour is not None:
                self.behaviours.setdefault(event.behaviour, []).append((event.t, event.points, event.half_life))
            if event.journey is not None:
                self.timings.setdefault(event.journey, []).append((event.t, event.timing, rules.decay))
        self.direct = [(e.t, e.points, e.half_life) for e in deeds if e.intent == "direct"]
        self.bonuses: dict[str, Part] = {}
        for name, t in (person.lead.bonuses if person.lead else {}).items():
            rule = rules.part("sequences")[name]
            self.bonuses[name] = (t, float(rule["points"]), half_life(rule, rules.decay) or 0.0)
        self.last: int | None = max((e.t for e in deeds if e.crm_stage is None), default=None)
        self.interest_parts = [part for parts in self.behaviours.values() for part in parts]
        self.interest_parts = condensed([*self.interest_parts, *self.bonuses.values()])
        self.timing_parts = condensed([part for parts in self.timings.values() for part in parts])
        self.after = duration(rules.part("idle")["after"]) if rules.part("idle") else None

    def periods(self, at: int) -> int:
        """Return how many full idle periods have passed."""
        if self.after is None or self.last is None:
            return 0
        return max(0, (at - self.last) // self.after)

    def idle(self, at: int) -> float:
        """Return the idle points."""
        return float(self.periods(at) * self.rules.part("idle").get("points", 0))

    def at(self, at: int, idle: float | None = None) -> dict[str, Any]:
        """Return fit, interest, timing, total, grade at an instant (`idle`: with other idle points)."""
        raw = decayed(self.interest_parts, at) + (self.idle(at) if idle is None else idle)
        interest = max(float(self.rules.floor), raw)
        fit, timing = sum(self.fits.values()), decayed(self.timing_parts, at)
        total = interest + fit + timing
        return {"total": total, "fit": fit, "interest": interest, "timing": timing, "grade": self.grade}

    def fit_getter(self) -> Callable[[str], Any]:
        """Return how a condition of [fit] reads the person."""
        mails = self.person.named("email")
        phones = self.person.named("phone")
        address = ids.mail_address(self.traits.get("email")) or (mails[-1] if mails else None)
        number = self.traits.get("phone") or (phones[-1] if phones else None)
        group = self.person.group()
        company = dict(self.person.company() or {})
        if group is not None:
            company |= ids.leaves(group.body.get("traits") or {})

        def get(key: str) -> Any:
            head, _, name = key.partition(".")
            if head == "traits":
                return self.traits.get(name)
            if head == "company":
                return company_column(company or None, name)
            if key == "email_kind":
                return ids.email_kind(address) if address else None
            return ids.phone_number(number)[1]

        return get

    def route(self, at: int, stage: str) -> str:
        """Return the route in a stage at an instant."""
        fit = self.fit_getter()
        told = {
            "stage": stage,
            "grade": self.grade,
            "intent": "direct" if decayed(self.direct, at) >= 1 - TOLERANCE else "contextual",
            "journey": self.person.journey(),
        }
        return self.rules.route(lambda key: told[key] if key in told else fit(key))

    def explain(self, at: int) -> list[dict[str, Any]]:
        """Return the ledger: what sums to the total."""
        rows = [row(f"behaviours.{n}", len(p), decayed(p, at)) for n, p in self.behaviours.items()]
        rows += [row(f"timing.{n}", len(p), decayed(p, at)) for n, p in self.timings.items()]
        rows += [row(f"sequences.{n}", 1, decayed([p], at)) for n, p in self.bonuses.items()]
        rows += [row(f"fit.{n}", 1, points) for n, points in self.fits.items()]
        rows.append(row("idle", self.periods(at), self.idle(at)))
        raw = decayed(self.interest_parts, at) + self.idle(at)
        rows.append(row("floor", 1, max(0.0, self.rules.floor - raw)))
        return ordered(rows)

    def tags(self, at: int) -> list[dict[str, Any]]:
        """Return the sums of all members' tags, heaviest first."""
        sums: dict[str, float] = {}
        for member in self.person.members:
            for tag, parts in member.known.tags.items():
                sums[tag] = sums.get(tag, 0.0) + decayed(parts, at)
        return [{"tag": tag, "weight": w} for tag, w in sorted(sums.items(), key=lambda item: (-item[1], item[0]))]

    def next_fall(self, lead: Lead, after: int, until: int | None) -> int | None:
        """Return the first millisecond in (after, until] at which the engine demotes; until None: ever."""
        stage = lead.stage
        if stage["owner"] == "crm" or not stage.get("exit"):
            return None
        dwell_end = (lead.entered or 0) + duration(stage.get("dwell", "0s"))
        start = max(after + 1, dwell_end, lead.hold_until or 0)
        end = until if until is not None else start + int(64 * max(self.rules.longest, self.after or 0))
        if start > end:
            return None
        return self.first_below(stage, start, end)

    def first_below(self, stage: dict[str, Any], start: int, end: int) -> int | None:
        """Return the first millisecond in [start, end] where the stage's exit holds, segment by segment."""
        marks = [start]
        if self.after is not None and self.last is not None:
            n = self.periods(start) + 1
            while self.last + n * self.after <= end and n < 2000:
                marks.append(self.last + n * self.after)
                n += 1
        for begin, nxt in zip(marks, [*marks[1:], end + 1], strict=True):
            found = self.bisect(stage, begin, nxt - 1)
            if found is not None:
                return found
        return None

    def bisect(self, stage: dict[str, Any], begin: int, last: int) -> int | None:
        """Return the first millisecond in [begin, last] where the exit holds; no idle period ends inside."""
        if exits(stage, self.at(begin)):
            return begin
        low = begin
        for high in self.looks(begin, last):
            if exits(stage, self.at(high)):
                while high - low > 1:
                    middle = (low + high) // 2
                    low, high = (low, middle) if exits(stage, self.at(middle)) else (middle, high)  # noqa: PLW2901
                return high
            low = high
        return None

    def looks(self, begin: int, last: int) -> list[int]:
        """Return where to look in (begin, last]; a score dips and rises again where negative parts outlive positive ones."""
        if all(part[1] >= 0 for part in self.interest_parts):
            return [begin + (last - begin) * n // 4 for n in range(1, 5)]
        growing = [begin + int(1000 * 1.08**n) for n in range(400)]
        return [*(at for at in growing if at < last), last]

    def why(self, stage: dict[str, Any], at: int) -> str:
        """Return `idle` if it is the idle period that ends right now that makes the stage fall, else `decay`."""
        if self.after is None or self.last is None or at <= self.last or (at - self.last) % self.after:
            return "decay"
        before = float((self.periods(at) - 1) * self.rules.part("idle").get("points", 0))
        return "decay" if exits(stage, self.at(at, idle=before)) else "idle"


def condensed(parts: list[Part]) -> list[Part]:
    """Return one part for all that fade alike, of either sign, as of the newest: a search for a fall looks at them often."""
    alike: dict[tuple[float, bool], list[Part]] = {}
    for part in parts:
        alike.setdefault((part[2], part[1] < 0), []).append(part)
    newest = [(max(part[0] for part in some), some, fading) for (fading, _), some in alike.items()]
    return [(at, decayed(some, at), fading) for at, some, fading in newest]


def row(rule: str, count: int, points: float) -> dict[str, Any]:
    """Return one row of the ledger."""
    return {"ruleId": rule, "count": count, "points": points}


def ordered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows that are not 0, descending by points, then by rule."""
    return sorted((r for r in rows if r["points"] != 0), key=lambda r: (-r["points"], r["ruleId"]))
