"""What a worker's tables hold of one person or one identity, for `leadstream export`."""

from typing import Any

import orjson
from aiohttp import web
from faust.types import TP

from stream.domain import exporting
from stream.web import question
from stream.web.answers import NotNow, Unknown
from stream.web.held import Held, now_ms
from stream.web.peers import HOP, Peers


class Exporting:
    """The handlers of `/internal/export/…`."""

    def __init__(self, held: Held, peers: Peers) -> None:
        self._held, self._peers = held, peers

    def routes(self) -> list[web.RouteDef]:
        """Return the addresses answered."""
        return [
            web.get("/internal/export/people/{id:.+}", self.person),
            web.get("/internal/export/visitors/{id:.+}", self.visitor),
        ]

    async def person(self, request: web.Request) -> web.Response:
        """Answer what the people log knows of somebody by any id."""
        key, people = question.lead_of(request), self._held.people
        if people is None:
            return await self._pass_on(request, self._held.people_place)
        return _json(exporting.person(people, key, now_ms()))

    async def visitor(self, request: web.Request) -> web.Response:
        """Answer what an identity's row holds."""
        node = question.visitor_of(request)
        place = self._held.place_of(node)
        if not self._held.holds(place):
            return await self._pass_on(request, place)
        known = self._held.row(node)
        return _json(None if known is None else exporting.visitor(node, *known, now_ms()))

    async def _pass_on(self, request: web.Request, tp: TP) -> web.Response:
        if HOP in request.headers:
            raise NotNow(f"this worker does not hold partition {tp.partition} of {tp.topic} (any more): ask again in a moment")
        reply = await self._peers.ask(tp, request.raw_path)
        return web.Response(status=reply.status, body=reply.body, content_type="application/json")


def _json(document: dict[str, Any] | None) -> web.Response:
    if document is None:
        raise Unknown("nothing is known under this id")
    return web.Response(body=orjson.dumps(document), content_type="application/json")
