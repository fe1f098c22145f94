"""A simulation's document for people: leads, their changes with reasons, visitors, dead letters."""

from collections.abc import Iterable
from typing import Any

from rich import box
from rich.measure import Measurement
from rich.table import Table

from stream.cli.screen import Screen

SHOWN = 20
"""Rows of a long table that are shown; `--json` has them all."""
WRAPPED = frozenset({"change", "reason", "next if idle", "tags", "message"})
"""What may stand on several lines in a narrow terminal; the rest is copied into other commands, and stands whole."""
SPARED = ("timing", "fit", "route", "company", "account", "interest", "next if idle")
"""What a terminal too narrow for all does without, in this order."""
WIDEST = 1 << 20

Row = dict[str, str]


def show(document: dict[str, Any], console: Screen) -> None:
    """Print a simulation's document."""
    _print(console, _title("Facts", document["stageChanges"]), _changes(document["stageChanges"]))
    _print(console, _title("Leads", document["leads"]), _leads(document["leads"]))
    _print(console, _title("Visitors", document["visitors"]), _visitors(document["visitors"]))
    _print(console, _title("Dead letters", document["deadLetters"]), _dead_letters(document["deadLetters"]))
    counts = {key: len(document[key]) for key in ("visitors", "leads", "stageChanges", "deadLetters")}
    console.print(
        f"{counts['visitors']} visitors, {counts['leads']} leads, {counts['stageChanges']} facts, "
        f"{counts['deadLetters']} dead letters",
        soft_wrap=True,
    )


def _print(console: Screen, title: str, rows: Iterable[Row]) -> None:
    """Print rows, if there are any: a line each where no terminal limits it, else without what it has no room for."""
    rows = list(rows)
    if not rows:
        return
    columns = list(rows[0])
    table = _table(title, columns, rows)
    width = _width(console, table)
    if not console.is_terminal:
        table.width = width.maximum
    else:
        for spared in SPARED:
            if width.minimum <= console.width:
                break
            columns = [column for column in columns if column != spared]
            table = _table(f"{title}, some columns: --json has all" if len(columns) < len(rows[0]) else title, columns, rows)
            width = _width(console, table)
        if width.minimum > console.width:
            table.width = width.minimum  # the terminal breaks the line, and no id is cut
    console.print(table, "", crop=False)


def _table(title: str, columns: list[str], rows: list[Row]) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=column not in WRAPPED, overflow="fold")
    for row in rows:
        table.add_row(*(row[column] for column in columns))
    return table


def _width(console: Screen, table: Table) -> Measurement:
    return Measurement.get(console, console.options.update_width(WIDEST), table)


def _changes(facts: list[dict[str, Any]]) -> Iterable[Row]:
    for fact in facts[-SHOWN:]:
        change, reason = told(fact)
        yield {"time": fact["time"], "lead": fact["subject"], "change": change, "reason": reason}


def told(fact: dict[str, Any]) -> tuple[str, str]:
    """Say a fact in words: what changed, and why."""
    data = fact["data"]
    match fact["type"]:
        case "lead.stage_changed.v1":
            stage, reason = data["stage"], data["reason"]
            return f"{stage['from']['name']} → {stage['to']['name']}", f"{reason['code']}: {reason['text']}"
        case "lead.merged.v1":
            return "merged", f"into {data['into']}"
        case "identity.conflict.v1":
            return "conflict", f"{data['code']}: {' and '.join(data['ids'])} stay apart"
        case other:
            return other, ""


def _leads(leads: list[dict[str, Any]]) -> Iterable[Row]:
    for lead in sorted(leads, key=lambda lead: -lead["score"]["total"])[:SHOWN]:
        score, after = lead["score"], lead["nextCrossingAt"]
        yield {
            "lead": lead["id"],
            "stage": lead["stage"]["name"],
            **{key: f"{score[key]:.1f}" for key in ("total", "fit", "interest", "timing")},
            "grade": score["grade"],
            "route": lead["route"],
            "account": (lead["account"] or {}).get("name", ""),
            "next if idle": f"{lead['nextStageIfIdle']} at {after}" if after else "",
        }


def _visitors(visitors: list[dict[str, Any]]) -> Iterable[Row]:
    for visitor in sorted(visitors, key=lambda visitor: -visitor["interest"])[:SHOWN]:
        company = visitor["company"]
        yield {
            "visitor": visitor["id"],
            "events": str(visitor["events"]),
            "interest": f"{visitor['interest']:.1f}",
            "company": f"{company['name']} ({company['kind']})" if company else "",
            "tags": ", ".join(f"{tag['tag']} {tag['weight']:.2f}" for tag in visitor["tags"][:3]),
        }


def _dead_letters(letters: list[dict[str, Any]]) -> Iterable[Row]:
    for letter in letters[:SHOWN]:
        yield {"line": str(letter["line"]), "reason": letter["reason"], "message": letter["message"]}


def _title(name: str, rows: list[dict[str, Any]]) -> str:
    return name if len(rows) <= SHOWN else f"{name} ({SHOWN} of {len(rows)}; --json has all)"
