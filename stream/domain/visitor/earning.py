"""What a person's event brings its row: weights, points, traits, company."""

from bisect import insort

from stream.domain import decay, outcomes, traits
from stream.domain.event import Company, Event
from stream.domain.ruleset.model import Behaviour, Match, Ruleset
from stream.domain.state import State
from stream.domain.visitor.row import Visitor

TIMES = 16
"""How many times of a behaviour that a sequence names are remembered."""
DAYS = 400
"""How many days of a capped behaviour are remembered, the newest; what happens on an older one gives its full points."""


def gather(row: Visitor, event: Event, match: Match, rules: Ruleset) -> None:
    """Add what a person's event brings: weights, points, traits, company."""
    state, t = row.state, event.t
    if event.crm_stage is None and t > state.active:
        state.active = t
    if event.company is not None:
        _place(state, event.company, t, rules)
    if event.traits:
        traits.merge(state.traits, event.traits, t, {"email": event.trait_email_kind, "phone": event.trait_phone_kind})
    if event.group is not None or (event.event is not None and event.event in outcomes.NAMES):
        _hear(state, event)
    behaviour = match.behaviour
    if behaviour is None:
        return
    if state.landmark == 0:
        state.landmark = t
    elif t - state.landmark > rules.far_ms:
        for sums in (state.tags, state.points, state.timing):
            decay.rebase(sums, state.landmark, t)
        state.landmark = t
    _score(row, event, behaviour, rules)
    if match.tags:
        _weigh(state, event, match, behaviour, rules)


def _hear(state: State, event: Event) -> None:
    """Remember a group that was named, or what a CRM told."""
    if event.group is not None:
        traits.merge_group(state, event.group.id, event.group.traits, event.t)
    if event.type == "track" and event.event in outcomes.NAMES:
        state.outcomes = outcomes.tell(state.outcomes, event)


def _place(state: State, company: Company, t: int, rules: Ruleset) -> None:
    if t >= state.company_t:
        state.company, state.company_t = company, t
    if t >= state.account_t and rules.accounts.may_name(company.kind, company.confidence):
        state.account, state.account_t = company, t


def _score(row: Visitor, event: Event, behaviour: Behaviour, rules: Ruleset) -> None:
    state, t, name, points, journey = row.state, event.t, behaviour.name, behaviour.points, behaviour.journey
    counts = state.counts
    if points:
        if behaviour.cap is not None:
            points = _capped(row.caps, name, points, behaviour.cap, rules.day_of(t))
        decay.add(state.points, name, behaviour.half_life_ms, points, t, state.landmark)
        counts[name] = counts.get(name, 0) + 1
    if journey is not None:
        if t >= state.journey_t:
            state.journey, state.journey_t = journey, t
        points = rules.timing.get(journey, 0.0)
        if points:
            decay.add(state.timing, journey, rules.half_life_ms, points, t, state.landmark)
            key = f"timing.{journey}"
            counts[key] = counts.get(key, 0) + 1
    if name in rules.sequenced:
        times = state.times.setdefault(name, [])
        insort(times, t)
        if len(times) > TIMES:
            del times[:-TIMES]


def _capped(caps: dict[str, dict[int, float]], name: str, points: float, cap: float, day: int) -> float:
    """Return what is left of a day's cap for points. A cap holds per sign."""
    if points < 0:
        return -_capped(caps, f"-{name}", -points, cap, day)
    days = caps.get(name)
    if days is None:
        days = caps[name] = {}
    used = days.get(day, 0.0)
    left = cap - used if cap > used else 0.0
    given = points if points < left else left  # noqa: FURB136 - min() costs four times as much
    days[day] = used + given
    if not used and len(days) > DAYS:
        del days[min(days)]
    return given


def _weigh(state: State, event: Event, match: Match, behaviour: Behaviour, rules: Ruleset) -> None:
    dwell = rules.dwell.factor(event.properties) if rules.dwell is not None else 1.0
    weight, t = match.where * behaviour.weight * dwell, event.t
    if not weight:
        return
    tags, landmark, fresh = state.tags, state.landmark, False
    for tag in match.tags:
        if decay.add(tags, tag.name, tag.half_life_ms, weight, t, landmark):
            fresh = True
    if fresh and decay.count(tags) > rules.max_tags:
        _evict(state, rules)


def _evict(state: State, rules: Ruleset) -> None:
    """Let the smallest weights at asOf leave; among equals the last in file order, then by code point."""
    weights = decay.worth(state.tags, state.landmark, state.as_of)
    outside = len(rules.tag_order)
    while len(weights) > rules.max_tags:
        least = min(weights.values()) + 1e-9
        leaving = max((n for n, w in weights.items() if w <= least), key=lambda n: (rules.tag_order.get(n, outside), n))
        del weights[leaving]
        for part in state.tags.values():
            part.pop(leaving, None)
