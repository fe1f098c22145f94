"""The web service of a worker: starts and ends with the Faust app."""

import logging
from collections.abc import Awaitable, Callable, Iterable
from socket import socket
from typing import Any, cast

from aiohttp import web
from mode import Service
from mode.types import ServiceT

from stream.agents.leadstream import Leadstream
from stream.web import question, signin
from stream.web.accounts import Accounts
from stream.web.answers import APP, Refused, as_json
from stream.web.exporting import Exporting
from stream.web.held import Held
from stream.web.lagging import Lagging
from stream.web.lookups import Lookups
from stream.web.page import POLICY, SHOWN, render
from stream.web.peers import Assignor, Peers
from stream.web.question import Page
from stream.web.watching import Watching
from stream.web.words import Words

log = logging.getLogger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
GRACE_S = 2.0


class Web(Service):
    """Serves pages and API at sockets that listen."""

    def __init__(self, worker: Leadstream, sockets: Iterable[socket] = (), **kwargs: Any) -> None:
        settings = worker.settings
        self._settings, self._sockets = settings, sockets
        self._held = Held(worker)
        self._lagging = Lagging(settings)
        app = worker.flow.app
        self._peers = Peers(
            lambda: cast("Assignor", app.assignor), settings.member_url, settings.app, signin.credentials(settings)
        )  # fmt: skip
        self._lookups = Lookups(self._held, self._peers)
        self._accounts = Accounts(self._held, self._peers, settings.partitions)
        self._watching = Watching(worker, self._held, self._lagging)
        self._words = Words(self._held, self._peers)
        self._exporting = Exporting(self._held, self._peers)
        self._runner: web.AppRunner | None = None
        super().__init__(**kwargs)

    def on_init_dependencies(self) -> list[ServiceT]:
        """Measure the lag as long as we serve."""
        return [self._lagging]

    def application(self) -> web.Application:
        """Return what aiohttp serves."""
        application = web.Application(middlewares=[self._answer])
        parts = (self._lookups, self._accounts, self._watching, self._words, self._exporting)
        application.add_routes([web.get("/", self._page), *(route for part in parts for route in part.routes())])
        return application

    async def on_start(self) -> None:
        """Answer."""
        self._runner = web.AppRunner(self.application(), access_log=None, shutdown_timeout=GRACE_S)
        await self._runner.setup()
        for one in self._sockets:
            await web.SockSite(self._runner, one).start()

    async def on_stop(self) -> None:
        """Finish what is being answered."""
        if self._runner is not None:
            await self._runner.cleanup()
        await self._peers.close()

    @property
    def label(self) -> str:
        """What the log calls us."""
        return "Web"

    async def _page(self, request: web.Request) -> web.Response:
        page, trouble = None, None
        try:
            asked = question.page_of(request)
            page = await self._lookups.page(Page(asked.stage, asked.route, asked.after, SHOWN))
        except Refused as refused:
            trouble = str(refused)
        headers = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
        return web.Response(text=render(page, trouble), content_type="text/html", headers=headers)

    @property
    def _answer(self) -> Any:
        @web.middleware
        async def named(request: web.Request, handler: Handler) -> web.StreamResponse:
            response = await answer(request, handler)
            if request.match_info.http_exception is None:  # a 404 of no address of ours is not one of nobody
                response.headers[APP] = self._settings.app
            return response

        async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
            try:
                signin.check(self._settings, request)
                return await handler(request)
            except Refused as refused:
                return as_json({"error": str(refused)}, refused.status, refused.headers)
            except web.HTTPException as error:
                allowed = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
                return as_json({"error": f"{request.method} {request.path}: {error.reason}"}, error.status, allowed)
            except Exception:
                resource = request.match_info.route.resource  # not the path: there may be an e-mail in it
                log.exception("%s %s failed", request.method, "?" if resource is None else resource.canonical)
                return as_json({"error": "this worker met a bug: see its log"}, 500)

        return named
