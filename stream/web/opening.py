"""A worker's pages and API listen at once, and answer when its first records are read: aiohttp takes a sixth of a start."""

import asyncio
import logging
import socket
import time
from importlib import import_module
from typing import Any

from mode import Service

from stream.agents.leadstream import Leadstream
from stream.runtime.fatal import Misfit, die
from stream.settings import PREFIX, at

log = logging.getLogger(__name__)
LOOK_S, FIRST_S = 0.05, 0.25
"""How often it looks whether rows are here, and how long it leaves the processor to the first records then."""
LATEST_S = 1.0
"""So long after the start they answer even if rows are still read: whoever asks is told how far that is."""


class Opening(Service):
    """Opens WEB_HOST:WEB_PORT; put it among `app.leadstream.services`. Who connects too early waits in the socket's queue."""

    def __init__(self, worker: Leadstream, **kwargs: Any) -> None:
        self._worker, self._sockets, self._began = worker, list[socket.socket](), time.monotonic()
        self._half_open = asyncio.Lock()
        super().__init__(**kwargs)

    async def on_start(self) -> None:
        """Listen, or end the worker where the port is taken."""
        host, port = self._worker.settings.web_host, self._worker.settings.web_port
        try:
            self._sockets = await _listening(host, port)
        except OSError as error:
            reason = error.strerror or error
            die(Misfit(f"pages cannot be served at {at(host, port)}: {reason}: set {PREFIX}WEB_HOST and {PREFIX}WEB_PORT"))
        log.info("pages and API at %s/", self._worker.settings.web_url)

    @Service.task
    async def _answer(self) -> None:
        while not self._worker.ready and time.monotonic() - self._began < LATEST_S:
            await self.sleep(LOOK_S)
        if self._worker.ready:
            await self.sleep(FIRST_S)
        service = await asyncio.to_thread(import_module, "stream.web.service")
        async with self._half_open:
            if not self.should_stop:
                await self.add_runtime_dependency(service.Web(self._worker, self._sockets))

    async def on_stop(self) -> None:
        """Let what begins to answer begin: it can be ended then."""
        async with self._half_open:
            pass

    async def on_shutdown(self) -> None:
        """Listen no more."""
        for one in self._sockets:
            one.close()

    @property
    def label(self) -> str:
        """What the log calls us."""
        return "Pages"


async def _listening(host: str, port: int) -> list[socket.socket]:
    """Return a socket for each address of a host; raises `OSError`."""
    loop, found = asyncio.get_running_loop(), list[socket.socket]()
    try:
        for family, _, _, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE):
            found.append(socket.create_server(address[:2], family=family, backlog=128))
    except OSError:
        for one in found:
            one.close()
        raise
    return found
