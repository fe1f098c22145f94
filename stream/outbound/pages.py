"""What a webhook process answers: `/metrics`, signed in as at a worker, and `/health/live`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from stream.errors import UsageError
from stream.outbound.meter import Meter
from stream.settings import PREFIX, Settings, at
from stream.web import signin
from stream.web.answers import Refused

KIND = "text/plain; version=0.0.4; charset=utf-8"


def application(settings: Settings, meter: Meter) -> web.Application:
    """Return the pages."""

    async def metrics(request: web.Request) -> web.Response:
        try:
            signin.check(settings, request)
        except Refused as refused:
            return web.Response(status=refused.status, text=str(refused), headers=dict(refused.headers))
        return web.Response(body=meter.exposition(), headers={"Content-Type": KIND})

    async def live(_: web.Request) -> web.Response:
        return web.Response(text="OK")

    pages = web.Application()
    pages.add_routes([web.get("/metrics", metrics), web.get("/health/live", live)])
    return pages


@asynccontextmanager
async def answering(settings: Settings, meter: Meter) -> AsyncIterator[None]:
    """Answer on WEB_HOST:WEBHOOK_PORT, if that is set; raises UsageError where it is taken."""
    if not settings.webhook_port:
        yield
        return
    runner = web.AppRunner(application(settings, meter), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.web_host, settings.webhook_port).start()
    except OSError as error:
        await runner.cleanup()
        where = at(settings.web_host, settings.webhook_port)
        raise UsageError(f"{PREFIX}WEBHOOK_PORT, on WEB_HOST, is {where}: {error.strerror or error}: choose another") from error
    try:
        yield
    finally:
        await runner.cleanup()
