"""A simulation's document for people: leads, their changes with reasons, visitors, dead letters."""

from typing import Any

from rich.table import Table

from stream.cli.screen import Screen

SHOWN = 20
"""Rows of a long table that are shown; `--json` has them all."""


def show(document: dict[str, Any], console: Screen) -> None:
    """Print a simulation's document."""
    console.print(_changes(document["stageChanges"]))
    console.print(_leads(document["leads"]))
    console.print(_visitors(document["visitors"]))
    if document["deadLetters"]:
        console.print(_dead_letters(document["deadLetters"]))
    counts = {key: len(document[key]) for key in ("visitors", "leads", "stageChanges", "deadLetters")}
    console.print(
        f"{counts['visitors']} visitors, {counts['leads']} leads, {counts['stageChanges']} facts, "
        f"{counts['deadLetters']} dead letters"
    )


def _changes(facts: list[dict[str, Any]]) -> Table:
    table = Table("time", "lead", "change", "reason", title=_title("Facts", facts))
    for fact in facts[-SHOWN:]:
        table.add_row(fact["time"], fact["subject"], *told(fact))
    return table


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


def _leads(leads: list[dict[str, Any]]) -> Table:
    table = Table("lead", "stage", "total", "fit", "interest", "timing", "grade", "route", "account", "next if idle",
                  title=_title("Leads", leads))  # fmt: skip
    for lead in sorted(leads, key=lambda lead: -lead["score"]["total"])[:SHOWN]:
        score, after = lead["score"], lead["nextCrossingAt"]
        table.add_row(
            lead["id"], lead["stage"]["name"], *(f"{score[key]:.1f}" for key in ("total", "fit", "interest", "timing")),
            score["grade"], lead["route"], (lead["account"] or {}).get("name", ""),
            f"{lead['nextStageIfIdle']} at {after}" if after else "",
        )  # fmt: skip
    return table


def _visitors(visitors: list[dict[str, Any]]) -> Table:
    table = Table("visitor", "events", "interest", "company", "tags", title=_title("Visitors", visitors))
    for visitor in sorted(visitors, key=lambda visitor: -visitor["interest"])[:SHOWN]:
        tags = ", ".join(f"{tag['tag']} {tag['weight']:.2f}" for tag in visitor["tags"][:3])
        company = visitor["company"]
        name = f"{company['name']} ({company['kind']})" if company else ""
        table.add_row(visitor["id"], str(visitor["events"]), f"{visitor['interest']:.1f}", name, tags)
    return table


def _dead_letters(letters: list[dict[str, Any]]) -> Table:
    table = Table("line", "reason", "message", title=_title("Dead letters", letters))
    for letter in letters[:SHOWN]:
        table.add_row(str(letter["line"]), letter["reason"], letter["message"])
    return table


def _title(name: str, rows: list[dict[str, Any]]) -> str:
    return name if len(rows) <= SHOWN else f"{name} ({SHOWN} of {len(rows)}; --json has all)"
