"""The buying committee of an account, as its document shows it: roles and departments that take part, and who is missing."""

from collections.abc import Iterable
from typing import Any

from stream.domain.committee import missing
from stream.domain.freshness import left_at
from stream.domain.log import Member
from stream.domain.ruleset.model import Ruleset


def committee(leads: Iterable[Member], rules: Ruleset, at: int) -> dict[str, Any]:
    """Return the members `committee`, `missing`, `departments` and `seats` of an account's document as of `at` (ms).

    Roles and departments stand in the order of the file, lead ids sorted; `seats` says how sure each lead's post is. What is too
    old by `at` is not shown.
    """
    by_role: dict[str, list[str]] = {}
    by_department: dict[str, list[str]] = {}
    seats = []
    for lead in sorted(leads, key=lambda lead: lead.id):
        role = lead.role if at < lead.role_until else ""
        department = lead.department if at < lead.department_until else ""
        if role:
            by_role.setdefault(role, []).append(lead.id)
        if department:
            by_department.setdefault(department, []).append(lead.id)
        if role or department:
            until = lead.role_until if role else lead.department_until
            seat = {"lead": lead.id, "role": role or None, "department": department or None}
            seats.append({**seat, "confidence": left_at(rules.freshness, until, at)})
    asked = rules.committee
    return {
        "committee": _in_order(by_role, [rule.name for rule in asked.roles]),
        "missing": missing(asked, by_role),
        "departments": _in_order(by_department, [rule.name for rule in asked.departments]),
        "seats": seats,
    }


def _in_order(found: dict[str, list[str]], names: list[str]) -> dict[str, list[str]]:
    """Order by the file; names that an earlier ruleset gave stand behind."""
    return {name: found[name] for name in [*names, *sorted(found.keys() - set(names))] if name in found}
