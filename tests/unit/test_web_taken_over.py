"""Right after a worker took over from another: what that one may have known is not unknown, and strangers are no workers."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer, unused_port
from faust.types import TP

from stream.domain.ids import lead_id
from stream.runtime.producer import partition_of
from stream.runtime.ticks import Progress
from stream.web.service import Web
from tests.unit.standing_worker import StandingWorker, buyer
from tests.unit.test_web_peers import EVERY_LOOKUP, get, serving, url

LEAD = lead_id("user::42")
PEOPLE = TP("people", 0)
Client = TestClient[Any, Any]


@pytest.fixture
def worker() -> StandingWorker:
    return StandingWorker(buyer())


@pytest.fixture
async def client(worker: StandingWorker) -> AsyncIterator[Client]:
    async with TestClient(TestServer(Web(worker).application())) as client:
        yield client


async def status(client: Client, path: str) -> int:
    async with client.get(path) as answer:
        assert (answer.headers.get("Retry-After") == "1") is (answer.status == 503)
        return answer.status


async def test_an_unknown_id_is_one_only_when_all_is_read_that_was_there(worker: StandingWorker, client: Client) -> None:
    events = TP("events", partition_of(b"anon::nobody", 4))
    for tp in (events, PEOPLE):
        worker.standing.progress[tp] = Progress(5, end=7)
    for path in ("/v1/visitors/anon::nobody", "/v1/leads/user::nobody", "/internal/lead-of/anon::nobody", "/v1/leads"):
        assert await status(client, path) == 503, path
    for path in ("/internal/export/people/user::nobody", "/internal/export/visitors/anon::nobody"):
        assert await status(client, path) == 503, path
    async with client.get("/v1/leads/user::nobody") as answer:
        assert "took over partition 0 of people and has 2 records to read of it" in (await answer.json())["error"]
    for tp in (events, PEOPLE):
        worker.standing.progress[tp].applied = 7
    assert await status(client, "/v1/visitors/anon::nobody") == 404
    assert await status(client, "/v1/leads/user::nobody") == 404
    assert await status(client, "/v1/leads") == 200


async def test_a_visitor_is_nobodys_only_when_all_people_are_read(worker: StandingWorker, client: Client) -> None:
    worker.standing.progress[PEOPLE] = Progress(5, end=7)
    assert await status(client, "/v1/visitors/anon::9f2c") == 200
    assert await status(client, "/v1/visitors/anon::stranger") == 503
    worker.standing.progress[PEOPLE].applied = 8
    assert await status(client, "/v1/visitors/anon::stranger") == 200


async def test_who_is_known_already_is_told(worker: StandingWorker, client: Client) -> None:
    worker.standing.progress = {tp: Progress(5, end=7) for tp in worker.standing.running}
    for path in ("/v1/visitors/anon::9f2c", f"/v1/leads/{LEAD}", "/v1/leads/user::42"):
        assert await status(client, path) == 200, path


@pytest.mark.parametrize("path", EVERY_LOOKUP)
@pytest.mark.parametrize("said", [200, 404])
async def test_what_else_listens_where_a_worker_was_says_nothing_about_ours(path: str, said: int) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"error": "no such page"}, status=said)

    port, other = unused_port(), unused_port()
    stranger = web.Application()
    stranger.router.add_get("/{anything:.*}", answer)
    runner = web.AppRunner(stranger)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", other).start()
    try:
        async with serving(port, {url(other): {"events": range(4), "people": [0]}}):
            told, document, _ = await get(port, path)
    finally:
        await runner.cleanup()
    assert told == 503
    assert "is no worker of leadstream" in document["error"]


async def test_another_installations_worker_is_none_of_ours() -> None:
    one, two = unused_port(), unused_port()
    assignment = {url(two): {"events": range(4), "people": [0]}}
    async with serving(one, assignment), serving(two, assignment, app="another"):
        assert (await get(one, f"/v1/leads/{LEAD}"))[0] == 503
        assert (await get(two, f"/v1/leads/{LEAD}"))[0] == 200
