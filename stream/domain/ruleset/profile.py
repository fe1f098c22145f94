"""Reads who a lead is: [fit], [grades], [[routes]]."""

from collections.abc import Mapping

from stream.domain.ruleset.matches import FIT_KEYS, read_conditions, route_keys
from stream.domain.ruleset.model import Fit, Route
from stream.domain.ruleset.table import Table

BANT = ("budget", "authority", "need", "timing")
GRADES = ("A", "B", "C", "D")
ROUTES = ("sales", "nurture", "discard")

Grades = tuple[tuple[str, tuple[Mapping[str, float], ...]], ...]


def read_fit(root: Table) -> dict[str, Fit]:
    """Read the fit rules in file order."""
    found = {}
    for name, table in root.tables("fit"):
        table.only("match", "points", "bant")
        bant = table.choice("bant", BANT, BANT[0]) if "bant" in table else None
        found[name] = Fit(name, read_conditions(table, FIT_KEYS), table.number("points", 0.0), bant)
    return found


def read_grades(root: Table) -> Grades:
    """Read what each grade asks, best grade first; D asks nothing, whatever the file says."""
    grades = root.table("grades")
    grades.only(*GRADES)
    written = [grade for grade in GRADES[:-1] if grade in grades]
    return tuple((grade, tuple(_asked(table) for table in _alternatives(grades, grade))) for grade in written)


def read_routes(root: Table, stages: tuple[str, ...], grades: tuple[str, ...]) -> tuple[Route, ...]:
    """Read the routes in file order."""
    found = []
    keys = route_keys(stages, grades)
    for table in root.array("routes"):
        table.only("match", "route")
        table.need("route", f"one of {', '.join(ROUTES)}")
        found.append(Route(read_conditions(table, keys), table.choice("route", ROUTES, "nurture")))
    return tuple(found)


def _alternatives(grades: Table, grade: str) -> list[Table]:
    if isinstance(grades.values[grade], list):
        found = list(grades.array(grade))
        if not found and not grades.values[grade]:
            grades.wrong(grade, "at least one table, like { bant = 2 }")
        return found
    return [grades.table(grade)]


def _asked(table: Table) -> dict[str, float]:
    table.only("bant", "fit")
    asked = {}
    if "bant" in table:
        asked["bant"] = float(table.whole("bant", 0, 0, len(BANT)))
    if "fit" in table:
        asked["fit"] = table.number("fit", 0.0)
    return asked
