"""Made traffic: anonymous cookies, known people on their cookies, retries, nonsense, records under a wrong key."""

import json
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime

Pair = tuple[bytes, bytes]
PLACES = ("https://x.example/products/a", "https://x.example/pricing", "https://x.example/blog/x")
EVENTS = ("Demo Requested", "Quote Requested", "Webinar Attended", "Whatever")


def traffic(seed: int, count: int, users: int = 40, cookies: int = 400) -> Iterator[Pair]:
    """Yield (key, value) of `count` records."""
    chance, last = random.Random(seed), None  # noqa: S311 - no secret
    for number in range(count):
        if last is None or chance.random() >= 0.03:
            last = _record(chance, f"{seed}-{number}", users, cookies)
        yield last


def _record(chance: random.Random, message: str, users: int, cookies: int) -> Pair:
    when = datetime.fromtimestamp(time.time() - abs(chance.gauss(0, 0.5)), UTC)
    event: dict[str, object] = {
        "messageId": message, "type": "track", "event": chance.choice(EVENTS),
        "timestamp": when.isoformat(timespec="milliseconds"),
        "properties": {"url": chance.choice(PLACES)}, "context": {"ip": f"203.0.113.{chance.randrange(255)}"},
    }  # fmt: skip
    cookie = f"c{chance.randrange(cookies)}"
    if chance.random() < 0.2:
        user = f"u{chance.randrange(users)}"
        key, event["userId"] = f"user::{user}", user
        if chance.random() < 0.3:
            event["anonymousId"] = cookie
        if chance.random() < 0.2:
            event["type"], event["traits"] = "identify", {"email": f"{user}@acme.example", "title": "Head of IT", "n": message}
    else:
        key, event["anonymousId"] = f"anon::{cookie}", cookie
    value = b'{"broken' if chance.random() < 0.01 else json.dumps(event).encode()
    return (f"wrong::{key}" if chance.random() < 0.01 else key).encode(), value
