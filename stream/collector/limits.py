"""How large a request may be, how long it may take, and how much all of them together may hold.

    bodies = Bodies(LIMITS)
    async with bodies.read(receive, headers) as body:     # bytes, unpacked; Refused(413 | 400 | 415 | 503); its room is held
        ...                                               # until here: so memory is bounded, whoever sends and however slowly
    check_head(raw_headers, path_bytes, LIMITS)           # Refused(431 | 414)

The server cuts off who is slow: `head_s` from the first byte to the end of the headers, `body_s` from there to the end of the
body, `body_s` also for an answer to be read, `idle_s` between requests. Others allow: Segment 500 KB and 2,500 events a batch,
RudderStack 4,000 KB, Snowplow 1 MB, 40 KB of headers and a request line of 20 KB (a page view as a pixel). Depth is orjson's
business: beyond 1,024 levels it is no JSON; the judge of events (schemas.event) allows 32, and 1,000 members, in an event.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from stream.collector.packing import unpacked_aside
from stream.collector.request import Headers, Refused

Receive = Callable[[], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes, counts and seconds of one request; `budget_bytes` and `connections` are of all together.

    `connections_of_one` are those of an address that is neither a trusted proxy's nor this machine's. `stored_bytes` is how
    large the events of a request may be together as they go into Kafka: what a batch says of all of them is written in each.
    """

    body_bytes: int = 4 * 1024 * 1024
    header_bytes: int = 40_960
    headers: int = 100
    path_bytes: int = 20_480
    events: int = 2_500
    stored_bytes: int = 16 * 1024 * 1024
    head_s: float = 10.0
    body_s: float = 30.0
    idle_s: float = 75.0
    budget_bytes: int = 128 * 1024 * 1024
    connections: int = 20_000
    connections_of_one: int = 2_000


LIMITS: Final = Limits()


class Bodies:
    """Reads bodies, as far as one may be large and as far as there is room for all."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        """Begin with all room free."""
        self.free = limits.budget_bytes
        self._limits = limits

    @asynccontextmanager
    async def read(self, receive: Receive, headers: Mapping[bytes, bytes]) -> AsyncIterator[bytes]:
        """Read and unpack one body; raises Refused, also where the client goes away in the middle."""
        self._expect(headers.get(b"content-length"))
        held = 0
        try:
            chunks: list[bytes] = []
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Refused(400, "cut_off", "the client went away")
                chunk, more = message.get("body", b""), message.get("more_body", False)
                if held + len(chunk) > self._limits.body_bytes:
                    raise self._too_large()
                held += self._take(len(chunk))
                chunks.append(chunk)
            packed = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            body = await unpacked_aside(packed, headers.get(b"content-encoding"), self._limits.body_bytes)
            held += self._take(max(0, len(body) - held))
            del chunk, chunks, packed
            yield body
        finally:
            self.free += held

    def _expect(self, length: bytes | None) -> None:
        """Refuse a Content-Length that is too large, before anything is read."""
        if length is None:
            return
        if not length.isdigit():
            raise Refused(400, "header", "Content-Length is no number")
        if len(length) > 18 or int(length) > self._limits.body_bytes:
            raise self._too_large()

    def _take(self, size: int) -> int:
        if size > self.free:
            raise Refused(503, "room", "too many requests at once", 1)
        self.free -= size
        return size

    def _too_large(self) -> Refused:
        return Refused(413, "too_large", f"the body is larger than {self._limits.body_bytes} bytes: send smaller batches")


def check_head(headers: Headers, path_bytes: int, limits: Limits = LIMITS) -> None:
    """Refuse a head that is longer than any tracker's."""
    size = sum(map(len, chain.from_iterable(headers)))
    if len(headers) > limits.headers or size > limits.header_bytes:
        raise Refused(431, "header", f"more than {limits.headers} headers or {limits.header_bytes} bytes of them")
    if path_bytes > limits.path_bytes:
        raise Refused(414, "header", f"a request line of more than {limits.path_bytes} bytes: use POST")
