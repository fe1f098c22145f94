"""What a worker's tables hold of one person or one identity, for `leadstream export`."""

from typing import Any

from aiohttp import web
from faust.types import TP

from stream.domain import exporting
from stream.web import question
from stream.web.answers import Unknown, as_json
from stream.web.held import Held, now_ms
from stream.web.peers import Peers


class Exporting:
    """The handlers of `/internal/export/…`."""

    def __init__(self, held: Held, peers: Peers) -> None:
        self._held, self._peers = held, peers

    def routes(self) -> list[web.RouteDef]:
        """Return the addresses answered."""
        return [
            web.get(f"/internal/export/people/{question.ID}", self.person),
            web.get(f"/internal/export/visitors/{question.ID}", self.visitor),
        ]

    async def person(self, request: web.Request) -> web.Response:
        """Answer what the people log knows of somebody by any id."""
        key, people = question.lead_of(request, self._held.phone_region), self._held.people
        if people is None:
            return await self._peers.pass_on(request, self._held.people_place)
        return self._told(exporting.person(people, key, now_ms()), self._held.people_place)

    async def visitor(self, request: web.Request) -> web.Response:
        """Answer what an identity's row holds."""
        node = question.visitor_of(request, self._held.phone_region)
        place = self._held.place_of(node)
        if not self._held.holds(place):
            return await self._peers.pass_on(request, place)
        known = self._held.row(node)
        return self._told(None if known is None else exporting.visitor(node, *known, now_ms()), place)

    def _told(self, document: dict[str, Any] | None, place: TP) -> web.Response:
        if document is None:
            self._held.require_read(place)
            raise Unknown("nothing is known under this id")
        return as_json(document)
