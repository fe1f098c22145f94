"""The demo looks at the worker's pages as far as they answer."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from stream.cli import pages
from stream.cli.pages import Pages, busiest
from stream.settings import Settings

VISITORS: dict[str, Any] = {
    "anon::acme": {"id": "anon::acme", "bot": False, "company": {"name": "Acme", "kind": "business"}},
    "anon::other": {"id": "anon::other", "bot": False, "company": {"name": "Other", "kind": "business"}},
    "anon::isp": {"id": "anon::isp", "bot": False, "company": {"kind": "isp"}},
    "anon::robot": {"id": "anon::robot", "bot": True, "company": {"name": "Robots", "kind": "business"}},
    "anon::nobody": {"id": "anon::nobody", "bot": False, "company": None},
}


@pytest.fixture
async def asked() -> list[str]:
    return []


@pytest.fixture
async def server(asked: list[str]) -> AsyncIterator[TestServer]:
    async def visitor(request: web.Request) -> web.Response:
        asked.append(request.headers.get("Authorization", ""))
        found = VISITORS.get(request.match_info["id"])
        return web.json_response(found or {"error": "unknown"}, status=200 if found else 404)

    async def ready(_: web.Request) -> web.Response:
        asked.append("ready")
        return web.json_response({}, status=503 if len(asked) < 3 else 200)

    app = web.Application()
    app.add_routes([web.get("/v1/visitors/{id}", visitor), web.get("/health/ready", ready)])
    running = TestServer(app)
    async with running:
        yield running


def settings(server: TestServer, **more: Any) -> Settings:
    return Settings(web_host="127.0.0.1", web_port=server.port or 0, **more)


async def test_visitors_of_businesses_are_found(server: TestServer) -> None:
    async with Pages(settings(server)) as opened:
        devices = ["gone", "isp", "robot", "nobody", "acme", "acme", "other"]
        assert await opened.of_companies(devices, 1) == [VISITORS["anon::acme"]]
        assert await opened.of_companies(devices, 9) == [VISITORS["anon::acme"], VISITORS["anon::other"]]


async def test_a_token_is_sent_where_there_is_one(server: TestServer, asked: list[str]) -> None:
    async with Pages(settings(server, web_token="t")) as opened:
        await opened.of_companies(["acme"], 1)

    assert asked == ["Bearer t"]


async def test_it_waits_until_the_worker_is_ready(server: TestServer, asked: list[str]) -> None:
    async with Pages(settings(server)) as opened:
        await opened.ready()

    assert asked == ["ready"] * 3


async def test_a_worker_without_pages_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "READY_S", 0.0)
    async with Pages(Settings(web_port=1)) as opened:
        await opened.ready()
        assert await opened.of_companies(["acme"], 1) == []


def test_devices_are_told_busiest_first() -> None:
    events: list[dict[str, Any]] = [{"anonymousId": "a"}, {"anonymousId": "b"}, {"anonymousId": "b"}, {}, {"anonymousId": 7}]

    assert busiest(events) == ["b", "a"]
