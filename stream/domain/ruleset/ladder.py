"""Reads the stages: what lets a lead (or an account) in, and what makes it leave."""

from collections.abc import Mapping
from typing import Any

from stream.domain.conditions import is_number
from stream.domain.ruleset.model import Bounds, Stage
from stream.domain.ruleset.table import LARGEST, Table, one_of

FIRST = "visitor"
NAMELESS = "?"
OWNERS = ("engine", "crm")
IDENTIFIED = "every lead is identified, so with false nobody ever comes, or stays: is true meant, or nothing?"
NUMBERS = ("interest", "fit", "timing", "total")
ACCOUNT_NUMBERS = ("score", "people", "interest", "committee")


def read_stages(root: Table, grades: tuple[str, ...]) -> tuple[Stage, ...]:
    """Read the ladder of leads; `grades` from best to worst."""
    return _ladder(root, _Asked(NUMBERS, grades, identified=True))


def read_account_stages(accounts: Table) -> tuple[Stage, ...]:
    """Read the ladder of accounts."""
    return _ladder(accounts, _Asked(ACCOUNT_NUMBERS, (), identified=False))


class _Asked:
    """What a stage may ask: numbers, for leads also a grade and whether somebody is identified."""

    def __init__(self, numbers: tuple[str, ...], grades: tuple[str, ...], *, identified: bool) -> None:
        self.numbers = numbers
        self.grades = grades
        self.keys = (*(("identified",) if identified else ()), *numbers, *(("grade",) if grades else ()))

    def read(self, table: Table) -> Bounds:
        """Read the keys of `enter` or `exit`."""
        table.only(*self.keys)
        if "identified" in self.keys and table.values.get("identified") is False:
            table.mistakes.doubt((*table.path, "identified"), IDENTIFIED)
        return {key: bound for key in self.keys if key in table and (bound := self._bound(table, key)) is not None}

    def _bound(self, table: Table, key: str) -> float | str | bool | None:
        value: Any = table.values[key]
        if key in self.numbers and not (is_number(value) and -LARGEST <= value <= LARGEST):
            table.wrong(key, f"a finite number from -{LARGEST:g} to {LARGEST:g}")
        elif key == "identified" and not isinstance(value, bool):
            table.wrong(key, "true or false")
        elif key == "grade" and value not in self.grades:
            table.wrong(key, f"{one_of(value, list(self.grades))}: a grade that [grades] defines, or D")
        else:
            return float(value) if key in self.numbers else value
        return None

    def is_below(self, key: str, exit_bound: Any, enter_bound: Any) -> bool:
        """Tell whether an exit leaves room below its enter: lower numbers, a grade that is not better."""
        if key == "grade":
            return self.grades.index(exit_bound) >= self.grades.index(enter_bound)
        return key == "identified" or bool(exit_bound < enter_bound)


def _ladder(root: Table, asked: _Asked) -> tuple[Stage, ...]:
    found: list[Stage] = []
    for order, table in enumerate(root.array("stages"), 1):
        table.only("name", "owner", "enter", "exit", "dwell")
        name = _name(table, [stage.name for stage in found])
        owner = table.choice("owner", OWNERS, "engine")
        if owner == "crm":
            table.forbid(("enter", "exit", "dwell"), "not allowed in a stage of the CRM: its events alone move leads")
            found.append(Stage(name, order, owner))
            continue
        enter = asked.read(table.table("enter"))
        if not table.values.get("enter"):
            table.wrong("enter", f"what lets a lead in: {{ … }} with any of {', '.join(asked.keys)}")
        leave = _exit(table, enter, asked)
        found.append(Stage(name, order, owner, enter, leave or None, table.duration("dwell", 0, zero=True)))
    return tuple(found)


def _name(table: Table, taken: list[str]) -> str:
    table.need("name", "what the stage is called")
    name = table.text("name", NAMELESS)
    if name == FIRST:
        table.wrong("name", f'any name but "{FIRST}", which every ladder starts from')
    if name in taken and name != NAMELESS:
        table.wrong("name", f"a name of its own, {name} is taken")
    return name


def _exit(table: Table, enter: Mapping[str, Any], asked: _Asked) -> Bounds:
    leave = table.table("exit")
    bounds = asked.read(leave)
    written = table.values.get("enter")
    for key, bound in bounds.items():
        if not isinstance(written, dict) or key not in written:
            leave.wrong(key, f"only keys of enter{': ' + ', '.join(enter) if enter else ''}")
        elif key in enter and not asked.is_below(key, bound, enter[key]):
            better = "a grade not better than" if key == "grade" else "a number below"
            leave.wrong(key, f"{better} that of enter ({_shown(enter[key])})")
    return bounds


def _shown(bound: Any) -> str:
    return f"{bound:g}" if is_number(bound) else str(bound)
