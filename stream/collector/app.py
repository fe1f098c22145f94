"""The collector's ASGI application: a request is read by its protocol, decided by the gate, answered when Kafka has it.

What it answers beside events are pages (`Pages`): handlers of a request whose body is read already. CORS, limits and refusals
are added here to all of them.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec

from stream.collector import pixel, segment, snowplow
from stream.collector.answers import IMAGE, PREFLIGHT, STORED, Answer, decided, refusal
from stream.collector.cors import Cors
from stream.collector.gate import Gate
from stream.collector.incoming import Incoming
from stream.collector.limits import Bodies, check_head
from stream.collector.packing import GZIP
from stream.collector.pages import Pages
from stream.collector.request import Headers, Refused, Request
from stream.collector.sending import Sender
from stream.collector.snowplow_context import forget_app

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Page = Callable[[Request], Awaitable[Answer]]
Reader = Callable[[Request], Incoming]
Route = tuple[str, str]

READERS: Final[Mapping[Route, Reader]] = {**segment.readers(), **snowplow.readers(), **pixel.readers()}
_POSTED: Final[Mapping[bytes, tuple[str, Reader]]] = {
    path.encode(): (path, reader) for (method, path), reader in READERS.items() if method == "POST"
}

_ROOM_FOR_ORIGINS: Final = 1024


class Begun(msgspec.Struct):
    """A request that was read: what it waits for, the answer for then, and the reason of a refusal."""

    stored: asyncio.Future[None] | None
    answer: Answer
    origin: str | None
    reason: str = ""


class Collector:
    """One ASGI callable; what comes in one piece the server may also hand over by `begin`, and get its answer by `end`."""

    def __init__(self, gate: Gate, cors: Cors, bodies: Bodies, sender: Sender, pages: Pages) -> None:
        self._gate, self._cors, self._bodies, self._sender, self._pages = gate, cors, bodies, sender, pages
        self._watching = gate.watching
        self._heads: dict[str | None, tuple[Any, Any, bytes]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; anything but HTTP is none of ours."""
        if scope["type"] != "http":
            raise RuntimeError(f"no {scope['type']} here")
        raw = scope["headers"]
        headers = dict(raw)
        told = headers.get(b"origin")
        origin = None if told is None else told.decode("latin-1")
        try:
            check_head(raw, len(scope["raw_path"]) + len(scope["query_string"]))
            answer = await self._answer(scope, headers, origin, receive)
        except Refused as refused:
            answer = refusal(refused)
            self._watching.answered(refused.status, refused.reason)
        else:
            self._watching.answered(answer.status)
        await send(self._head(answer, origin))
        await send({"type": "http.response.body", "body": answer.body})

    def begin(self, target: bytes, headers: Headers, peer: str | None, body: bytes) -> Begun | None:
        """Read a POST that came whole, and send its events; None, and nothing done, where there is more to it than that."""
        path, _, query = target.partition(b"?")
        route, named = _POSTED.get(path), dict(headers)
        if route is None or b"content-encoding" in named or body.startswith(GZIP):
            return None
        told = named.get(b"origin")
        origin = None if told is None else told.decode("latin-1")
        try:
            check_head(headers, len(target))
            request = Request("POST", route[0], query, named, headers, peer, int(time.time() * 1000), body)
            stored, answer = self._collect(request, route[1](request))
        except Refused as refused:
            return Begun(None, refusal(refused), origin, refused.reason)
        return Begun(stored, answer, origin)

    def end(self, begun: Begun) -> tuple[int, bytes]:
        """Return the status of the answer, and the rest of it as it goes over the wire."""
        answer, reason = begun.answer, begun.reason
        try:
            if begun.stored is not None:
                begun.stored.result()
        except Refused as refused:
            answer, reason = refusal(refused), refused.reason
        self._watching.answered(answer.status, reason)
        head = self._head(answer, begun.origin)
        return answer.status, self._heads[begun.origin][2] if answer is STORED else _written(head, answer.body)

    async def _answer(self, scope: Scope, headers: dict[bytes, bytes], origin: str | None, receive: Receive) -> Answer:
        method, path = scope["method"], scope["path"]
        reader = READERS.get((method, path)) or READERS.get((method, path.rstrip("/")))
        if method == "OPTIONS":
            return self._preflight(headers, origin)
        peer = scope["client"]
        request = Request(
            method, path, scope["query_string"], headers, scope["headers"], peer and peer[0], int(time.time() * 1000)
        )
        if reader is None:
            page = self._pages.find(method, path)
            async with self._bodies.read(receive, headers) as request.body:
                return await page(request)
        async with self._bodies.read(receive, headers) as request.body:
            stored, answer = self._collect(request, reader(request))
        del request  # what it holds is free while Kafka writes, and warm for the next one
        if stored is not None:
            await stored
        return answer

    def _collect(self, request: Request, incoming: Incoming) -> tuple[asyncio.Future[None] | None, Answer]:
        """Send what is decided; return what is done when it is acknowledged, and the answer for then."""
        admitted = self._gate.admit(request, incoming)
        if incoming.write_key and admitted.key.trust == "server":
            for event in incoming.events:
                forget_app(event, incoming.write_key)
        found = self._gate.decide(admitted, incoming.events)
        stored = self._sender.send(found.records) if found.records else None
        if incoming.pixel:
            return stored, IMAGE
        return stored, decided(found.told) if found.told else STORED

    def _preflight(self, headers: Mapping[bytes, bytes], origin: str | None) -> Answer:
        asked = (headers.get(b"access-control-request-method"), headers.get(b"access-control-request-headers"))
        method, names = (None if told is None else told.decode("latin-1") for told in asked)
        return PREFLIGHT._replace(headers=self._cors.preflight(origin, method, names))

    def _head(self, answer: Answer, origin: str | None) -> Any:
        """Return the start of an answer; that of an accepted event is made once an origin."""
        cors = self._cors.headers(origin)
        if answer is STORED:
            known, head, _ = self._heads.get(origin, (None, None, b""))
            if known is not cors:
                if len(self._heads) >= _ROOM_FOR_ORIGINS:
                    self._heads.clear()
                head = _start(answer, cors)
                self._heads[origin] = cors, head, _written(head, answer.body)
            return head
        return _start(answer, cors if answer.for_pages else self._cors.headers(None))


def _written(head: Any, body: bytes) -> bytes:
    """Return an answer behind its status line."""
    return b"".join([*(b"%b: %b\r\n" % pair for pair in head["headers"]), b"\r\n", body])


def _start(answer: Answer, cors: Any) -> Any:
    length = (b"content-length", str(len(answer.body)).encode())
    told = {name for name, _ in answer.headers}
    headers = [*answer.headers, *(pair for pair in cors if pair[0] not in told), length]
    return {"type": "http.response.start", "status": answer.status, "headers": headers}
