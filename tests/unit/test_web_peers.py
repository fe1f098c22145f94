"""Any worker answers for any key: it asks whoever holds it, and never says "unknown" for what it cannot know."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import unused_port

from stream.domain.ids import lead_id
from stream.runtime.producer import partition_of
from stream.web.peers import HOP
from stream.web.service import Web
from tests.unit.standing_worker import StandingWorker, buyer

LEAD = lead_id("user::42")
PARTITION = partition_of(b"anon::9f2c", 4)
OTHERS = [n for n in range(4) if n != PARTITION]
Assignment = Mapping[str, Mapping[str, Iterable[int]]]
EVERY_LOOKUP = ["/v1/visitors/anon::9f2c", f"/v1/leads/{LEAD}", "/v1/leads/anon::9f2c", "/v1/leads"]


def url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


@asynccontextmanager
async def serving(port: int, assignment: Assignment, **options: Any) -> AsyncIterator[StandingWorker]:
    """Run a worker's pages where the assignment says they are."""
    worker = StandingWorker(buyer(), assignment, web_port=port, **options)
    pages = Web(worker)
    runner = web.AppRunner(pages.application())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield worker
    finally:
        await runner.cleanup()
        await pages.on_stop()


async def get(port: int, path: str, **headers: str) -> tuple[int, dict[str, Any], Mapping[str, str]]:
    async with ClientSession() as session, session.get(url(port) + path, headers=headers) as answer:
        return answer.status, await answer.json(), answer.headers


@pytest.mark.parametrize("people_at", [0, 1, 2], ids=["people here", "people with the row", "people elsewhere"])
async def test_every_worker_answers_the_same_for_every_key(people_at: int) -> None:
    ports = [unused_port() for _ in range(3)]
    assignment: dict[str, dict[str, list[int]]] = {url(ports[0]): {"events": OTHERS}, url(ports[1]): {"events": [PARTITION]}}
    assignment.setdefault(url(ports[people_at]), {})["people"] = [0]
    async with serving(ports[0], assignment), serving(ports[1], assignment), serving(ports[2], assignment):
        for path in ("/v1/visitors/anon::9f2c?at=2027-01-01T00:00:00Z", f"/v1/leads/{LEAD}?at=2027-01-01T00:00:00Z"):
            answers = [await get(port, path) for port in ports]
            assert [status for status, _, _ in answers] == [200] * 3
            assert answers[0][1] == answers[1][1] == answers[2][1]
        visitors = [await get(port, "/v1/visitors/anon::9f2c") for port in ports]
        assert {document["lead"] for _, document, _ in visitors} == {LEAD}
        pages = [await get(port, "/v1/leads?limit=2") for port in ports]
        assert len({str([lead["id"] for lead in document["leads"]]) for _, document, _ in pages}) == 1
        unknown = [await get(port, "/v1/visitors/anon::nobody") for port in ports]
        assert [status for status, _, _ in unknown] == [404] * 3
        early = [await get(port, "/v1/leads/user::42?at=2020-01-01T00:00:00Z") for port in ports]
        assert [status for status, _, _ in early] == [400] * 3


