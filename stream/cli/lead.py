"""`leadstream lead`: what is known about one person, where they stand, and why."""

from typing import Any

import click

from stream.cli.ledger import facts, ledger, tags
from stream.cli.screen import Screen
from stream.domain.ruleset.mistakes import in_one_line
from stream.settings import load


@click.command()
@click.argument("id_", metavar="ID")
@click.option("--at", metavar="INSTANT", help="Look ahead: as if the clock had run there. Default: now.")
@click.option("--url", metavar="URL", help="A worker; any answers for all. Default: WEB_HOST:WEB_PORT.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout and nothing else.")
def lead(id_: str, at: str | None, url: str | None, *, as_json: bool) -> None:
    """Show what is known about the lead ID: a lead id, one merged away, or any identity of the person.

    \b
    leadstream lead lead_0687587883fab020
    leadstream lead email::buyer@acme.example --at 2026-12-24T00:00:00Z
    """  # noqa: D301 -- click's mark for lines to be kept
    from stream.named import meant
    from stream.web.client import ask

    settings = load()
    document = ask(settings, "lead", meant(id_, settings.phone_region), at, url)
    if as_json:
        import orjson

        click.echo(orjson.dumps(document))
    else:
        show(document, Screen())


def show(document: dict[str, Any], console: Screen) -> None:
    """Print a lead's document."""
    stage, score, account = document["stage"], document["score"], document["account"]
    parts = ", ".join(f"{name} {score[name]:.2f}" for name in ("fit", "interest", "timing"))
    rows = {
        "lead": document["id"],
        "identities": "\n".join(document["members"]),
        "account": f"{account['name']} ({account['id']}, confidence {account['confidence']:g})" if account else None,
        "stage": _stage(stage),
        "if idle": _next(document),
        "score": f"{score['total']:.2f} = {parts}",
        "grade": score["grade"],
        "journey": document["journey"],
        "route": document["route"],
        **_outcomes(document),
        "as of": document["asOf"],
        "ruleset": f"{in_one_line(document['ruleset']['id'])} ({document['ruleset']['hash']})",
    }
    console.print(facts(rows))
    if document["tags"]:
        console.print(tags(document))
    console.print(ledger(document, score["total"], "total"))


def _stage(stage: dict[str, Any]) -> str:
    since = f", since {stage['enteredAt']}" if stage["enteredAt"] else ""
    owner = ", the CRM's to move" if stage["owner"] == "crm" else ""
    return f"{stage['name']} (step {stage['order']}){since}{owner}"


def _outcomes(document: dict[str, Any]) -> dict[str, str | None]:
    """Say what the CRM told, as far as it did."""
    told = document["outcomes"]
    orders = [f"{one['total']:.2f} {currency} ({one['count']})" for currency, one in told["orders"]["currencies"].items()]
    return {
        "owner": document["owner"],
        "won": _deal(told["won"]),
        "lost": _deal(told["lost"]),
        "orders": ", ".join(orders) or None,
    }


def _deal(deal: dict[str, Any] | None) -> str | None:
    if deal is None:
        return None
    amount = "" if deal["amount"] is None else f"{deal['amount']:.2f} {deal['currency'] or ''}".rstrip()
    return ", ".join(part for part in (amount, deal["reason"], f"on {deal['at']}") if part)


def _next(document: dict[str, Any]) -> str:
    if document["nextCrossingAt"] is None:
        return "stays"
    return f"{document['nextStageIfIdle']} at {document['nextCrossingAt']}"
