"""What the CRM reads: CloudEvents 1.0 about leads, their bytes a function of the people log and the ruleset."""

from typing import Any

import msgspec
import orjson

from stream.domain.accounts.account import Account
from stream.domain.accounts.score import AccountScore
from stream.domain.head import OFFSETS
from stream.domain.instants import write as to_text
from stream.domain.person import Person
from stream.domain.ruleset.model import Stage
from stream.domain.scoring import Explained, Outlook
from stream.domain.stages import Move
from stream.domain.state import NEVER
from stream.domain.view import View

TAGS = 10
"""How many tags a stage change shows."""


class Change(msgspec.Struct, frozen=True, gc=False):
    """A change of stage that is to be told. Instants are ms; `recorded` is the cause's receive time or the due instant."""

    left: Stage
    entered: Stage
    at: int
    entered_at: int
    previous_entered_at: int
    code: str
    text: str
    recorded: int

    @property
    def rule(self) -> str:
        """Name the rule: the stage entered, on the way down by the engine the one left."""
        down = self.entered.order < self.left.order and self.code not in ("crm", "merge", "unmerge")
        return f"stages.{(self.left if down else self.entered).name}"

    @property
    def direction(self) -> str:
        """Return up, down or same, by order."""
        step = self.entered.order - self.left.order
        return "up" if step > 0 else "down" if step < 0 else "same"


def stage_changed(app: str, view: View, change: Change, offset: int) -> bytes:
    """Return a `lead.stage_changed.v1`; the person already stands in the new stage, its sequence is this event's."""
    person = view.person
    look = view.outlook(person.as_of)
    data = {
        "lead": lead_block(view),
        "account": view.profile.account(person.as_of),
        "stage": stage_block(change),
        "reason": {"code": change.code, "ruleId": change.rule, "text": change.text},
        "score": {**score_block(look, person.as_of), **next_block(view, look, look.base)},
        "explain": explain_block(view.explain(person.as_of)),
        "tags": tags_block(view.tags(person.as_of)[:TAGS]),
        "route": person.route,
        "journey": view.journey,
        "ruleset": {"id": view.rules.id, "hash": view.rules.hash},
        "freshness": {"asOf": to_text(person.as_of), "offset": offset & OFFSETS},
    }
    return envelope(app, "lead.stage_changed.v1", person, change.at, change.recorded, data)


def stage_block(change: Change) -> dict[str, Any]:
    """Return from where to where, and since when."""
    return {
        "from": {"name": change.left.name, "order": change.left.order},
        "to": {"name": change.entered.name, "order": change.entered.order},
        "direction": change.direction,
        "enteredAt": to_text(change.entered_at),
        "timeInPreviousMs": None if change.previous_entered_at == NEVER else change.at - change.previous_entered_at,
    }


def envelope(app: str, type_: str, person: Person | Account, time: int, recorded: int, data: dict[str, Any]) -> bytes:
    """Return the CloudEvent around `data`, numbered by the sequence of whom it is about."""
    sequence = f"{person.sequence:010d}"
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": f"{person.id}-{sequence}",
            "source": f"/leadstream/{app}",
            "type": type_,
            "subject": person.id,
            "time": to_text(time),
            "recordedtime": to_text(recorded),
            "sequence": sequence,
            "datacontenttype": "application/json",
            "data": data,
        }
    )


def lead_block(view: View) -> dict[str, Any]:
    """Return who the lead is: its ids by kind, sorted, and the traits the ruleset lets out."""
    users, devices, others = [], [], []
    for kind, value, _, scope in sorted([_parts(member.node) for member in view.members]):
        if kind == "user":
            users.append(value)
        elif kind == "anon":
            devices.append(value)
        elif kind != "lead":
            others.append({"type": kind, "id": value, "scope": scope} if scope else {"type": kind, "id": value})
    return {
        "id": view.person.id,
        "userId": users[0] if users else None,
        "anonymousIds": devices,
        "externalIds": others,
        "previousIds": sorted(view.person.previous),
        "traits": _traits_out(view),
    }


def _parts(node: str) -> tuple[str, str, str, str]:
    """Return an id's kind and value, and what orders two that are alike in both: itself, and its scope."""
    kind, scope, value = node.split(":", 2)
    return kind, value, node, scope


def _traits_out(view: View) -> dict[str, Any]:
    profile = view.profile
    if not profile.traits and profile.group is None:
        return {}
    return {name: value for name in view.rules.traits_out if (value := trait_out(view, name)) is not None}


def trait_out(view: View, name: str) -> Any:
    """Return a merged trait, an object where only its leaves are known."""
    profile = view.profile
    value = profile.trait(name)
    if value is not None:
        return value
    head = f"{name}."
    leaves = [path for path in profile.traits if path.startswith(head)]
    if not leaves:
        return None
    nested: dict[str, Any] = {}
    for path in sorted(leaves):
        if (leaf := profile.trait(path)) is not None:
            *parents, last = path[len(head) :].split(".")
            into = nested
            for parent in parents:
                into = into.setdefault(parent, {})
            into[last] = leaf
    return nested or None


def score_block(look: Outlook, at: int) -> dict[str, Any]:
    """Return total, fit, interest, timing and grade at `at`."""
    parts = {key: look.part(key, at) for key in ("total", "fit", "interest", "timing")}
    return {**parts, "grade": look.grade}


def next_block(view: View, look: Outlook, after: int) -> dict[str, Any]:
    """Return when the stage changes next, after an instant (ms), if nothing happens, and to which."""
    due = view.next_due(look, after)
    return {"nextCrossingAt": to_text(due.at) if due else None, "nextStageIfIdle": due.to.name if due else None}


def explain_block(rows: list[Explained]) -> list[dict[str, Any]]:
    """Return ledger rows as JSON members."""
    return [{"ruleId": row.rule, "count": row.count, "points": row.points} for row in rows]


def tags_block(tags: list[tuple[str, float]]) -> list[dict[str, Any]]:
    """Return tags as JSON members."""
    return [{"tag": name, "weight": weight} for name, weight in tags]


Look = Outlook | AccountScore


def because(left: Stage, move: Move, look: Look) -> str:
    """Say in words why the engine moves a lead or an account from `left`."""
    if move.code == "threshold_up":
        return _raised(move.to, look, move.at)
    return _fell(left, look, move.at, move.code)


def _raised(stage: Stage, look: Look, at: int) -> str:
    told = []
    for key, bound in (stage.enter or {}).items():
        if key == "identified":
            told.append("identified")
        elif key == "grade":
            told.append(f"grade is {look.grade} (needs {bound})")
        else:
            told.append(f"{key} reached {look.part(key, at):.1f} (needs {float(bound):g})")
    return ", ".join(told)


def _fell(stage: Stage, look: Look, at: int, code: str) -> str:
    told = []
    for key, bound in (stage.exit or {}).items():
        if not look.below(key, bound, at):
            continue
        if key not in ("grade", "identified"):
            value = f"{look.part(key, at):.1f}"
            reached = "" if float(value) >= float(bound) else f" to {value},"
            told.append(f"{key} fell{reached} below {float(bound):g}")
        else:
            told.append(f"{key} is {look.grade if key == 'grade' else look.identified} (stays with {bound})")
    why = ", ".join(told)
    return f"{why}, no interaction for {look.periods(at)} idle periods" if code == "idle" else why
