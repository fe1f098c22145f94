"""The collector as a whole: made of the settings, running until it is told to end."""

import asyncio
import gc
import logging

from schemas.event import Rejected
from stream.collector import client_ip, first_fetches, insights, write_keys
from stream.collector.answers import Answer, json_answer, text_answer
from stream.collector.app import READERS, Collector
from stream.collector.asking import Worker
from stream.collector.cors import Cors
from stream.collector.gate import Gate
from stream.collector.incoming import Event
from stream.collector.ip_retention import Addresses
from stream.collector.limits import Bodies
from stream.collector.pages import Page, Pages, Route
from stream.collector.personalising import Personalising, Profiles
from stream.collector.rates import Rates
from stream.collector.request import Refused, Request
from stream.collector.sending import Sender, find_kafka
from stream.collector.server import allow_many_files, listen, make_server, sweep
from stream.collector.validate import around, validated
from stream.collector.watching import Watching
from stream.collector.write_keys import WriteKeys
from stream.errors import CommandError
from stream.lookups import Lookups
from stream.runtime.diagnosis import refusal
from stream.runtime.rereading import look
from stream.settings import Settings, is_loopback

RELOAD_S = 2.0
YOUNG_OBJECTS = 50_000

logger = logging.getLogger(__name__)


async def serve(settings: Settings) -> None:
    """Collect until SIGTERM or SIGINT; raises CommandError where it cannot begin, or not go on."""
    if (refused := await refusal(settings)) is not None:  # librdkafka would wait, and not say
        raise refused
    embedded = await asyncio.to_thread(find_kafka, settings)
    lookups, keys, proxies = lookups_of(settings), write_keys.load(settings), client_ip.load(settings)
    listening = listen(settings.collector_host, settings.collector_port)
    allow_many_files()
    addresses = Addresses(settings.ip_retention, lookups)
    gate = Gate(keys, Rates(), proxies, addresses, settings.phone_region, Watching(keys.count))
    sender, worker = Sender(settings, embedded=embedded), Worker(settings)
    personal = Personalising(gate, lookups, Profiles(worker.ask))
    pages = Pages(first_fetches.pages() | insights.pages(settings, gate) | own_pages(gate, sender, personal), READERS)
    collector = Collector(gate, Cors(keys), Bodies(), sender, pages)
    server = make_server(collector, spared=lambda peer: is_loopback(peer) or proxies.trusts(peer))
    sender.failed.add_done_callback(lambda _: server.end())
    _calm_the_garbage_collector()
    beside = [asyncio.create_task(work) for work in (sweep(server), _reload("write keys", keys), _reload("ranges", lookups))]
    host, port = listening.getsockname()[:2]
    logger.info("ready: the collector listens on http://%s:%s", f"[{host}]" if ":" in host else host, port)
    try:
        await server.serve(sockets=[listening])
    finally:
        for task in beside:
            task.cancel()
        await sender.stop()
        await worker.close()
    if sender.failed.done():
        raise CommandError(f"Kafka takes nothing more of this collector: {sender.failed.result()}: start it again")


def _calm_the_garbage_collector() -> None:
    """Let what is there now stay, and look for cycles rarely: a request's own objects are trees, and freed without."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 100)


def lookups_of(settings: Settings) -> Lookups | None:
    """Read the look-up files that name companies; None where none is set. Raises BadLookupFile."""
    if not (settings.company_ranges or settings.mmdb or settings.asn):
        return None
    return Lookups(settings.company_ranges, settings.mmdb, settings.asn, settings.lists)


def own_pages(gate: Gate, sender: Sender, personal: Personalising) -> dict[Route, Page]:
    """Return the pages that look at the gate, at Kafka, or at a worker."""

    async def health(_: Request) -> Answer:
        return text_answer("OK")

    async def ready(_: Request) -> Answer:
        if not await asyncio.to_thread(lambda: sender.reachable):
            raise Refused(503, "kafka", "Kafka does not answer", 2)
        return text_answer("OK")

    async def validation(request: Request) -> Answer:
        admitted = gate.admit(request, around(request))

        def complete(event: Event) -> Rejected | None:
            completed = gate.complete(event, admitted)
            return completed if isinstance(completed, Rejected) else None

        return json_answer(validated(request.body, request.received_ms, gate.phone_region, complete))

    return {
        ("GET", "/health"): health,
        ("GET", "/health/live"): health,
        ("GET", "/health/ready"): ready,
        ("POST", "/v1/validate"): validation,
        ("GET", "/v1/personalise"): personal.page,
    }


async def _reload(what: str, read: WriteKeys | Lookups | None) -> None:
    """Look at a file again from time to time."""
    while read is not None:
        await asyncio.sleep(RELOAD_S)
        await look(what, read.reload)
