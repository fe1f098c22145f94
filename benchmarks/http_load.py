"""Trackers in one process: `python -m benchmarks.http_load PORT PATH [--events N] [--connections N] [--rate N] [--seconds S]`.

Without --rate each connection sends its next request when the answer is there. With it requests are due at that rate, and a
latency counts from when a request was due: one that finds no free connection waits, and that counts. With --events 0 they ask
for PATH with a visitor's number behind it instead. Prints JSON.
"""

import argparse
import asyncio
import json
import time
from collections import deque
from dataclasses import dataclass, field
from typing import cast

import uvloop

GOOD = b'{"success":true}'
TICK_S = 0.001
WARM_S = 1.0
EVENT = (
    b'{"type":"page","anonymousId":"visitor-%06d","messageId":"message-%012d","originalTimestamp":"2026-11-22T10:00:00.000Z",'
    b'"properties":{"path":"/pricing","title":"Pricing","url":"https://www.acme.example/pricing?utm_source=letter"},'
    b'"context":{"page":{"path":"/pricing","referrer":"https://search.example/","search":"?utm_source=letter","title":"Pricing",'
    b'"url":"https://www.acme.example/pricing?utm_source=letter"},"userAgent":"Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0",'
    b'"locale":"en-US","library":{"name":"analytics.js","version":"npm:next-1.84.3"},"campaign":{"source":"letter"},'
    b'"timezone":"Europe/Berlin"},"integrations":{},"userId":null}'
)
VISITORS = 100_000
ASKING = 2_000
"""Visitors that ask again and again what is known of them."""


@dataclass
class Load:
    """What is sent, and what came of it; latencies in seconds."""

    path: str
    events: int
    sent: int = 0
    bad: int = 0
    latencies: list[float] = field(default_factory=list)
    paced: bool = False
    due: deque[float] = field(default_factory=deque)
    idle: "list[Tracker]" = field(default_factory=list)

    def request(self) -> bytes:
        """Return the next request: events of one visitor, as a tracker sends them."""
        first, self.sent = self.sent * self.events, self.sent + 1
        visitor = self.sent % VISITORS
        if not self.events:
            return b"GET %b%06d HTTP/1.1\r\nHost: collect.example\r\n\r\n" % (self.path.encode(), visitor % ASKING)
        events = b",".join([EVENT % (visitor, first + number) for number in range(self.events)])
        body = events if self.events == 1 else b'{"batch":[%b],"sentAt":"2026-11-22T10:00:01.000Z"}' % events
        return (
            b"POST %b HTTP/1.1\r\nHost: collect.example\r\nAuthorization: Basic SzE6\r\nContent-Type: text/plain\r\n"
            b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0\r\nAccept: */*\r\nContent-Length: %d\r\n\r\n%b"
            % (self.path.encode(), len(body), body)
        )


class Tracker(asyncio.Protocol):
    """One connection."""

    def __init__(self, load: Load) -> None:
        self._load, self._at, self._seen = load, 0.0, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)
        self.next()

    def next(self) -> None:
        load = self._load
        if not load.paced:
            self.send(time.perf_counter())
        elif load.due:
            self.send(load.due.popleft())
        else:
            load.idle.append(self)

    def send(self, at: float) -> None:
        self._at = at
        self._transport.write(self._load.request())

    def data_received(self, data: bytes) -> None:
        self._seen += data
        if b"\r\n\r\n" not in self._seen or not self._seen.endswith(b"}"):
            return
        if not (self._seen.startswith(b"HTTP/1.1 200") and self._seen.endswith(GOOD if self._load.events else b"}")):
            self._load.bad += 1
        self._seen = b""
        self._load.latencies.append(time.perf_counter() - self._at)
        self.next()


async def run(port: int, load: Load, connections: int, seconds: float, rate: float) -> dict[str, float]:
    """Send for so long, and return what was measured behind the first second."""
    loop = asyncio.get_running_loop()
    trackers = [await loop.create_connection(lambda: Tracker(load), "127.0.0.1", port) for _ in range(connections)]
    pace = asyncio.ensure_future(_pace(load, rate)) if rate else None
    await asyncio.sleep(WARM_S)
    load.latencies.clear()
    load.bad = 0
    began = time.perf_counter()
    print("begins", flush=True)
    await asyncio.sleep(seconds)
    took, latencies = time.perf_counter() - began, sorted(load.latencies)
    if pace is not None:
        pace.cancel()
    for transport, _ in trackers:
        transport.abort()
    count = len(latencies)
    p50, p99 = (latencies[int(count * share)] * 1000 if count else 0.0 for share in (0.5, 0.99))
    return {"answered": count, "bad": load.bad, "per_second": count / took, "p50_ms": p50, "p99_ms": p99}


async def _pace(load: Load, rate: float) -> None:
    began, made = time.perf_counter(), 0
    while True:
        now = time.perf_counter()
        while made < (now - began) * rate:
            load.due.append(began + made / rate)
            made += 1
        while load.due and load.idle:
            load.idle.pop().send(load.due.popleft())
        await asyncio.sleep(TICK_S)


def main() -> None:
    parser = argparse.ArgumentParser(description="Send events by HTTP.")
    parser.add_argument("port", type=int)
    parser.add_argument("path")
    parser.add_argument("--events", type=int, default=1)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--seconds", type=float, default=5.0)
    told = parser.parse_args()
    load = Load(told.path, told.events, paced=bool(told.rate))
    print(json.dumps(uvloop.run(run(told.port, load, told.connections, told.seconds, told.rate))))


if __name__ == "__main__":
    main()
