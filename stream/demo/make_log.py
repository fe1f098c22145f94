"""Make the sample access log: `python -m stream.demo.make_log`. The same seed gives the same lines.

Addresses come from the networks set aside for documentation (RFC 5737, RFC 3849); nobody real is in it.
"""

import gzip
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

LOG: Final = Path(__file__).parent / "access.log.gz"
LINES: Final = 1500
VISITORS: Final = 130
LAST: Final = datetime(2026, 11, 1, 12, tzinfo=UTC)
SPAN: Final = timedelta(days=14)
SITE: Final = "https://www.leadstream.example"

NETWORKS: Final = {  # prefix: how many of a hundred visitors
    "192.0.2.{}": (0, 256, 34),
    "198.51.100.{}": (0, 256, 38),
    "203.0.113.{}": (0, 256, 16),
    "2001:db8:1::{:x}": (1, 4096, 4),
    "2001:db8:2::{:x}": (1, 4096, 8),
}
BROWSERS: Final = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:131.0) Gecko/20100101 Firefox/131.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Safari/604.1",
)
BOTS: Final = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
)
PAGES: Final = {  # path: how often, of all page views
    "/": 20,
    "/products/pipeline-monitor": 9,
    "/products/line-planner": 7,
    "/products/ledger-link": 6,
    "/acquisition/playbook": 6,
    "/pricing": 6,
    "/case-studies/halcyon-oil": 4,
    "/case-studies/bank-of-merrow": 4,
    "/downloads/predictive-maintenance.pdf": 3,
    "/downloads/compliance-checklist.pdf": 2,
    "/blog/what-is-intent": 8,
    "/blog/content-marketing-that-sells": 7,
    "/webinars/line-planning-live": 5,
    "/careers": 4,
    "/careers/data-engineer": 2,
    "/about": 4,
    "/contact": 3,
}
SEARCHES: Final = ("https://www.google.com/", "https://www.bing.com/search?q=pipeline+monitoring", "-", "-")


@dataclass(frozen=True)
class Visitor:
    """One address with one browser."""

    address: str
    agent: str
    bot: bool


def _visitor(rnd: random.Random) -> Visitor:
    pattern = rnd.choices(list(NETWORKS), [weight for *_, weight in NETWORKS.values()])[0]
    low, high, _ = NETWORKS[pattern]
    bot = rnd.random() < 0.06
    return Visitor(pattern.format(rnd.randrange(low, high)), rnd.choice(BOTS if bot else BROWSERS), bot)


def _session(rnd: random.Random, visitor: Visitor, start: datetime) -> Iterator[tuple[datetime, str]]:
    """Yield the requests of one visit, each with its time."""
    at, referrer = start, rnd.choice(SEARCHES)
    for _ in range(rnd.choice((1, 1, 2, 3, 3, 4, 6, 9))):
        path = rnd.choices(list(PAGES), list(PAGES.values()))[0]
        answer = f"{_status(rnd)} {rnd.randrange(800, 90_000)}"
        yield at, _line(visitor, at, f"GET {path} HTTP/1.1", answer, referrer)
        if path == "/contact" and not visitor.bot and rnd.random() < 0.4:
            yield at, _line(visitor, at, "POST /contact HTTP/1.1", "302 -", SITE + path)
        referrer = "-" if visitor.bot else SITE + path
        at += timedelta(seconds=rnd.randrange(4, 200))


def _status(rnd: random.Random) -> int:
    return rnd.choices((200, 304, 404, 500), (90, 6, 3, 1))[0]


def _line(visitor: Visitor, at: datetime, request: str, answer: str, referrer: str) -> str:
    stamp = at.strftime("%d/%b/%Y:%H:%M:%S +0000")
    return f'{visitor.address} - - [{stamp}] "{request}" {answer} "{referrer}" "{visitor.agent}"'


def lines(seed: int = 4) -> list[str]:
    """Return the log, oldest line first."""
    rnd = random.Random(seed)
    visitors = [_visitor(rnd) for _ in range(VISITORS)]
    requests: list[tuple[datetime, str]] = []
    while len(requests) < LINES:
        start = LAST - SPAN * rnd.random()
        requests += _session(rnd, rnd.choice(visitors), start.replace(microsecond=0))
    requests = sorted(request for request in requests if request[0] <= LAST)
    return [line for _, line in requests[-LINES:]]


def main() -> None:
    """Write the log beside this file."""
    LOG.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines()).encode(), mtime=0))


if __name__ == "__main__":
    main()
