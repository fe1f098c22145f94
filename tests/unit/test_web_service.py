"""The service itself: it listens, it stays polite to the worker's loop, and a bug of ours is not the end of it."""

import asyncio
import os
from typing import cast

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestClient, TestServer, unused_port
from aiohttp.web import AppRunner
from faust.types import TP

from stream.web import client, lookups, opening
from stream.web.answers import NotNow
from stream.web.opening import Opening
from stream.web.question import Page
from stream.web.service import Web
from tests.unit.standing_worker import StandingWorker, buyer
from tests.unit.test_lag import REPORT, StandingMeter
from tests.unit.test_web_peers import get, serving, url


@pytest.fixture(autouse=True)
def _no_kafka(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.web.lagging.LagMeter", StandingMeter)


async def test_it_serves_from_start_to_stop() -> None:
    port = unused_port()
    service = Opening(StandingWorker(buyer(), web_port=port))
    async with service:
        assert (await get(port, "/v1/leads"))[0] == 200
        assert [await cast("Web", web)._watching.report() for web in service._children] == [REPORT]
    with pytest.raises(OSError, match="Connect"):
        await get(port, "/v1/leads")


async def test_a_worker_on_an_ipv6_address_says_where_and_commands_find_it(caplog: pytest.LogCaptureFixture) -> None:
    port = unused_port()
    worker = StandingWorker(buyer(), web_host="::1", web_port=port)
    with caplog.at_level("INFO"):
        async with Opening(worker):
            assert "leads" in await asyncio.to_thread(client.get, worker.settings, "/v1/leads", None)
    assert f"pages and API at http://[::1]:{port}/" in caplog.text


async def test_who_asks_before_rows_are_here_is_answered_a_moment_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "LATEST_S", 0.3)
    port = unused_port()
    worker = StandingWorker(buyer(), web_port=port)
    worker.standing.ready = False
    async with Opening(worker):
        asked = asyncio.ensure_future(get(port, "/health/ready"))
        await asyncio.sleep(0.1)
        assert not asked.done()
        assert (await asked)[0] == 503


@pytest.mark.parametrize("looks", range(8))
async def test_it_can_end_at_any_moment_of_its_start(monkeypatch: pytest.MonkeyPatch, looks: int) -> None:
    begun = asyncio.Event()
    setup, started = AppRunner.setup, asyncio.Event()

    async def slow(self: AppRunner) -> None:
        begun.set()
        await started.wait()
        await setup(self)

    monkeypatch.setattr(AppRunner, "setup", slow)
    service = Opening(StandingWorker(web_port=unused_port()))
    await service.start()
    if looks:
        await begun.wait()
    ending = asyncio.ensure_future(service.stop())
    for _ in range(looks):
        await asyncio.sleep(0)
    started.set()
    await ending
    assert not service.crashed


async def test_a_port_that_is_taken_ends_the_worker_and_says_what_to_set(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    class Ended(BaseException):
        pass

    def end(code: int) -> None:
        raise Ended(code)

    monkeypatch.setattr(os, "_exit", end)
    port = unused_port()
    async with Opening(StandingWorker(web_port=port)):
        second = Opening(StandingWorker(web_port=port))
        with pytest.raises(Ended, match="2"):
            await second.on_start()
        await second.on_stop()
    assert f"pages cannot be served at 127.0.0.1:{port}" in (said := capfd.readouterr().err)
    assert "LEADSTREAM_WEB_PORT" in said


async def test_the_people_that_leave_while_a_page_is_read_leave_no_half_page(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IDS", "PERSONS", "DOCUMENTS"):
        monkeypatch.setattr(lookups, name, 1)
    worker = StandingWorker(buyer())
    web = Web(worker)
    async with TestClient(TestServer(web.application())) as client:
        async with client.get("/v1/leads") as answer:
            assert answer.status == 200, "with a breath between any two steps"
        page = asyncio.ensure_future(web._lookups.page(Page(None, None, "", 10)))
        await asyncio.sleep(0)  # it has begun
        worker.standing.running.discard(TP("people", 0))
        with pytest.raises(NotNow, match="moved to another worker"):
            await page


async def test_the_front_page_shows_leads_that_another_worker_holds() -> None:
    one, two = unused_port(), unused_port()
    assignment = {url(two): {"events": range(4), "people": [0]}}
    async with serving(one, assignment), serving(two, assignment), ClientSession() as session:
        async with session.get(f"{url(one)}/?stage=mql") as answer:
            text = await answer.text()
        assert text.count("/v1/leads/lead_") == 1
    async with serving(one, assignment), ClientSession() as session, session.get(url(one)) as answer:
        assert answer.status == 200
        assert "does not answer" in await answer.text()


async def test_the_front_page_without_leads_says_how_to_get_one() -> None:
    async with TestClient(TestServer(Web(StandingWorker()).application())) as client, client.get("/") as answer:
        assert "Nobody has identified yet" in await answer.text()


async def test_the_front_page_goes_on_where_it_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.web.service.SHOWN", 1)
    async with TestClient(TestServer(Web(StandingWorker(buyer())).application())) as client:
        async with client.get("/") as answer:
            text = await answer.text()
        after = text.partition('href="/?after=')[2].partition('"')[0]
        async with client.get(f"/?after={after}") as answer:
            assert after not in (await answer.text()).partition("<table>")[2].partition("</table>")[0]


async def test_a_bug_of_ours_is_told_and_the_next_request_is_answered(caplog: pytest.LogCaptureFixture) -> None:
    worker = StandingWorker(buyer())
    async with TestClient(TestServer(Web(worker).application())) as client:
        worker.visitors.table.open(0).stored[b"anon::9f2c"] = b"\x09damaged"
        async with client.get("/v1/visitors/anon::9f2c") as answer:
            assert answer.status == 500
            assert await answer.json() == {"error": "this worker met a bug: see its log"}
        assert "row of format 09" in caplog.text
        async with client.get("/v1/leads") as answer:
            assert answer.status == 200
