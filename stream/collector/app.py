"""The collector's ASGI application: a request is read by its protocol, decided by the gate, answered when Kafka has it.

What it answers beside events are pages (`Pages`): handlers of a request whose body is read already. CORS, limits and refusals
are added here to all of them.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from stream.collector import pixel, segment, snowplow
from stream.collector.answers import IMAGE, PREFLIGHT, STORED, Answer, decided, refusal
from stream.collector.cors import Cors
from stream.collector.gate import Gate
from stream.collector.incoming import Incoming
from stream.collector.limits import Bodies, check_head
from stream.collector.pages import Pages
from stream.collector.request import Refused, Request
from stream.collector.sending import Sender

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Page = Callable[[Request], Awaitable[Answer]]
Reader = Callable[[Request], Incoming]
Route = tuple[str, str]

READERS: Final[Mapping[Route, Reader]] = {**segment.readers(), **snowplow.readers(), **pixel.readers()}

_ROOM_FOR_ORIGINS: Final = 1024


class Collector:
    """One callable; `start` and `stop` run in its loop."""

    def __init__(self, gate: Gate, cors: Cors, bodies: Bodies, sender: Sender, pages: Pages) -> None:
        self._gate, self._cors, self._bodies, self._sender, self._pages = gate, cors, bodies, sender, pages
        self._watching = gate.watching
        self._heads: dict[str | None, tuple[Any, Any]] = {}

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

    def _collect(self, request: Request, incoming: Incoming) -> tuple[Awaitable[None] | None, Answer]:
        """Send what is decided; return what is done when it is acknowledged, and the answer for then."""
        found = self._gate.decide(self._gate.admit(request, incoming), incoming.events)
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
            known, head = self._heads.get(origin, (None, None))
            if known is not cors:
                if len(self._heads) >= _ROOM_FOR_ORIGINS:
                    self._heads.clear()
                head = _start(answer, cors)
                self._heads[origin] = cors, head
            return head
        return _start(answer, cors)


def _start(answer: Answer, cors: Any) -> Any:
    length = (b"content-length", str(len(answer.body)).encode())
    told = {name for name, _ in answer.headers}
    headers = [*answer.headers, *(pair for pair in cors if pair[0] not in told), length]
    return {"type": "http.response.start", "status": answer.status, "headers": headers}
