"""The collector asks a worker: what a worker says, and what somebody else does at its address."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from stream.collector import asking
from stream.collector.asking import Worker
from stream.settings import Settings
from stream.web.service import Web
from tests.unit.standing_worker import StandingWorker, buyer


@asynccontextmanager
async def asked(application: web.Application) -> AsyncIterator[Worker]:
    """Give who asks these pages."""
    async with TestServer(application) as server:
        worker = Worker(Settings(worker_url=f"http://127.0.0.1:{server.port}/"))
        yield worker
        await worker.close()


def pages(answer: Callable[[web.Request], Awaitable[web.Response]]) -> web.Application:
    application = web.Application()
    application.add_routes([web.get("/{path:.*}", answer)])
    return application


async def test_what_a_worker_knows_is_told_and_whom_it_does_not_know_is_nobody() -> None:
    async with asked(Web(StandingWorker(buyer())).application()) as worker:
        found = await worker.ask("/v1/visitors/anon%3A%3A9f2c")
        assert found is not None
        assert found["id"] == "anon::9f2c"
        assert await worker.ask("/v1/visitors/anon%3A%3Anobody") is None
        with pytest.raises(OSError, match="answers 404"):
            await worker.ask("/elsewhere")


@pytest.mark.parametrize("body", ["<html>", '{"error": "not found"}'])
async def test_somebody_elses_404_says_nothing_of_anybody(body: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=404, text=body)

    async with asked(pages(answer)) as worker:
        with pytest.raises(OSError, match=r"^http://127.0.0.1:\d+ answers 404$"):
            await worker.ask("/v1/visitors/anon%3A%3A9f2c")


async def test_why_nobody_answers_is_told_without_the_id_and_without_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "PATIENCE_S", 0.05)

    async def hang(_: web.Request) -> web.Response:
        await asyncio.sleep(1)
        return web.Response()

    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        writer.close()

    async def why(url: str) -> str:
        worker = Worker(Settings(worker_url=url))
        with pytest.raises(OSError) as refused:  # noqa: PT011 -- the text is looked at below
            await worker.ask("/v1/visitors/anon%3A%3A9f2c")
        await worker.close()
        return str(refused.value)

    port = unused_port()
    assert "Cannot connect to host 127.0.0.1" in await why(f"http://ada:secret@127.0.0.1:{port}")
    async with TestServer(pages(hang)) as server:
        assert await why(f"http://ada:secret@127.0.0.1:{server.port}") == (
            f"http://127.0.0.1:{server.port} does not answer in 0.05 s"
        )
    async with await asyncio.start_server(talk, "127.0.0.1", port):
        said = await why(f"http://ada:secret@127.0.0.1:{port}")
    assert said.startswith(f"http://127.0.0.1:{port}: ")
    assert "9f2c" not in said
    assert "secret" not in said
