"""A website's traffic: 97 of 100 events by anonymous visitors, 3 by known leads, in visits of some pages each.

Companies are resolved from a ranges file, some visitors are crawlers, 1 % of the events is sent twice. No event has a time
of its own: it happened when Kafka received it.
"""

import hashlib
import random
import struct
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import orjson

from benchmarks.bar import Bar

Pair = tuple[bytes, bytes]
CACHE = Path(__file__).resolve().parents[1] / ".cache" / "bench"

KNOWN = 0.03
LEADS = 2_000
OPEN_VISITS = 300
"""So many visitors are on the site at once."""
PAGES = 5
NETWORKS = 20_000
_FIRST_NETWORK = int(IPv4Address("20.0.0.0"))
_BROWSERS = tuple(
    f"Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.0.0 Safari/537.36"
    for system in ("X11; Linux x86_64", "Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7")
    for version in range(120, 130)
)
_CRAWLER = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
_PLACES = ("products", "products", "products", "blog", "case-studies", "pricing", "solutions", "careers")
_LENGTHS = struct.Struct("<HI")
_DONE = ("Trial Started", "Meeting Attended", "Broadcast Watched", "Whitepaper Downloaded", "Demo Requested")


def traffic(count: int, visitors: int, seed: int = 20_261_125) -> Iterator[Pair]:
    """Yield (key, value) of `count` events."""
    rng, last = random.Random(seed), None  # noqa: S311 - a benchmark repeats itself
    visits = [_visit(rng, visitors) for _ in range(OPEN_VISITS)]
    for _ in range(count):
        if last is None or rng.random() >= 0.01:
            at = rng.randrange(OPEN_VISITS)
            if rng.random() < 1 / PAGES:
                visits[at] = _visit(rng, visitors)
            last = visits[at][0], orjson.dumps(_event(rng, visits[at][1]))
        yield last


def recorded(count: int, visitors: int) -> Iterator[Pair]:
    """Yield the same, made once and kept in a file: making an event costs more than publishing it."""
    with record(count, visitors).open("rb") as file:
        while head := file.read(_LENGTHS.size):
            key, value = _LENGTHS.unpack(head)
            yield file.read(key), file.read(value)


def record(count: int, visitors: int) -> Path:
    """Make that file, if it is not there."""
    told = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8]
    path = CACHE / f"mix-{count}-{visitors}-{told}.bin"
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    bar, part = Bar("events are being made", count), path.with_suffix(".part")
    with part.open("wb") as file:
        for number, (key, value) in enumerate(traffic(count, visitors)):
            file.writelines((_LENGTHS.pack(len(key), len(value)), key, value))
            if not number % 1000:
                bar.at(number)
    bar.end()
    return part.rename(path)


def anonymous(number: int) -> str:
    """Return a visitor's cookie."""
    return f"{number:08x}-7c1d-4f0a-9a55-2f6d1c0e8b3a"


def ranges(path: Path) -> Path:
    """Write the ranges file by which a third of the visitors has a company."""
    with path.open("w", encoding="utf-8") as file:
        file.write("network,name,domain,kind\n")
        for number in range(NETWORKS):
            network = IPv4Address(_FIRST_NETWORK + number * 768)
            file.write(f"{network}/24,Company {number},company-{number}.example,business\n")
    return path


def _visit(rng: random.Random, visitors: int) -> tuple[bytes, dict[str, Any]]:
    """Return the key of a visit's events, and what they have in common."""
    agent = _CRAWLER if rng.random() < 0.02 else rng.choice(_BROWSERS)
    context = {"ip": str(IPv4Address(_FIRST_NETWORK + rng.randrange(NETWORKS * 768))), "userAgent": agent}
    if rng.random() < KNOWN:
        lead = rng.randrange(LEADS)
        return f"user::lead-{lead}".encode(), {"userId": f"lead-{lead}", "anonymousId": f"cookie-{lead}", "context": context}
    cookie = anonymous(rng.randrange(visitors))
    return f"anon::{cookie}".encode(), {"anonymousId": cookie, "context": context}


def _event(rng: random.Random, visit: dict[str, Any]) -> dict[str, Any]:
    path = f"/{rng.choice(_PLACES)}/{rng.randrange(500)}/detail"
    event = {
        **visit,
        "messageId": f"ajs-next-{rng.getrandbits(128):032x}",
        "type": "page",
        "properties": {"topics": [f"topic-{rng.randrange(20)}"], "dwell_s": rng.randrange(100)},
        "context": {
            **visit["context"],
            "page": {"url": f"https://www.example.com{path}", "path": path, "title": "Some page", "referrer": ""},
            "library": {"name": "analytics.js", "version": "next-1.70.0"},
            "locale": "en-US",
            "screen": {"width": 1920, "height": 1080},
        },
    }
    if "userId" in visit and (what := rng.random()) < 0.4:
        if what < 0.1:
            event |= {"type": "identify", "traits": {"email": f"{visit['userId']}@acme.example", "title": "Head of IT"}}
        else:
            event |= {"type": "track", "event": rng.choice(_DONE)}
    return event
