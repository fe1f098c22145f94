"""What operators and integrators may look at, if they are signed in: counters, and what a write key sent last.

No page of another host may read it (CORS): its visitor may sit at this very machine.
"""

import orjson

from stream.collector import signin
from stream.collector.answers import Answer, json_answer, refusal, text_answer
from stream.collector.gate import Gate
from stream.collector.pages import Page, Route
from stream.collector.request import Refused, Request
from stream.collector.watching import Seen
from stream.domain.instants import write
from stream.settings import Settings

KIND = b"text/plain; version=0.0.4; charset=utf-8"
SHOWN = 50
NOT_KEPT = (b"cache-control", b"no-store")


def pages(settings: Settings, gate: Gate) -> dict[Route, Page]:
    """Return `GET /metrics` and `GET /v1/debug/{key}`, the key by its name."""
    watching = gate.watching

    async def metrics(request: Request) -> Answer:
        signin.check(settings, request)
        return text_answer(watching.exposition().decode(), kind=KIND)._replace(for_pages=False)

    async def debug(request: Request) -> Answer:
        signin.check(settings, request)
        name = request.path.rstrip("/").rpartition("/")[2]
        known = {*gate.keys.names, *watching.names}  # a key that was taken out is still asked for
        if name in known:
            events = [_shown(seen) for seen in reversed(watching.last(name))]
            answer = json_answer({"key": name, "events": events}, headers=[NOT_KEPT])
        else:
            answer = refusal(_unknown(name, sorted(known)))
        return answer._replace(for_pages=False)

    return {("GET", "/metrics"): metrics, ("GET", "/v1/debug/{key}"): debug}


def _unknown(name: str, known: list[str]) -> Refused:
    more = f" and {len(known) - SHOWN} more" if len(known) > SHOWN else ""
    return Refused(404, "name", f"no write key is called {name[:100]!r}: ask by its name: {', '.join(known[:SHOWN])}{more}")


def _shown(seen: Seen) -> dict[str, object]:
    """Return an event, newest first; one that was too long to keep is shown as its beginning."""
    told: dict[str, object] = {"at": write(int(seen.at_s * 1000)), "outcome": seen.outcome, "bytes": seen.size}
    if len(seen.value) < seen.size:
        return told | {"beginning": seen.value.decode("utf-8", "replace")}
    return told | {"event": orjson.Fragment(seen.value) if seen.value else None}  # as it stands, however deep: not read again
