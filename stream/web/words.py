"""What was decided about an operator's word: answered from here, or by the worker that holds the people."""

from aiohttp import web

from stream.domain import words
from stream.web.answers import Unknown
from stream.web.held import Held
from stream.web.peers import Peers


class Words:
    """The handler of `/internal/words/…`."""

    def __init__(self, held: Held, peers: Peers) -> None:
        self._held, self._peers = held, peers

    def routes(self) -> list[web.RouteDef]:
        """Return the addresses answered."""
        return [web.get("/internal/words/{word}", self.word)]

    async def word(self, request: web.Request) -> web.Response:
        """Answer what was decided about a word; 404 as long as nothing is."""
        word, people = request.match_info["word"], self._held.people
        if people is None:
            return await self._peers.pass_on(request, self._held.people_place)
        told = words.told(people.log, word)
        if told is None:
            raise Unknown(f"nothing is decided about the word {word!r} (yet)")
        return web.Response(text=told, content_type="application/json")
