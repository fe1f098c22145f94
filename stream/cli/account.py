"""`leadstream account`: what is known about one company, who is there, and who is missing."""

from collections.abc import Sequence
from typing import Any

import click
from rich.table import Table

from stream.cli.ledger import facts
from stream.cli.screen import Screen
from stream.settings import load

SHOWN = 20
"""How many people of a list are printed; an account may have thousands."""


@click.command()
@click.argument("id_", metavar="ID")
@click.option("--at", metavar="INSTANT", help="Look ahead: as if the clock had run there. Default: now.")
@click.option("--url", metavar="URL", help="A worker; any answers for all. Default: WEB_HOST:WEB_PORT.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout and nothing else.")
def account(id_: str, at: str | None, url: str | None, *, as_json: bool) -> None:
    """Show what is known about the account ID: by its domain, the id of a group call, or its name alone.

    \b
    leadstream account account::acme.example
    leadstream account account:group:42 --at 2026-12-24T00:00:00Z
    """  # noqa: D301 -- click's mark for lines to be kept
    from stream.web.client import ask

    document = ask(load(), "account", id_, at, url)
    if as_json:
        import orjson

        click.echo(orjson.dumps(document))
    else:
        show(document, Screen())


def show(document: dict[str, Any], console: Screen) -> None:
    """Print an account's document."""
    people, since = document["people"], document["enteredAt"]
    rows = {
        "account": document["id"],
        "company": f"{document['name']} ({document['kind']}, confidence {document['confidence']:g})",
        "domain": document["domain"],
        "stage": f"{document['stage']} (step {document['stageOrder']})" + (f", since {since}" if since else ""),
        "score": f"{document['score']:.2f}",
        "people": _listed(people) or "none: nobody identified",
        "anonymous": f"{document['anonymous']} visitors who are nobody's",
        "missing": ", ".join(document["missing"]) or None,
        "last activity": document["lastActivity"],
        "as of": document["asOf"],
    }
    console.print(facts(rows))
    if document["committee"]:
        console.print(_committee(document["committee"]))
    if document["evidence"]:
        console.print(_evidence(document["evidence"]))


def _committee(roles: dict[str, list[str]]) -> Table:
    table = Table("role", "people", title="Buying committee")
    for role, leads in roles.items():
        table.add_row(role, _listed(leads))
    return table


def _listed(people: Sequence[str]) -> str:
    """Return the first of them, one a line, and how many more there are."""
    rest = len(people) - SHOWN
    return "\n".join([*people[:SHOWN], *([f"and {rest:,} more (--json has them)"] if rest > 0 else [])])


def _evidence(evidence: list[dict[str, Any]]) -> Table:
    table = Table("by", "proof", "people", "others", "since", title="Evidence")
    for one in evidence:
        table.add_row(one["source"], one["proof"], str(one["people"]), str(one["visitors"]), one["since"])
    return table
