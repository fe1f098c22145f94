"""A person with its members' sums, read together: score, tags, ledger, route as of any instant."""

from collections.abc import Iterable, Sequence

from stream.domain import curves, decay, scoring, stages
from stream.domain.ids import is_identifying
from stream.domain.person import Bonus, Identity, Person, stage_named
from stream.domain.profile import Profile
from stream.domain.ruleset.fitting import remember
from stream.domain.ruleset.model import Ruleset, Stage
from stream.domain.scoring import Explained, Outlook
from stream.domain.sequences import completed_at
from stream.domain.stages import Move, Standing
from stream.domain.state import NEVER, State


class View:
    """A person under one ruleset.

    Args:
        person: whom to read.
        members: its identities, those without a snapshot included.
        rules: the ruleset in force.
    """

    def __init__(self, person: Person, members: Sequence[Identity], rules: Ruleset) -> None:
        self.person, self.members, self.rules = person, members, rules
        self._profile: Profile | None = None
        self.identified = any(is_identifying(m.node, rules.typed_email) for m in members)
        self._standing: Standing | None = None
        self._due: tuple[Outlook, int, Standing, Move | None] | None = None
        """What was found last to be due, and of what: at a change of stage it is asked for twice."""
        self.earned = False
        """Whether bonuses were given for what is read here."""
        self.refresh()

    @property
    def profile(self) -> Profile:
        """Who the person is; read when it is asked for: not all that is done needs it."""
        if self._profile is None:
            self._profile = Profile(self.members, self.rules)
        return self._profile

    def refresh(self) -> None:
        """Read the members' sums again, where nothing new was told of who they are."""
        self.states = [member.state for member in self.members]
        self._look: Outlook | None = None

    @property
    def journey(self) -> str | None:
        """The journey stage of the newest event that has one."""
        told = [state for state in self.states if state.journey is not None]
        newest = max(told, key=lambda state: (state.journey_t, state.journey_stamp), default=None)
        return newest.journey if newest is not None else None

    def outlook(self, base: int) -> Outlook:
        """Return the score as a function of time from `base` (ms) on."""
        if self._look is None or self._look.base != base:
            self._look = self._outlook(base)
        return self._look

    def _outlook(self, base: int) -> Outlook:
        look = Outlook(base, self.rules, self.profile.fit, self.profile.grade, self.identified)
        look.active = max([state.active for state in self.states], default=NEVER)
        for state in self.states:
            if state.points:
                curves.accumulate(look.interest, state.points, state.landmark, base)
            if state.timing:
                curves.accumulate(look.timing, state.timing, state.landmark, base)
        for bonus in self.person.bonuses.values():
            worth = bonus.points * decay.left(base - bonus.t, bonus.half_life_ms)
            look.interest[bonus.half_life_ms] = look.interest.get(bonus.half_life_ms, 0.0) + worth
        return look

    def standing(self) -> Standing:
        """Return where the lead stands; the same object as long as it is the same."""
        person, now = self.person, self._standing
        if (
            now is None
            or now.stage.name != person.stage
            or now.entered_at != person.entered_at
            or now.hold_until != person.hold_until
        ):
            now = self._standing = Standing(stage_named(self.rules, person.stage), person.entered_at, person.hold_until)
        return now

    def ladder(self) -> Sequence[Stage]:
        """Return the stages as this lead meets them: one that it stands in though the ruleset has it no more is among them."""
        ladder, gone = self.rules.stages, self.rules.gone.get(self.person.stage)
        return ladder if gone is None else (*ladder[: gone.order - 1], gone, *ladder[gone.order - 1 :])

    def next_due(self, look: Outlook, after: int) -> Move | None:
        """Return the next change after an instant if no event comes; from a stage that is gone it may lead anywhere."""
        now, known = self.standing(), self._due
        if known is not None and known[0] is look and known[1] == after and known[2] is now:
            return known[3]
        move = stages.next_due(self.ladder(), now, look, after)
        if move is not None and now.stage.name in self.rules.gone:
            move = stages.judge(self.ladder(), now, look, move.at)
        self._due = look, after, now, move
        return move

    def tags(self, at: int) -> list[tuple[str, float]]:
        """Return tags and weights at `at`, heaviest first."""
        return heaviest(decay.worth(state.tags, state.landmark, at) for state in self.states)

    def explain(self, at: int) -> list[Explained]:
        """Return the ledger: rows that sum to the total at `at`."""
        look = self.outlook(max(at, self.person.as_of))
        interest = points_rows(self.states, at)
        for name, bonus in self.person.bonuses.items():
            points = bonus.points * decay.left(at - bonus.t, bonus.half_life_ms)
            interest.append(Explained(f"sequences.{name}", 1, points))
        interest += scoring.idle_row(self.rules.idle, look.periods(at))
        return scoring.ledger(interest, self.rules.floor, timing_rows(self.states, at) + self.profile.fit_rows)

    def earn_bonuses(self) -> None:
        """Give each sequence's bonus that the members' behaviours have completed, once."""
        self.earned = True
        done = {step for state in self.states for step in state.times}
        for sequence in self.rules.sequences.values():
            if sequence.name in self.person.bonuses or not done.issuperset(sequence.steps):
                continue
            times = {step: sorted(t for s in self.states for t in s.times.get(step, ())) for step in sequence.steps}
            at = completed_at(sequence, times)
            if at is not None:
                self.person.bonuses[sequence.name] = Bonus(at, sequence.points, sequence.half_life_ms)
                self._look = None

    def route(self, at: int) -> str:
        """Return the route of the first rule that matches at `at`; `nurture` where none does."""
        if not self.rules.routes:
            return "nurture"
        decided = self.person.stage, self.journey, scoring.intent(self._direct_points(at))
        known, asked = self.rules.fitting.routes, (self.profile.conditions, *decided)
        return known.get(asked) or remember(known, asked, self._route(*decided))

    def _route(self, stage: str, journey: str | None, intent: str) -> str:
        facts = {"stage": stage, "grade": self.profile.grade, "journey": journey, "intent": intent}
        for route in self.rules.routes:
            if route.match.holds(lambda key: facts[key] if key in facts else self.profile.get(key)):
                return route.route
        return "nurture"

    def _direct_points(self, at: int) -> float:
        points, direct = 0.0, self.rules.direct
        for state in self.states:
            for h, part in state.points.items():
                if not direct.isdisjoint(part):
                    found = sum([value for name, value in part.items() if name in direct])
                    points += found * decay.left(at - state.landmark, h)
        return points


