"""A canary goes the whole way and touches nobody."""

import asyncio
from typing import Any

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from click.testing import CliRunner

from schemas.event import decode, is_echo
from stream.cli.canary import _by_http
from stream.cli.canary import canary as command
from stream.collector.incoming import _basic_user
from stream.domain import canary
from stream.domain.log import Canary, Tick, encode
from stream.domain.log import decode as read
from stream.domain.people import People
from stream.domain.ruleset.load import load
from stream.errors import UnreachableError, UsageError
from stream.rulesets import default_text
from tests.unit.standing_worker import StandingWorker, line

RULES = load(default_text())


def test_its_event_is_an_ordinary_one_and_an_echo() -> None:
    event = canary.event_of("7")
    raw: Any = decode(orjson.dumps(event))
    assert is_echo(raw)
    assert raw.anonymous_id == "leadstream-canary-7"


def test_it_is_known_by_its_identity() -> None:
    assert canary.seen(canary.node_of("7")) == Canary("anon::leadstream-canary-7")
    assert canary.seen("anon::9f2c") is None
    assert canary.seen("") is None, "an echo without a key"


def test_the_fold_passes_it_on_and_changes_nothing() -> None:
    people = People({}, 1, "leadstream", RULES)
    people.apply(0, encode(Tick(0, 5)))
    people.cut()
    told = encode(Canary(canary.node_of("7")))
    people.apply(1, told)
    (out,) = people.out
    assert (out.topic, out.key, out.value) == ("wakes", b"anon::leadstream-canary-7", told)
    assert read(told) == Canary("anon::leadstream-canary-7")
    assert people.next == 2
    assert len(people.cut()) == 1, "the log's own row"


def test_no_visitor_and_no_lead_is_made_of_it() -> None:
    worker = StandingWorker([line(0, **canary.event_of("7"))])
    assert worker.simulation.rows == {}
    assert not worker.fold.leads.timers
    assert worker.fold.out == []


def test_a_write_key_that_no_tracker_could_send_is_told_before_anything_is_asked() -> None:
    error = CliRunner().invoke(command, ["--collector", "http://127.0.0.1:8080", "--write-key", "a:b"]).exception
    assert isinstance(error, UsageError)
    assert "--write-key 'a:b' cannot be sent" in str(error)


@pytest.mark.parametrize(
    "url", ["foo", "127.0.0.1:8080", "ftp://c.example", "http://", "http://[::1", "http://c.example:99999", "http://u:p@c"]
)
def test_what_is_no_address_is_wrong_usage_before_anything_is_asked(url: str) -> None:
    error = CliRunner().invoke(command, ["--collector", url]).exception
    assert isinstance(error, UsageError), error
    assert f"--collector {url!r} is no address of a collector" in str(error)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1:1", "Connection refused"),
        ("http://nowhere.invalid", r"\w[\w ,]+"),  # as this machine's resolver says it
    ],
)
async def test_nobody_at_the_address_is_told_in_words(url: str, why: str) -> None:
    with pytest.raises(UnreachableError, match=rf"^no collector answers at {url} \({why}\): start it, or say where it is$"):
        await _by_http(url, "k")


async def test_a_collector_that_says_nothing_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.cli.canary.PATIENCE_S", 0.05)

    async def never(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    app = web.Application()
    app.add_routes([web.post("/v1/track", never)])
    async with TestServer(app) as server:
        with pytest.raises(UnreachableError, match=r"\(nothing came within 0\.05 s\)"):
            await _by_http(str(server.make_url("/")), "k")


async def test_a_write_key_arrives_as_the_collector_reads_it() -> None:
    keys: list[str | None] = []

    async def take(request: web.Request) -> web.Response:
        keys.append(_basic_user(request.headers["Authorization"].encode()))
        return web.json_response({})

    app = web.Application()
    app.add_routes([web.post("/v1/track", take)])
    async with TestServer(app) as server:
        await _by_http(str(server.make_url("/")), "schlüssel-€")
    assert keys == ["schlüssel-€"]


@pytest.mark.parametrize(
    ("status", "way_on"),
    [(401, "give the write key that it knows"), (503, "come again"), (404, "is this the collector's address\\?")],
)
async def test_a_refusal_names_the_way_on(status: int, way_on: str) -> None:
    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=status, text="no")

    app = web.Application()
    app.add_routes([web.post("/v1/track", refuse)])
    async with TestServer(app) as server:
        with pytest.raises(UsageError, match=rf"answers {status} 'no': {way_on}$"):
            await _by_http(str(server.make_url("/")), "k")
