"""The job that all engines do: the same input, the same rule, and the number of outputs that is right.

An event names one of 40 tags and a weight. A visitor keeps a decayed weight per tag (half-life 7 days) and their sum, the
score; an output is due when the score rises over UP, again only after it was seen below DOWN. Sums are kept at a landmark
(forward decay): one power an event, however many tags, late or not. Each engine has this rule in its own language.
"""

import math
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import orjson

PARTITIONS = 8
TAGS = 40
HALF_LIFE_MS = 7 * 86_400_000
UP, DOWN = 8.0, 6.0
VALUE_BYTES = 550
REPEATED = 0.01
"""Share of events that are sent twice, as clients do: ours drops the second one, the peers need not."""
_START = datetime(2026, 11, 1, tzinfo=UTC)
_SPAN_S = 14 * 86_400


def events(count: int, visitors: int, seed: int = 20_261_125) -> Iterator[tuple[bytes, bytes]]:
    """Yield (key, value) of `count` events of 550 B, in the order of their times; every 20th is up to an hour late."""
    chance, last = random.Random(seed), None  # noqa: S311 - a benchmark repeats itself
    for number in range(count):
        if last is None or chance.random() >= REPEATED:
            last = _event(chance, number, count, visitors)
        yield last


def _event(chance: random.Random, number: int, count: int, visitors: int) -> tuple[bytes, bytes]:
    when = _START + timedelta(seconds=_SPAN_S * number / count)
    if chance.random() < 0.05:
        when -= timedelta(seconds=chance.random() * 3600)
    visitor = f"anon::{chance.randrange(visitors):012x}"
    context = {
        "ip": f"203.0.113.{chance.randrange(256)}",
        "page": {"url": f"https://www.acme.example/products/{chance.randrange(1000)}", "title": "Products"},
        "userAgent": "",
    }
    value = {
        "messageId": f"{chance.getrandbits(128):032x}",
        "type": "track",
        "event": "Page Viewed",
        "anonymousId": visitor[6:],
        "timestamp": when.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "properties": {
            "tag": f"tag-{chance.randrange(TAGS):02d}",
            "where": chance.choice((0.5, 0.8, 1.0, 1.5)),
            "what": chance.choice((0.6, 1.0, 1.2)),
        },
        "context": context,
    }
    context["userAgent"] = "Mozilla/5.0 ".ljust(VALUE_BYTES - len(orjson.dumps(value)), "x")
    return visitor.encode(), orjson.dumps(value)


def outputs(stream: Iterator[tuple[bytes, bytes]], *, repeats_count: bool) -> int:
    """Count the outputs that are right, the slow way: every weight is kept with its time and summed anew.

    `repeats_count`: an event that comes twice counts twice.
    """
    kept: dict[bytes, tuple[list[tuple[float, float]], bool, float, set[str]]] = {}
    count = 0
    for key, raw in stream:
        value = orjson.loads(raw)
        sums, hot, newest, seen = kept.get(key, ([], False, 0.0, set()))
        if not repeats_count and value["messageId"] in seen:
            continue
        seen.add(value["messageId"])
        t = datetime.fromisoformat(value["timestamp"]).timestamp() * 1000
        newest = max(newest, t)
        hot = hot and _score(sums, newest) >= DOWN
        sums.append((t, value["properties"]["where"] * value["properties"]["what"]))
        if not hot and _score(sums, newest) >= UP:
            hot = True
            count += 1
        kept[key] = (sums, hot, newest, seen)
    return count


def _score(sums: list[tuple[float, float]], at: float) -> float:
    return sum(weight * math.exp2((t - at) / HALF_LIFE_MS) for t, weight in sums)
