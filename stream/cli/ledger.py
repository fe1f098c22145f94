"""How `visitor` and `lead` show weights and points: bars, and the ledger that sums."""

from typing import Any

from rich import box
from rich.bar import Bar
from rich.table import Table

BAR = 24
TAGS = 10


def facts(rows: dict[str, str | None]) -> Table:
    """Return names and values in two columns, those without a value left out."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in rows.items():
        if value:
            table.add_row(name, value)
    return table


def tags(document: dict[str, Any]) -> Table:
    """Return the heaviest tags as bars."""
    told = document["tags"]
    table = Table("tag", "weight", "", title=_title("Tags", len(told)), title_justify="left", box=box.SIMPLE_HEAD)
    table.columns[1].justify = "right"
    heaviest = max((abs(tag["weight"]) for tag in told), default=1.0) or 1.0
    for tag in told[:TAGS]:
        bar = Bar(heaviest, 0, abs(tag["weight"]), width=BAR, color="cyan")
        table.add_row(tag["tag"], f"{tag['weight']:.3f}", bar)
    return table


def ledger(document: dict[str, Any], total: float, name: str) -> Table:
    """Return where the points come from, to the sum."""
    table = Table("rule", "times", "points", title="Why", title_justify="left", box=box.SIMPLE_HEAD, show_footer=True)
    for column, footer, justify in zip(table.columns, (name, "", f"{total:.2f}"), ("left", "right", "right"), strict=True):
        column.footer, column.justify = footer, justify  # type: ignore[assignment]  # one of rich's words
    for row in document["explain"]:
        table.add_row(row["ruleId"], str(row["count"]), f"{row['points']:+.2f}")
    return table


def _title(name: str, count: int) -> str:
    return name if count <= TAGS else f"{name} ({TAGS} of {count}; --json has all)"
