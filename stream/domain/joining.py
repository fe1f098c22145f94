"""What a lead takes over from one that is merged into it, and from whom, so that an unlink can give it back."""

from collections.abc import Collection

from stream.domain.person import Bonus, Joined, Person, Stood, stage_named
from stream.domain.ruleset.model import Ruleset, Stage
from stream.domain.state import NEVER

OWN = ""


def rank(stage: Stage) -> tuple[bool, int]:
    """Order stages: a CRM-owned one wins, then the higher."""
    return stage.owner == "crm", stage.order


def stood(person: Person) -> list[Stood]:
    """Return the stages a lead took over, one above the other, its own first, the present one last."""
    joined = person.joined or Joined()
    return [*joined.under, Stood(person.stage, person.entered_at, joined.by)]


def stand(person: Person, stages: list[Stood]) -> None:
    """Remember whose stage it is that a lead stands in by now, and what lies under it."""
    person.joined = Joined(stages[-1].by, stages[:-1]) if stages[:-1] else None


def stage_over(first: Person, last: Person, rules: Ruleset) -> list[Stood] | None:
    """Return how `first` stands once it takes the stage of `last` over; None where its own is at least as high."""
    present = rank(stage_named(rules, first.stage))
    if rank(stage_named(rules, last.stage)) <= present:
        return None
    theirs = [Stood(one.stage, one.entered_at, one.by or last.id) for one in stood(last)]
    return [*stood(first), *(one for one in theirs if rank(stage_named(rules, one.stage)) > present)]


def take(first: Person, last: Person) -> None:
    """Let a lead take over what another has beside its stage; the other remembers what was there before.

    Each sequence's bonus once, the survivor's where both have it; the later clock, hold and newest word of the CRM.
    """
    before = last.joined or Joined()
    last.joined = Joined(before.by, before.under, first.hold_until, first.crm_t)
    if last.bonuses:
        theirs = {name: Bonus(one.t, one.points, one.half_life_ms, one.by or last.id) for name, one in last.bonuses.items()}
        first.bonuses = {**theirs, **first.bonuses}
    first.as_of = max(first.as_of, last.as_of)
    first.hold_until = max(first.hold_until, last.hold_until)
    first.crm_t = max(first.crm_t, last.crm_t)


def returned(person: Person, roots: Collection[Person], ids: Collection[str]) -> None:
    """Take from a lead what it has of those who leave: sequences, the CRM's hold and its newest word."""
    person.bonuses = {name: bonus for name, bonus in person.bonuses.items() if bonus.by not in ids}
    for one in reversed(list(roots)):
        held, told = (one.joined.hold_until, one.joined.crm_t) if one.joined is not None else (NEVER, NEVER)
        person.hold_until = held if person.hold_until == one.hold_until else person.hold_until
        person.crm_t = told if person.crm_t == one.crm_t else person.crm_t


def own_again(first: Person, brought: Person, ids: Collection[str]) -> None:
    """Leave a lead that is one again what it had itself, or has of those who leave with it, and it brought along."""
    theirs = {name: bonus for name, bonus in brought.bonuses.items() if bonus.by in ids}
    own = {name: bonus for name, bonus in first.bonuses.items() if bonus.by == OWN or bonus.by in ids}
    first.bonuses = {
        name: Bonus(one.t, one.points, one.half_life_ms, OWN if one.by == first.id else one.by)
        for name, one in {**theirs, **own}.items()
    }
