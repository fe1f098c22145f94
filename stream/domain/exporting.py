"""Everything that the tables know of a person, for whom it is about: nothing is summed up, nothing is left out."""

from collections.abc import Mapping
from typing import Any

from stream.domain import asking, documents
from stream.domain.instants import write as to_text
from stream.domain.packed import split
from stream.domain.people import People
from stream.domain.person import Identity, Person
from stream.domain.ruleset.model import Ruleset
from stream.domain.state import NEVER, State, Trait
from stream.domain.visitor import Visitor
from stream.domain.visitor.rule import ID_BYTES


def visitor(node: str, row: Visitor, rules: Ruleset, now: int) -> dict[str, Any]:
    """Return what an identity's row holds, its sums as of `now` (ms)."""
    state = row.state
    document = documents.visitor(node, state, rules, None, max(now, state.as_of), state.as_of)
    del document["lead"]  # the person's own part says it
    return {
        **document,
        **_told(state),
        "named": row.links or {},
        "behaviourTimes": {name: [to_text(t) for t in times] for name, times in state.times.items()},
        "capsUsed": {name: {str(day): points for day, points in days.items()} for name, days in row.caps.items()},
        "messageHashes": [message.hex() for message in split(row.recent, ID_BYTES)],
        "listened": row.listened,
        "erasedBefore": None if row.erased is None else to_text(row.erased[1]),
    }


def person(people: People, key: str, now: int) -> dict[str, Any] | None:
    """Return what the people log knows of a person by any id; None: nothing, or of a shared device nothing but itself."""
    copy = asking.Copy(people)
    found = copy.person(key)
    if found is None or not found.members:
        return None
    rows = copy.fold(found).rows
    members = [rows.identity(node) or Identity(node) for node in found.members]
    return {
        "lead": asking.lead(people, found.id, now) if found.identified else None,
        "person": _person(found),
        "identities": [_identity(one) for one in members],
    }


def _person(person: Person) -> dict[str, Any]:
    return {
        "id": person.id,
        "previousIds": person.previous,
        "stage": person.stage,
        "enteredAt": _instant(person.entered_at),
        "holdUntil": _instant(person.hold_until),
        "newestCrmMove": _instant(person.crm_t),
        "facts": person.sequence,
        "bonuses": {
            name: {"at": to_text(bonus.t), "points": bonus.points, "halfLifeMs": bonus.half_life_ms}
            for name, bonus in person.bonuses.items()
        },
    }


def _identity(identity: Identity) -> dict[str, Any]:
    return {
        "id": identity.node,
        "shared": identity.shared,
        "kind": identity.kind or None,
        "named": _instant(identity.named_t),
        **_told(identity.state),
    }


def _told(state: State) -> dict[str, Any]:
    return {
        "traits": _traits(state.traits),
        "groups": {id_: {"named": to_text(call.t), "traits": _traits(call.traits)} for id_, call in state.groups.items()},
        "account": None if state.account is None else documents.company_block(state.account),
        "journey": state.journey,
    }


def _traits(traits: Mapping[str, Trait]) -> dict[str, Any]:
    return {path: {"value": one.value, "told": to_text(one.t)} for path, one in traits.items()}


def _instant(at: int) -> str | None:
    return None if at == NEVER else to_text(at)
