"""`leadstream report networks`: networks that may be a company's, as lines for the ranges file."""

import csv
import io
from typing import Any

import click

from stream.agents.headers import FORWARDED, INTERNAL, has
from stream.cli.connections import admin_client, consumer_client, partitions_of, read_to_end, run
from stream.cli.letters import Filter
from stream.domain import instants
from stream.domain.event import Company
from stream.domain.proposals import PEOPLE, SHARE, Proposal, propose
from stream.settings import Settings, load


@click.command()
@click.option("--people", type=click.IntRange(2), default=PEOPLE, show_default=True, help="So many of one company are enough.")
@click.option("--since", help="From an instant on (2026-11-22T10:00:00Z), or of the last 12h, 2d. Default: all that is kept.")
@click.option("--no-header", is_flag=True, help="Lines alone, to go behind a ranges file that has a header.")
@click.option("--url", metavar="URL", help="A worker; any answers for all. Default: WEB_HOST:WEB_PORT.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout and nothing else.")
def networks(people: int, since: str | None, no_header: bool, url: str | None, as_json: bool) -> None:
    """Propose networks that several people with one business e-mail domain share, as lines for the ranges file.

    Each line has its evidence in front, as a comment. Nothing is applied: look at it, and put into COMPANY_RANGES what is
    right; workers read the file again by themselves. A network is a /24 (IPv6: /48), no smaller part of an address is looked
    at; it is found in what `events` still holds (RETENTION_EVENTS), so IP_RETENTION=drop leaves nothing to find. Networks
    of hosting, VPN and mobile providers are never proposed, nor those in which more than one person of five is somebody else's.

    \b
    leadstream report networks
    leadstream report networks --people 5 --no-header >> ranges.csv
    """  # noqa: D301 -- click's mark for lines to be kept
    from stream.cli.screen import plain
    from stream.lookups import Lookups
    from stream.ops.sightings import Sightings, employers_of, identities_of
    from stream.web.paging import pages

    settings = load()
    names = Lookups(settings.company_ranges, settings.mmdb, settings.asn, settings.lists)
    leads = [{key: lead[key] for key in ("id", "members", "account")} for page in pages(settings, "leads", url) for lead in page]
    sightings = Sightings(names, identities_of(leads), settings.phone_region)
    run(_read(settings, sightings, Filter.asked((), since, None, 0).since_ms))
    found = propose(sightings.networks, employers_of(leads, names), people, SHARE)
    if as_json:
        import orjson

        document = {"networks": [_document(one) for one in found], "events": sightings.read, "addresses": sightings.addressed}
        click.echo(orjson.dumps(document))
        return
    click.echo(plain(lines(found, header=not no_header)), nl=False)
    click.echo(f"{len(found)} networks proposed; {_looked(sightings.read, sightings.addressed)}", err=True)


async def _read(settings: Settings, sightings: Any, since_ms: int | None) -> None:
    topic = settings.topic("events")
    async with admin_client(settings) as admin:
        partitions = await partitions_of(admin, topic)
    async with consumer_client(settings) as consumer:
        async for record in read_to_end(consumer, topic, partitions, since_ms):
            if not has(record.headers, INTERNAL) and not has(record.headers, FORWARDED):
                sightings.take(record.value, record.timestamp, record.headers)


def lines(found: list[Proposal], *, header: bool) -> str:
    """Return proposals as a ranges file, each with its evidence in front."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    if header:
        rows.writerow(("network", "name", "domain", "kind"))
    for one in found:
        text.write(f"# {one.network}: {evidence(one)}\n")
        rows.writerow((one.network, one.name, one.domain, "business"))
    return text.getvalue()


def evidence(one: Proposal) -> str:
    """Say in one line what speaks for a proposal, and what is known so far."""
    others = f", {one.others} with other business addresses" if one.others else ""
    days = " to ".join(dict.fromkeys(instants.write(t)[:10] for t in (one.since, one.until)))
    return f"{one.people} people with {one.domain} addresses{others}, {one.events} events, {days}; so far {_so_far(one)}"


def _so_far(one: Proposal) -> str:
    named = [company for company in (one.company, *one.also) if company is not None]
    told = (" ".join(company.name.replace('"', "'").split()) + f" ({company.kind}, {company.source})" for company in named)
    return ", ".join(told) or "nobody's"


def _looked(read: int, addressed: int) -> str:
    why = "" if addressed else ": with IP_RETENTION=drop no event carries one"
    return f"{read} events read, {addressed} with an address{why}"


def _document(one: Proposal) -> dict[str, Any]:
    return {
        "network": one.network,
        "name": one.name,
        "domain": one.domain,
        "kind": "business",
        "people": one.people,
        "others": one.others,
        "events": one.events,
        "since": instants.write(one.since),
        "until": instants.write(one.until),
        "soFar": None if one.company is None else _named(one.company),
        "also": [_named(company) for company in one.also],
    }


def _named(company: Company) -> dict[str, str]:
    return {"name": company.name, "kind": company.kind, "source": company.source}
