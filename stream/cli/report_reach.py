"""`leadstream report reach`: which companies of the target lists were seen, how near they are, and who else was."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from stream.domain.reach import Met, Reach, lists_of
from stream.domain.reach import reach as reach_of
from stream.errors import UsageError
from stream.settings import PREFIX, load

SHOWN = 10


@click.command()
@click.option("--ranges", metavar="CSV", type=click.Path(path_type=Path), help="The ranges file. Default: COMPANY_RANGES.")
@click.option("--column", default="target", show_default=True, help="The column that names the list, or several between `;`.")
@click.option("--url", metavar="URL", help="A worker; any answers for all. Default: WEB_HOST:WEB_PORT.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout and nothing else.")
def reach(ranges: Path | None, column: str, url: str | None, as_json: bool) -> None:
    """Tell the reach of your target-account lists: companies on each, how many were seen, by whom, in which stage.

    A list is a column of the ranges file: "tier-1", or "tier-1; oil" for a company of two lists; empty or "no" for none.
    A company counts as seen while its account has a lead or an anonymous visitor. Companies that are on no list come last:
    the best of them may belong on one.

    \b
    leadstream report reach
    leadstream report reach --column segment --json
    """  # noqa: D301 -- click's mark for lines to be kept
    from stream.lookups.ranges import read_companies
    from stream.web.paging import pages

    settings = load()
    path = ranges or (Path(settings.company_ranges) if settings.company_ranges else None)
    if path is None:
        raise UsageError(f"no ranges file: set {PREFIX}COMPANY_RANGES or --ranges to the CSV with the column {column!r}")
    lists = lists_of(read_companies(path), column)
    if not lists:
        raise UsageError(f"{path} has no company with anything in the column {column!r}: name the list there, or --column")
    accounts = (met_of(account) for page in pages(settings, "accounts", url) for account in page)
    by_list, off = reach_of(lists, accounts)
    if as_json:
        import orjson

        click.echo(orjson.dumps({"column": column, "lists": [_document(*one) for one in by_list.items()], "offLists": _off(off)}))
    else:
        _show(by_list, off)


def met_of(account: dict[str, Any]) -> Met:
    """Return the company that an account's document shows."""
    people, anonymous = len(account["people"]), account["anonymous"]
    stage, order = account["stage"], account["stageOrder"]
    return Met(account["id"], account["name"], account["domain"], stage, order, account["score"], people, anonymous)


def _document(name: str, reach: Reach) -> dict[str, Any]:
    return {"list": name, "companies": len(reach.met) + len(reach.unmet), **_off(reach), "unseen": reach.unmet}


def _off(reach: Reach) -> dict[str, Any]:
    return {
        "seen": len(reach.met),
        "anonymous": reach.anonymous,
        "withPeople": len(reach.met) - reach.anonymous,
        "stages": reach.stages,
        "accounts": [_account(met) for met in reach.met],
    }


def _account(met: Met) -> dict[str, Any]:
    told = {"id": met.id, "name": met.name, "domain": met.domain, "stage": met.stage, "score": met.score}
    return {**told, "people": met.people, "anonymous": met.anonymous}


def _show(by_list: dict[str, Reach], off: Reach) -> None:
    from rich import box
    from rich.table import Table

    from stream.cli.screen import Screen

    console = Screen()
    table = Table("list", "companies", "seen", "", "anonymous", "with people", "stages", box=box.SIMPLE_HEAD)
    for column in table.columns[1:6]:
        column.justify = "right"
    for name, one in by_list.items():
        companies = len(one.met) + len(one.unmet)
        table.add_row(name, str(companies), str(len(one.met)), f"{100 * len(one.met) / companies:.0f} %", *_split(one))
    table.add_row("on no list", "", str(len(off.met)), "", *_split(off))
    console.print(table)
    for name, one in [*by_list.items(), ("on no list", off)]:
        if one.met:
            console.print(f"{name}: {_names(_told(met) for met in one.met)}", highlight=False)
        if one.unmet:
            console.print(f"{name}, not seen: {_names(one.unmet)}", highlight=False)


def _split(reach: Reach) -> tuple[str, str, str]:
    stages = ", ".join(f"{count} {name}" for name, count in reach.stages.items())
    return str(reach.anonymous), str(len(reach.met) - reach.anonymous), stages


def _told(met: Met) -> str:
    return f"{met.name} ({met.stage}, {met.score:.0f})"


def _names(names: Iterable[str]) -> str:
    shown = list(names)
    more = f" and {len(shown) - SHOWN} more (--json has all)" if len(shown) > SHOWN else ""
    return ", ".join(shown[:SHOWN]) + more
