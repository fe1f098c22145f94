"""`leadstream canary`: how long an event takes from the tracker to where the CRM reads, without touching a lead."""

import os
import secrets
import time
from base64 import b64encode
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any, Final
from urllib.parse import urlsplit

import click

from stream.cli.connections import admin_client, consumer_client, producer_client, require_topic, run
from stream.domain import canary as birds
from stream.errors import UnreachableError, UsageError
from stream.ops import group
from stream.ops.canary import Flight, Waiting, send
from stream.runtime.producer import partition_of
from stream.settings import Settings, load

PATIENCE_S: Final = 10
"""How long a collector may take to answer."""


@click.command()
@click.option("--collector", "url", metavar="URL", help="Send one through a collector at this address, as a tracker does.")
@click.option("--write-key", default="canary", show_default=True, help="The collector's write key.")
@click.option(
    "--timeout", "patience_s", type=click.FloatRange(min=0, min_open=True), default=30.0, show_default=True, metavar="SECONDS",
    help="How long it is waited for, its sending included.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout and nothing else.")
def canary(*, url: str | None, write_key: str, patience_s: float, as_json: bool) -> None:
    """Send a canary through each partition of `events` and say how long each took.

    A canary is an event that no row takes and no lead is made of. It goes through the visitors and the one log of people, behind
    all that was sent before it, and out again into `wakes`: made, copied and acknowledged like `stage-changes`, and read
    here as a CRM would read. The CRM sees nothing of it. docs/decisions/011-canary.md says what that proves.

    Exit 1 where one has not come back. Workers send their own with LEADSTREAM_CANARY=30s, for /metrics.
    """
    if ":" in write_key:
        raise UsageError(f"--write-key {write_key!r} cannot be sent as a tracker does: give a key without a colon")
    if url is not None and not _is_address(url):
        raise UsageError(f"--collector {url!r} is no address of a collector: give one like http://127.0.0.1:8080")
    settings = load()
    flights = run(_fly(settings, url, write_key, patience_s))
    back = [flight.back_s for flight in flights if flight.back_s is not None]
    if as_json:
        import orjson

        click.echo(orjson.dumps(_document(flights, back)))
    else:
        _show(flights, back, patience_s)
    if len(back) < len(flights):
        raise SystemExit(1)


async def _fly(settings: Settings, url: str | None, write_key: str, patience_s: float) -> list[Flight]:
    events, wakes = settings.topic("events"), settings.topic("wakes")
    async with AsyncExitStack() as stack:
        admin = await stack.enter_async_context(admin_client(settings))
        for topic in (events, wakes):
            await require_topic(admin, topic)
        places = await group.partitions(admin, [wakes])
        waiting = Waiting(await stack.enter_async_context(consumer_client(settings, wait_s=patience_s)), places)
        await waiting.begin()
        deadline = time.monotonic() + patience_s
        if url is not None:
            flights = await _by_http(url, write_key)
        else:
            producer = await stack.enter_async_context(producer_client(settings, patience_s))
            flights = await send(producer, events, _names(len(places)))
        await waiting.until_back(flights, deadline)
    return list(flights.values())


def _names(partitions: int) -> dict[str, int]:
    """Return a new name for each partition: its identity's own, so that it comes back there too."""
    found: dict[int, str] = {}
    while len(found) < partitions:
        name = secrets.token_hex(8)
        found.setdefault(partition_of(birds.node_of(name).encode(), partitions), name)
    return {name: partition for partition, name in sorted(found.items())}


def _is_address(url: str) -> bool:
    try:
        told = urlsplit(url)
        return told.scheme in {"http", "https"} and bool(told.hostname) and told.port != 0 and told.username is None
    except ValueError:  # brackets that do not close, a port beyond 65,535
        return False


async def _by_http(url: str, write_key: str) -> dict[str, Flight]:
    """Post one to a collector, as a client of the Segment kind does."""
    import aiohttp

    name = secrets.token_hex(8)
    flight = Flight(None, time.monotonic())
    headers = {"Authorization": f"Basic {b64encode(f'{write_key}:'.encode()).decode()}"}
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE_S), headers=headers) as session,
            session.post(f"{url.rstrip('/')}/v1/track", json=birds.event_of(name)) as answer,
        ):
            text = await answer.text()
    except (aiohttp.ClientError, ValueError, TimeoutError) as error:
        raise UnreachableError(f"no collector answers at {url} ({_why(error)}): start it, or say where it is") from error
    if not answer.ok:
        raise UsageError(f"the collector at {url} answers {answer.status} {text[:200]!r}: {_way_on(answer.status)}")
    flight.accepted_s = time.monotonic() - flight.sent_at
    return {birds.node_of(name): flight}


def _way_on(status: int) -> str:
    """Return what to do about a refusal."""
    if status in {401, 403}:
        return "give the write key that it knows"
    return "come again" if status in {429, 503} else "is this the collector's address?"


def _why(error: Exception) -> str:
    """Return in words what a request failed of."""
    if isinstance(error, TimeoutError):
        return f"nothing came within {PATIENCE_S} s"
    reason = getattr(error, "os_error", error)  # of who could not connect: aiohttp's own text is for programmers
    number = getattr(reason, "errno", None) or 0
    return os.strerror(number) if number > 0 else getattr(reason, "strerror", None) or str(reason) or type(reason).__name__


def _document(flights: Sequence[Flight], back: Sequence[float]) -> dict[str, Any]:
    return {
        "sent": len(flights),
        "back": len(back),
        "slowestSeconds": max(back, default=None),
        "canaries": [flight.document() for flight in flights],
    }


def _show(flights: Sequence[Flight], back: Sequence[float], patience_s: float) -> None:
    for flight in flights:
        where = "by the collector" if flight.partition is None else f"partition {flight.partition}"
        told = f"not back after {patience_s:g} s" if flight.back_s is None else f"back after {flight.back_s:.3f} s"
        click.echo(f"{where:<18} accepted after {flight.accepted_s or 0:.3f} s, {told}")
    if len(back) < len(flights):
        click.echo(
            f"{len(flights) - len(back)} of {len(flights)} have not come back: `leadstream lag` says which partition stands"
        )