@pytest.mark.parametrize("path", EVERY_LOOKUP)
async def test_a_question_in_absolute_form_as_for_a_proxy_is_passed_on_too(path: str) -> None:
    port, holder = unused_port(), unused_port()
    assignment = {url(holder): {"events": range(4), "people": [0]}}
    async with serving(port, assignment), serving(holder, assignment):
        read, write = await asyncio.open_connection("127.0.0.1", port)
        write.write(f"GET {url(port)}{path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
        assert (await read.readline()).split()[1] == b"200"
        write.close()


@pytest.mark.parametrize("path", EVERY_LOOKUP)
async def test_a_worker_whose_address_is_none_is_one_that_does_not_answer(path: str) -> None:
    port = unused_port()
    async with serving(port, {"http://worker:99999": {"events": range(4), "people": [0]}}):
        status, document, _ = await get(port, path)
    assert status == 503
    assert "does not answer" in document["error"]


@pytest.mark.parametrize("path", EVERY_LOOKUP)
async def test_a_holder_that_is_gone_is_not_an_unknown_id(path: str) -> None:
    port, gone = unused_port(), unused_port()
    assignment = {url(gone): {"events": range(4), "people": [0]}}
    async with serving(port, assignment):
        status, document, headers = await get(port, path)
    assert (status, headers["Retry-After"]) == (503, "1")
    assert url(gone) in document["error"]
    assert "does not answer" in document["error"]


@pytest.mark.parametrize("path", EVERY_LOOKUP)
async def test_rows_that_are_being_restored_are_not_an_unknown_id(path: str) -> None:
    port, restoring = unused_port(), unused_port()
    assignment = {url(restoring): {"events": range(4), "people": [0]}}
    async with serving(port, assignment), serving(restoring, assignment, holds=()):
        for asked in (port, restoring):
            status, document, headers = await get(asked, path)
            assert (status, headers["Retry-After"]) == (503, "1")
            assert "ask again" in document["error"]


@pytest.mark.parametrize("path", EVERY_LOOKUP)
async def test_nobody_holds_it_between_two_assignments(path: str) -> None:
    port = unused_port()
    async with serving(port, {}):
        status, document, _ = await get(port, path)
    assert status == 503
    assert "assigned anew" in document["error"]


@pytest.mark.parametrize("path", EVERY_LOOKUP)
async def test_two_workers_that_disagree_do_not_send_each_other_round_in_circles(path: str) -> None:
    one, two = unused_port(), unused_port()
    everything = {"events": range(4), "people": [0]}
    async with serving(one, {url(two): everything}), serving(two, {url(one): everything}):
        status, document, _ = await get(one, path)
    assert status == 503
    assert "does not hold" in document["error"]


@pytest.mark.parametrize("path", [*EVERY_LOOKUP, "/internal/lead-of/anon::9f2c"])
async def test_a_frozen_worker_that_wakes_up_says_nothing_about_what_it_held(path: str) -> None:
    port = unused_port()
    async with serving(port, {url(port): {"events": range(4), "people": [0]}}) as worker:
        worker.standing.alive = False
        status, _, _ = await get(port, path)
    assert status == 503


async def test_a_visitor_is_not_told_without_its_lead() -> None:
    port, gone = unused_port(), unused_port()
    async with serving(port, {url(port): {"events": range(4)}, url(gone): {"people": [0]}}):
        status, _, _ = await get(port, "/v1/visitors/anon::9f2c")
    assert status == 503


@pytest.mark.parametrize("path", ["/v1/visitors/anon::9f2c", "/"])
async def test_what_the_holder_of_the_people_cannot_tell_now_is_not_told(path: str) -> None:
    port, restoring = unused_port(), unused_port()
    assignment: Assignment = {url(port): {"events": range(4)}, url(restoring): {"people": [0]}}
    async with (
        serving(port, assignment), serving(restoring, assignment, holds=()),
        ClientSession() as session, session.get(url(port) + path) as answer,
    ):  # fmt: skip
        assert answer.status == (200 if path == "/" else 503)  # the page says it in its text
        assert "ask again in a moment" in await answer.text()


@pytest.mark.parametrize("settings", [{"web_token": "s3cret"}, {"web_proxy_header": "X-User"}])
async def test_workers_sign_in_to_each_other(settings: dict[str, str]) -> None:
    one, two = unused_port(), unused_port()
    assignment = {url(two): {"events": range(4), "people": [0]}}
    signed = {"Authorization": "Bearer s3cret"} if "web_token" in settings else {"X-User": "ada"}
    async with serving(one, assignment, **settings), serving(two, assignment, **settings):
        assert (await get(one, "/v1/leads"))[0] == 401
        for path in EVERY_LOOKUP:
            assert (await get(one, path, **signed))[0] == 200


async def test_workers_with_different_tokens_say_so() -> None:
    one, two = unused_port(), unused_port()
    assignment = {url(two): {"events": range(4), "people": [0]}}
    async with serving(one, assignment, web_token="a"), serving(two, assignment, web_token="b"):
        status, document, _ = await get(one, "/v1/leads", Authorization="Bearer a")
    assert status == 503
    assert "same LEADSTREAM_WEB_TOKEN" in document["error"]


async def test_a_question_that_was_passed_on_is_not_passed_on_again() -> None:
    one, two = unused_port(), unused_port()
    assignment = {url(two): {"events": range(4), "people": [0]}}
    async with serving(one, assignment), serving(two, assignment):
        assert (await get(one, "/v1/leads"))[0] == 200
        assert (await get(one, "/v1/leads", **{HOP: "1"}))[0] == 503
