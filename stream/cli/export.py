"""`leadstream export`: everything that is known about a person, as JSON, for whom it is about."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import click

from stream.errors import NegativeAnswerError
from stream.settings import Settings, load


@click.command()
@click.argument("id_", metavar="ID")
@click.option("--events", is_flag=True, help="Also raw events and dead letters that Kafka still holds: reads those topics whole.")
@click.option("--url", metavar="URL", help="A worker; any answers for all. Default: WEB_HOST:WEB_PORT.")
def export(id_: str, url: str | None, *, events: bool) -> None:
    """Print everything known about the person or visitor ID, one JSON document.

    ID is a lead's id, also one merged away, or any identity. The document holds `person` (who they are for us, with the lead's
    document), `visitors` (what was done under each identity, with sums, traits, companies and whom its events named) and
    `stageChanges` (what the CRM was told, as far as Kafka still holds it); with --events also `events` and `deadLetters`.

    \b
    leadstream export email::buyer@acme.example > buyer.json
    leadstream export lead_0687587883fab020 --events

    \b
    Exit 0: done; 1: nothing is known of ID; 2: no such kind of ID; 3: Kafka or the worker does not answer.
    """  # noqa: D301 -- click's mark for lines to be kept
    import orjson

    from stream.cli.connections import run
    from stream.named import named

    settings = load()
    whom = named(id_, settings.phone_region)
    document = known(settings, whom, url)
    run(_add_records(settings, document, events=events))
    click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2))


def known(settings: Settings, whom: str, url: str | None) -> dict[str, Any]:
    """Return what the tables know of somebody; raises NegativeAnswerError where that is nothing."""
    import time

    from stream.domain import instants
    from stream.web.client import export_of

    person = export_of(settings, "people", whom, url)
    members = [one["id"] for one in person["identities"]] if person is not None else []
    nodes = list(dict.fromkeys([*members, *([whom] if ":" in whom else [])]))
    visitors = [row for node in nodes if (row := export_of(settings, "visitors", node, url)) is not None]
    if person is None and not visitors:
        raise NegativeAnswerError(f"nothing is known of {whom}: nobody of that id, or erased, or forgotten")
    at = instants.write(int(time.time() * 1000))
    return {"id": whom, "exportedAt": at, "person": person, "visitors": visitors}


async def _add_records(settings: Settings, document: dict[str, Any], *, events: bool) -> None:
    """Add what Kafka's topics still hold of the person: facts by lead id, events by identity."""
    import orjson

    from stream.cli.connections import admin_client, consumer_client, read_whole

    person = document["person"]
    leads = [person["person"]["id"], *person["person"]["previousIds"]] if person is not None else []
    nodes = [row["id"] for row in document["visitors"]]
    async with admin_client(settings) as admin, consumer_client(settings) as consumer:
        read = partial(read_whole, admin, consumer)
        facts = [record.value async for record in _of(read(settings.topic("stage-changes")), leads)]
        document["stageChanges"] = [orjson.loads(value) for value in facts if value is not None]
        if not events:
            return
        for name, topic in (("events", "events"), ("deadLetters", "dead-letters")):
            document[name] = [_raw(record) async for record in _of(read(settings.topic(topic)), nodes)]


async def _of(records: AsyncIterator[Any], keys: list[str]) -> AsyncIterator[Any]:
    """Yield the records of these keys; where there are none, nothing is read."""
    wanted = {key.encode() for key in keys}
    if wanted:
        async for record in records:
            if record.key in wanted:
                yield record


def _raw(record: Any) -> dict[str, Any]:
    from stream.domain import instants

    return {
        "partition": record.partition,
        "offset": record.offset,
        "at": instants.write(min(max(record.timestamp, instants.EARLIEST), instants.LATEST)),
        "value": (record.value or b"").decode(errors="backslashreplace"),
    }
