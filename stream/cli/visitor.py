"""`leadstream visitor`: what is known under one source identity, and why."""

from typing import Any

import click

from stream.cli.ledger import facts, ledger, tags
from stream.cli.screen import Screen
from stream.settings import load


@click.command()
@click.argument("id_", metavar="ID")
@click.option("--at", metavar="INSTANT", help="Look ahead: as if the clock had run there. Default: now.")
@click.option("--url", metavar="URL", help="A worker; any answers for all. Default: WEB_HOST:WEB_PORT.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout and nothing else.")
def visitor(id_: str, at: str | None, url: str | None, *, as_json: bool) -> None:
    """Show what is known about the visitor ID (kind:scope:value), with decayed weights, and why.

    \b
    leadstream visitor anon::9f2c
    leadstream visitor user::42 --at 2026-12-24T00:00:00Z
    """  # noqa: D301 -- click's mark for lines to be kept
    from stream.named import meant
    from stream.web.client import ask

    settings = load()
    document = ask(settings, "visitor", meant(id_, settings.phone_region), at, url)
    if as_json:
        import orjson

        click.echo(orjson.dumps(document))
    else:
        show(document, Screen())


def show(document: dict[str, Any], console: Screen) -> None:
    """Print a visitor's document."""
    company = document["company"]
    rows = {
        "visitor": document["id"],
        "lead": document["lead"] or "none: nobody identified",
        "company": f"{company['name']} ({company['kind']}, {company['source']})" if company else None,
        "events": f"{document['events']}, from {document['firstSeen']} to {document['lastSeen']}",
        "bot": "the newest event is a robot's, and such score nothing" if document["bot"] else None,
        "interest": f"{document['interest']:.2f}",
        "as of": document["asOf"],
    }
    console.print(facts(rows))
    if document["tags"]:
        console.print(tags(document))
    if document["explain"]:
        console.print(ledger(document, document["interest"], "interest"))
