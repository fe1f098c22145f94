"""The other workers: the group's assignment says who holds a partition, and its holder is asked."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp
import orjson
from aiohttp import web
from faust.types import TP
from yarl import URL

from stream.settings import PREFIX
from stream.web.answers import APP, NotNow

HOP = "leadstream-hop"
"""Set when one worker asks another: it is answered or refused, never passed on."""
PATIENCE = aiohttp.ClientTimeout(total=10, connect=2)

Distribution = Mapping[str, Mapping[str, Iterable[int]]]


class Assignor(Protocol):
    """Faust's assignor: every member learns the whole assignment."""

    def external_topics_metadata(self) -> Distribution:
        """Return the partitions of each topic by the URL of the worker they were given to."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What another worker answered."""

    status: int
    body: bytes
    headers: Mapping[str, str]


class Peers:
    """Finds and asks the other workers of the group.

    Args:
        assignor: gives the assignment as of now.
        own: this worker's own URL in it.
        app: the installation.
        credentials: the headers that sign in.
    """

    def __init__(self, assignor: Callable[[], Assignor], own: str, app: str, credentials: Mapping[str, str]) -> None:
        self._assignor, self._own, self._app = assignor, own, app
        self._headers = {**credentials, HOP: "1"}
        self._session: aiohttp.ClientSession | None = None

    def holder(self, tp: TP) -> str:
        """Return the URL of the worker a partition was given to; raises `NotNow` where that is nobody, or this one."""
        for url, topics in self._assignor().external_topics_metadata().items():
            if tp.partition in topics.get(tp.topic, ()):
                if url != self._own:
                    return url
                raise NotNow(f"this worker is reading what is known about {_what(tp)}: ask again in a moment")
        raise NotNow(f"no worker holds {_what(tp)}: the group is being assigned anew, ask again in a moment")

    async def ask(self, tp: TP, path: str) -> Reply:
        """Ask the holder of a partition (`path`: encoded, with its query); raises `NotNow`."""
        url = self.holder(tp)
        try:
            async with self._client().get(URL(url + path, encoded=True), headers=self._headers) as answer:
                reply = Reply(answer.status, await answer.read(), answer.headers)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise NotNow(f"the worker at {url}, which holds {_what(tp)}, does not answer: ask again in a moment") from error
        if reply.status in {401, 403}:
            raise NotNow(f"the worker at {url} refuses this one: give all workers the same {PREFIX}WEB_TOKEN")
        if reply.headers.get(APP) != self._app:
            raise NotNow(f"what answers at {url}, which held {_what(tp)}, is no worker of {self._app}: ask again in a moment")
        return reply

    async def pass_on(self, request: web.Request, tp: TP) -> web.Response:
        """Answer what the holder of a partition does; raises `NotNow`, also to another worker that asks."""
        if HOP in request.headers:
            raise NotNow(f"this worker does not hold {_what(tp)} (any more): ask again in a moment")
        reply = await self.ask(tp, request.rel_url.raw_path_qs)
        headers = {name: reply.headers[name] for name in ("Retry-After",) if name in reply.headers}
        return web.Response(status=reply.status, body=reply.body, content_type="application/json", headers=headers)

    async def read(self, tp: TP, path: str) -> dict[str, Any]:
        """Return a document of the holder of a partition, as `ask` does; raises `NotNow`, also where it has none now."""
        reply = await self.ask(tp, path)
        document: dict[str, Any] = orjson.loads(reply.body)
        if reply.status != 200:
            raise NotNow(document["error"])
        return document

    async def close(self) -> None:
        """Hang up."""
        if self._session is not None:
            await self._session.close()

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=PATIENCE, auto_decompress=False)
        return self._session


def _what(tp: TP) -> str:
    return f"partition {tp.partition} of {tp.topic}"
