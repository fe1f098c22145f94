"""What look-ups answer: visitor and lead documents as of an instant, nothing stored."""

from typing import Any

from stream.domain import decay, facts, outcomes, scoring
from stream.domain.event import Company
from stream.domain.instants import EARLIEST
from stream.domain.instants import write as to_text
from stream.domain.leads import Leads
from stream.domain.person import Person, stage_named
from stream.domain.ruleset.model import Ruleset
from stream.domain.state import NEVER, State
from stream.domain.view import View, heaviest, points_rows


class TooEarly(ValueError):  # noqa: N818 - what it is
    """`at` lies before the clock of what is asked for."""

    def __init__(self, at: int, as_of: int) -> None:
        told = to_text(max(at, EARLIEST))
        super().__init__(f"at {told} is before asOf {to_text(as_of)}: the past is not kept, ask for a later instant")


def visitor(node: str, state: State, rules: Ruleset, lead: str | None, at: int, as_of: int) -> dict[str, Any]:
    """Return a visitor's document with sums as of `at` (ms), shown as of `as_of`."""
    rows = points_rows([state], at)
    company = state.company
    return {
        "id": node,
        "asOf": to_text(as_of),
        "firstSeen": to_text(state.first_seen) if state.events else None,
        "lastSeen": to_text(state.last_seen) if state.events else None,
        "events": state.events,
        "bot": state.bot,
        "company": None if company is None else company_block(company),
        "lead": lead,
        "tags": facts.tags_block(heaviest([decay.worth(state.tags, state.landmark, at)])),
        "interest": max(rules.floor, sum([row.points for row in rows], 0.0)),
        "explain": facts.explain_block(scoring.ledger(rows, rules.floor, [])),
    }


def company_block(company: Company) -> dict[str, Any]:
    """Return the answer of the newest event whose address resolved."""
    return {
        "name": company.name,
        "domain": company.domain or None,
        "kind": company.kind,
        "confidence": company.confidence,
        "source": company.source,
        "network": company.network,
        "as_of": company.as_of or None,
        **company.columns,
    }


def lead(leads: Leads, person: Person, at: int, as_of: int, *, decided: bool) -> dict[str, Any]:
    """Return a lead's document with sums as of `at` (ms), shown as of `as_of`; `decided`: the route as last decided."""
    view = leads.view(person)
    look = view.outlook(person_base(view, at))
    stage, told = stage_named(view.rules, person.stage), outcomes.together(state.outcomes for state in view.states)
    return {
        "id": person.id,
        "asOf": to_text(as_of),
        "members": sorted(person.members),
        "stage": {
            "name": stage.name,
            "order": stage.order,
            "enteredAt": None if person.entered_at == NEVER else to_text(person.entered_at),
            "owner": stage.owner,
        },
        "score": facts.score_block(look, at),
        "journey": view.journey,
        "route": person.route if decided else view.route(at),
        "tags": facts.tags_block(view.tags(at)),
        "account": view.profile.account(as_of),
        "explain": facts.explain_block(view.explain(at)),
        **facts.next_block(view, look, leads.in_force.after(person, look.base)),
        "ruleset": {"id": view.rules.id, "hash": view.rules.hash},
        "owner": outcomes.owner_of(told),
        "outcomes": outcomes.document(told),
    }


def person_base(view: View, at: int) -> int:
    """Return the instant from which the future is asked: the clock, or `at` where that is later."""
    return max(view.person.as_of, at)
