"""Accounts and the list of the hottest: answered from here, or by the workers that hold them."""

import asyncio
from dataclasses import dataclass
from heapq import nsmallest
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from aiohttp import web
from faust.types import TP

from stream.domain.accounts import document as documents
from stream.domain.accounts.hotlist import Place, ranked
from stream.domain.documents import TooEarly
from stream.web import question
from stream.web.answers import Malformed, NotNow, Unknown, as_json
from stream.web.held import Held, now_ms
from stream.web.peers import Peers

if TYPE_CHECKING:
    from stream.domain.accounts.fold import Accounts as Fold

LOOKED = 200
"""Accounts looked at between two breaths of the loop."""
DOCUMENTS = 5
"""Documents made between two."""


@dataclass(frozen=True, slots=True)
class Hot:
    """Which accounts: those behind `after` that are in `stage` (None: any), at most `limit`."""

    stage: str | None
    after: Place
    limit: int

    @classmethod
    def asked(cls, request: web.Request) -> "Hot":
        """Return what a request asks for; raises `Malformed`."""
        after, now = request.query.get("after", ""), request.query.get("now") or str(now_ms())
        place = Place.read(after) if after else Place.before_all(now)
        if place is None:
            raise Malformed(
                f"after {after!r} is no place in the list: take it from `next`" if after else f"now {now!r} is no instant"
            )
        return cls(request.query.get("stage") or None, place, question.limit_of(request))

    @property
    def query(self) -> str:
        """The same question to another worker."""
        place = self.after
        given = {"stage": self.stage, "limit": self.limit, "now": place.now}
        if place.id:
            given["after"] = place.write()
        return urlencode({name: value for name, value in given.items() if value is not None})


class Accounts:
    """The handlers of `/v1/accounts…`."""

    def __init__(self, held: Held, peers: Peers, partitions: int) -> None:
        self._held, self._peers, self._partitions = held, peers, partitions

    def routes(self) -> list[web.RouteDef]:
        """Return the addresses answered."""
        return [
            web.get(f"/v1/accounts/{question.ID}", self.account),
            web.get("/v1/accounts", self.hot),
            web.get("/internal/accounts/{partition:[0-9]{1,9}}", self.hot_here),
        ]

    async def account(self, request: web.Request) -> web.Response:
        """Answer an account."""
        id_, at = _id(request), question.at_of(request)
        place = self._held.account_place(id_)
        fold = self._held.accounts(place)
        if fold is None:
            return await self._peers.pass_on(request, place)
        try:
            document = documents.account(fold, id_, now_ms(), at)
        except TooEarly as error:
            raise Malformed(str(error)) from error
        if document is None:
            self._held.require_read(place)
            raise Unknown(f"no account {id_}: nobody was seen there whom the ruleset lets name it ([accounts])")
        return as_json(document)

    async def hot(self, request: web.Request) -> web.Response:
        """Answer a page of accounts, highest score first."""
        asked = Hot.asked(request)
        parts = await asyncio.gather(*(self._part(partition, asked) for partition in range(self._partitions)))
        found = nsmallest(asked.limit + 1, (each for part in parts for each in part), key=lambda each: each[0].order)
        shown = found[: asked.limit]
        more = len(found) > asked.limit
        return as_json({"accounts": [document for _, document in shown], "next": shown[-1][0].write() if more else None})

    async def hot_here(self, request: web.Request) -> web.Response:
        """Answer another worker what stands first in one partition; its holder alone is asked."""
        place = self._held.accounts_place(int(request.match_info["partition"]))
        fold = self._held.accounts(place)
        if fold is None:
            raise NotNow("this worker does not hold that partition: ask again in a moment")
        found = await self._first(fold, place, Hot.asked(request))
        return as_json({"accounts": [[each.write(), document] for each, document in found]})

    async def _part(self, partition: int, asked: Hot) -> list[tuple[Place, dict[str, Any]]]:
        place = self._held.accounts_place(partition)
        fold = self._held.accounts(place)
        if fold is not None:
            return await self._first(fold, place, asked)
        told = await self._peers.read(place, f"/internal/accounts/{partition}?{asked.query}")
        return [(each, document) for text, document in told["accounts"] if (each := Place.read(text)) is not None]

    async def _first(self, fold: "Fold", tp: TP, asked: Hot) -> list[tuple[Place, dict[str, Any]]]:
        """Return what stands first in a partition that is here; one more than asked for tells that there is more."""
        self._held.require_read(tp)
        places = []
        for number, place in enumerate(ranked(fold, asked.stage, asked.after), 1):
            if place is not None:
                places.append(place)
            if number % LOOKED == 0:
                await self._breathe(fold, tp)
        found = []
        for number, place in enumerate(nsmallest(asked.limit + 1, places, key=lambda each: each.order), 1):
            document = documents.account(fold, place.id, asked.after.now)
            if document is not None:
                found.append((place, document))
            if number % DOCUMENTS == 0:
                await self._breathe(fold, tp)
        return found

    async def _breathe(self, fold: "Fold", tp: TP) -> None:
        """Let the worker work; raises `NotNow` if the partition left meanwhile."""
        await asyncio.sleep(0)
        if self._held.accounts(tp) is not fold:
            raise NotNow("accounts moved to another worker meanwhile: ask again in a moment")


def _id(request: web.Request) -> str:
    try:
        return documents.named(request.match_info["id"])
    except ValueError as error:
        raise Malformed(str(error)) from error
