"""Visitors, leads and pages of leads: answered from here, or by the worker that holds them."""

import asyncio
from collections.abc import AsyncIterator
from heapq import heapify, heappop
from typing import Any
from urllib.parse import quote, urlencode

from aiohttp import web

from stream.domain import asking
from stream.domain.documents import TooEarly
from stream.domain.people import People
from stream.web import question
from stream.web.answers import Malformed, NotNow, Unknown, as_json
from stream.web.held import Held, now_ms
from stream.web.peers import Peers
from stream.web.question import Page

IDS = 20_000
"""Ids gathered between two breaths of the loop."""
PERSONS = 200
"""Persons looked at between two."""
DOCUMENTS = 5
"""Documents made between two."""


class Lookups:
    """The handlers of `/v1/visitors/…` and `/v1/leads…`."""

    def __init__(self, held: Held, peers: Peers) -> None:
        self._held, self._peers = held, peers

    def routes(self) -> list[web.RouteDef]:
        """Return the addresses answered."""
        return [
            web.get(f"/v1/visitors/{question.ID}", self.visitor),
            web.get(f"/v1/leads/{question.ID}", self.lead),
            web.get("/v1/leads", self.leads),
            web.get(f"/internal/lead-of/{question.ID}", self.lead_of),
        ]

    async def visitor(self, request: web.Request) -> web.Response:
        """Answer a visitor."""
        node, at = question.visitor_of(request, self._held.phone_region), question.at_of(request)
        place = self._held.place_of(node)
        if not self._held.holds(place):
            return await self._peers.pass_on(request, place)
        known = self._held.visitor(node, at)
        if known is None:
            self._held.require_read(place)
            raise Unknown(f"no visitor {node}: nothing was read under this id, or it is forgotten (idle_horizon of the ruleset)")
        lead = await self._lead_of(node)
        try:
            return as_json(asking.visitor(node, *known, lead, now_ms(), at))
        except TooEarly as error:
            raise Malformed(str(error)) from error

    async def lead(self, request: web.Request) -> web.Response:
        """Answer a lead."""
        key, at = question.lead_of(request, self._held.phone_region), question.at_of(request)
        people = self._held.people
        if people is None:
            return await self._peers.pass_on(request, self._held.people_place)
        try:
            document = asking.lead(people, key, now_ms(), at)
        except TooEarly as error:
            raise Malformed(str(error)) from error
        if document is None:
            self._held.require_read(self._held.people_place)
            raise Unknown(f"no lead {key}: nobody identified under this id, or a shared device")
        return as_json(document)

    async def leads(self, request: web.Request) -> web.Response:
        """Answer a page of leads."""
        page, people = question.page_of(request), self._held.people
        if people is None:
            return await self._peers.pass_on(request, self._held.people_place)
        return as_json(await self._page(people, page))

    async def page(self, page: Page) -> dict[str, Any]:
        """Return a page of leads, wherever the people are; raises `NotNow`."""
        people = self._held.people
        if people is not None:
            return await self._page(people, page)
        query = {"stage": page.stage, "route": page.route, "after": page.after or None, "limit": page.limit}
        given = {name: value for name, value in query.items() if value is not None}
        return await self._peers.read(self._held.people_place, f"/v1/leads?{urlencode(given)}")

    async def lead_of(self, request: web.Request) -> web.Response:
        """Tell another worker which lead an identity belongs to; its holder alone is asked."""
        node, people = question.visitor_of(request, self._held.phone_region), self._held.people
        if people is None:
            raise NotNow("this worker does not hold the people: ask again in a moment")
        return as_json({"lead": self._lead_here(people, node)})

    async def _lead_of(self, node: str) -> str | None:
        people = self._held.people
        if people is not None:
            return self._lead_here(people, node)
        path = f"/internal/lead-of/{quote(node, safe='')}"
        told: str | None = (await self._peers.read(self._held.people_place, path))["lead"]
        return told

    def _lead_here(self, people: People, node: str) -> str | None:
        lead = asking.lead_of(people, node)
        if lead is None:
            self._held.require_read(self._held.people_place)
        return lead

    # -- pages

    async def _page(self, people: People, page: Page) -> dict[str, Any]:
        self._held.require_read(self._held.people_place)
        leads: list[dict[str, Any]] = []
        async for id_ in self._matching(people, page):
            if len(leads) == page.limit:
                return {"leads": leads, "next": leads[-1]["id"]}
            document = asking.lead(people, id_, now_ms())
            if document is not None:
                leads.append(document)
            if len(leads) % DOCUMENTS == 0:
                await self._breathe(people)
        return {"leads": leads, "next": None}

    async def _matching(self, people: People, page: Page) -> AsyncIterator[str]:
        """Yield the ids of the leads asked for, in order."""
        ids = [id_ for id_ in await self._ids(people) if id_ > page.after]
        heapify(ids)
        looked = 0
        while ids:
            id_ = heappop(ids)
            person = asking.Copy(people).person(id_)
            if person is not None and person.id == id_ and person.identified and page.wants(person.stage, person.route):
                yield id_
            looked += 1
            if looked % PERSONS == 0:
                await self._breathe(people)

    async def _ids(self, people: People) -> list[str]:
        ids: list[str] = []
        for n, id_ in enumerate(people.rows.lead_ids()):
            ids.append(id_)
            if n % IDS == IDS - 1:
                await self._breathe(people)
        return ids

    async def _breathe(self, people: People) -> None:
        """Let the worker work; raises `NotNow` if the people left meanwhile."""
        await asyncio.sleep(0)
        if self._held.people is not people:
            raise NotNow("the people moved to another worker meanwhile: ask again in a moment")