def heaviest(weights: Iterable[dict[str, float]]) -> list[tuple[str, float]]:
    """Add up tag weights and order them, heaviest first."""
    total: dict[str, float] = {}
    for some in weights:
        if not total:
            total = some
            continue
        for name, weight in some.items():
            total[name] = total.get(name, 0.0) + weight
    found = [(-weight, name) for name, weight in total.items() if weight]
    found.sort()
    return [(name, -weight) for weight, name in found]


def points_rows(states: Iterable[State], at: int) -> list[Explained]:
    """Return the ledger's behaviour rows, summed over identities."""
    return _rows("behaviours.", "", [(s.counts, decay.worth(s.points, s.landmark, at)) for s in states if s.points])


def timing_rows(states: Iterable[State], at: int) -> list[Explained]:
    """Return the ledger's timing rows, summed over identities."""
    return _rows("timing.", "timing.", [(s.counts, decay.worth(s.timing, s.landmark, at)) for s in states if s.timing])


def _rows(prefix: str, counted: str, parts: list[tuple[dict[str, int], dict[str, float]]]) -> list[Explained]:
    if len(parts) == 1:  # nothing to add up: of most leads one identity alone did something
        ((counts, worth),) = parts
        return [Explained(prefix + name, counts.get(counted + name, 0), points) for name, points in worth.items()]
    total: dict[str, tuple[int, float]] = {}
    for counts, worth in parts:
        for name, points in worth.items():
            count, sum_ = total.get(name, (0, 0.0))
            total[name] = count + counts.get(counted + name, 0), sum_ + points
    return [Explained(prefix + name, count, points) for name, (count, points) in total.items()]
