"""The slow, independent `simulate`: one function, from bytes to the document."""

import csv
import io
from collections.abc import Iterable
from typing import Any

from tests.oracle.facts import lead_document, visitor_document
from tests.oracle.people import Row
from tests.oracle.reading import DeadLetterError, read
from tests.oracle.rules import Rules
from tests.oracle.world import World


def simulate(
    lines: Iterable[bytes], ruleset: bytes, ranges: list[dict[str, Any]] | None = None, at: int | None = None
) -> dict[str, Any]:
    """Return {visitors, leads, stageChanges, deadLetters} as of `at` (ms; default: the largest receive time)."""
    rules = Rules(ruleset)
    world = World(rules)
    stages = {str(stage["name"]) for stage in rules.stages}
    dead: list[dict[str, Any]] = []
    before: int | None = None
    largest = 0
    for number, line in enumerate(lines, 1):
        world.line = number
        try:
            event = read(line.rstrip(b"\n").removesuffix(b"\r"), number, before, stages, ranges or [])
        except DeadLetterError as error:
            dead.append({"line": number, "reason": str(error), "message": ""})
            continue
        before = event.r
        largest = max(largest, event.r)
        world.apply(event)
    end = largest if at is None else at
    leads = [person for person in world.distinct() if person.lead is not None]
    for person in leads:
        if person.lead is not None and person.lead.as_of > end:
            raise ValueError(person.lead.as_of)
        world.due(person, end)
    return {
        "visitors": sorted(
            (visitor_document(row, lead_of(world, row), rules, end) for row in known(world, end)),
            key=lambda document: str(document["id"]),
        ),
        "leads": sorted(
            (lead_document(p, p.lead, rules, end) for p in leads if p.lead is not None),
            key=lambda document: str(document["id"]),
        ),
        "stageChanges": sorted(world.facts, key=lambda fact: (fact["time"], fact["subject"], fact["sequence"])),
        "deadLetters": dead,
    }


def known(world: World, at: int) -> list[Row]:
    """Return the rows that are not forgotten."""
    return [row for row in world.rows.values() if not row.is_forgotten(at, world.rules)]


def lead_of(world: World, row: Row) -> str | None:
    """Return the lead id that an identity answers under."""
    person = world.people.get(row.id)
    return None if row.shared or person is None or person.lead is None else person.lead.id


def ranges_from(text: str) -> list[dict[str, Any]]:
    """Return the rows of a ranges file as companies."""
    rows: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(text)))
    return [{**row, "kind": row["kind"] or "business", "confidence": 1.0, "source": "ranges"} for row in rows]
