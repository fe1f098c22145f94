"""No question makes a worker's pages meet a bug: each is answered, or refused in words."""

import asyncio
from collections.abc import AsyncIterator
from itertools import product
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from stream.web.service import Web
from tests.unit.standing_worker import StandingWorker, buyer

IDS = (
    "email::buyer@acme.example", "anon::9f2c", "user::42", "lead_0687587883fab020", "account::acme.example", "account:name:x",
    "a:b:c", "::", "user::", "user::\ud800", "user::\x00", "user::../..", "user::%2F", "phone:de:030", "lead_", "x" * 2000,
    "user::a\nb",
)  # fmt: skip
INSTANTS = (
    "now", "2026-11-02T10:00:00Z", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999Z",
    "2026-13-01T00:00:00Z", "2026-11-02T10:00:00." + "9" * 400 + "Z", "1969-12-31T23:59:59.999Z", "",
)  # fmt: skip
VALUES = (
    "", "0", "1", "1000", "1001", "-1", "1e3", "٣", "²", "9" * 5000, "x", "lead_0687587883fab020", "mql", "\ud800", "\x00", "%",
    "1700000000000~82.5~account::acme.example", "999999999999999~1~account::a", "1~nan~account::a", "1~1e999~account::\ud800",
)  # fmt: skip
OF_SOMEBODY = (
    *("/v1/visitors/", "/v1/leads/", "/v1/accounts/", "/nowhere/"),
    *("/internal/lead-of/", "/internal/words/", "/internal/export/people/", "/internal/export/visitors/"),
)
OF_MANY = ("/", "/v1/leads", "/v1/accounts", "/internal/accounts/0", "/internal/accounts/99999999999", "/metrics")
Client = TestClient[Any, Any]


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with TestClient(TestServer(Web(StandingWorker(buyer())).application())) as connected:
        yield connected


async def answer(client: Client, path: str, **query: str) -> int:
    asked = "&".join(f"{name}={in_address(value)}" for name, value in query.items())
    async with client.get(URL(f"{path}?{asked}", encoded=True)) as answered:
        await answered.read()
        return answered.status


def in_address(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


@pytest.mark.parametrize("path", OF_SOMEBODY)
async def test_no_id_and_no_instant_meets_a_bug(client: Client, path: str) -> None:
    for id_, at in product(IDS, INSTANTS):
        assert await answer(client, path + in_address(id_), at=at) != 500, (id_, at)


@pytest.mark.parametrize("path", [path for path in OF_SOMEBODY if path not in {"/nowhere/", "/internal/words/"}])
async def test_an_id_with_a_line_break_is_an_id(client: Client, path: str) -> None:
    async with client.get(URL(f"{path}user::a%0Ab", encoded=True)) as answered:
        assert "Not Found" not in await answered.text()  # the router's word


@pytest.mark.parametrize(
    ("request_line", "host", "status"),
    [(b"GET /v1/leads", b"\xff", 403), (b"GET /v1/leads", b"127.0.0.1", 200), (b"GET /v1/leads/anon::\xff", b"127.0.0.1", 400)],
)
async def test_bytes_that_are_no_text_meet_no_bug(client: Client, request_line: bytes, host: bytes, status: int) -> None:
    read, write = await asyncio.open_connection(client.host, client.port)
    write.write(request_line + b" HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n")
    told = await read.read()
    write.close()
    assert int(told.split()[1]) == status


@pytest.mark.parametrize("path", OF_MANY)
async def test_no_place_and_no_number_meets_a_bug(client: Client, path: str) -> None:
    for name, value in product(("after", "limit", "now", "stage", "route"), VALUES):
        assert await answer(client, path, **{name: value}) != 500, (name, value)
