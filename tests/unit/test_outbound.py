"""Webhooks: how they are signed, where they may go, and what an answer means."""

import asyncio
import base64
import hmac
from collections.abc import Awaitable, Callable
from contextlib import suppress
from hashlib import sha256

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from stream.outbound import signing
from stream.outbound.posting import Fact, Failed, Poster, parse_id, parse_kind, retry_after_s
from stream.outbound.target import Forbidden, Guard, GuardedResolver

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()


# --- signing


def test_a_signature_is_what_standard_webhooks_says() -> None:
    """The example of the specification's reference libraries: any of them verifies ours."""
    secret = signing.read_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signing.headers([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_while_a_secret_is_replaced_both_sign() -> None:
    told = signing.headers([KEY, KEY[::-1]], "id", 5, b"{}")["webhook-signature"].split(" ")
    assert told == [f"v1,{signing.signature(key, 'id', 5, b'{}')}" for key in (KEY, KEY[::-1])]


@pytest.mark.parametrize(
    "text", ["", "secret", "whsec_", "whsec_!!!", "whsec_" + base64.b64encode(b"short").decode(), SECRET[6:]]
)
def test_a_secret_that_is_none_is_refused_without_being_told(text: str) -> None:
    with pytest.raises(ValueError, match="a secret is whsec_") as error:
        signing.read_secret(text)
    assert not text or len(text) < 8 or text not in str(error.value)


# --- where


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "::1",
        "10.1.2.3",
        "192.168.0.1",
        "172.16.0.1",
        "169.254.169.254",  # a cloud's metadata
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "fe80::1%eth0",
        "fd00::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",  # 10.0.0.1 behind NAT64
        "2002:7f00:1::",  # 127.0.0.1 by 6to4
        "::ffff:0:10.0.0.1",  # translated, RFC 2765
        "::10.0.0.1",  # compatible, RFC 4291
        "fec0::1",  # site-local
        "::",
        "no address",
    ],
)
def test_no_webhook_goes_where_only_this_machine_can(address: str) -> None:
    assert not Guard().allows(address)
    assert not Guard(["198.51.100.0/24"]).allows(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_a_webhook_goes_to_public_addresses(address: str) -> None:
    assert Guard().allows(address)


def test_a_private_network_has_to_be_named() -> None:
    guard = Guard(["10.1.0.0/16", "fd00::/8"])
    assert guard.allows("10.1.2.3")
    assert guard.allows("fd00::1")
    assert not guard.allows("10.2.2.3")
    assert str(guard.check("http://10.1.2.3/hook")) == "http://10.1.2.3/hook"


@pytest.mark.parametrize(
    "url",
    [
        "ftp://crm.example/",
        "crm.example",
        "https://",
        "https://user:pass@crm.example/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://169.254.169.254/latest",
        "http://crm.example/",
        "http://8.8.8.8/",
        "file:///etc/passwd",
    ],
)
def test_an_address_that_can_never_be_good_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(ValueError, match=r"give an|no password|no public|https is needed"):
        Guard().check(url)


async def test_a_name_that_points_inside_is_found_out_when_it_is_called() -> None:
    resolver = GuardedResolver(Guard())
    with pytest.raises(Forbidden, match="localhost is at"):
        await resolver.resolve("localhost", 443)
    allowed = GuardedResolver(Guard(["127.0.0.0/8"]), named_only=True)
    assert [each["host"] for each in await allowed.resolve("localhost", 80)] == ["127.0.0.1"]


# --- posting


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def posted(handler: Handler) -> Failed | None:
    application = web.Application()
    application.router.add_post("/hook", handler)
    application.router.add_post("/elsewhere", handler)
    async with TestServer(application) as server:
        guard = Guard(["127.0.0.0/8"])
        url = guard.check(f"http://127.0.0.1:{server.port}/hook")
        async with Poster(url, [KEY], guard, clock=lambda: 1000.5) as poster:
            return await poster.post(Fact("lead_1-0000000001", "application/cloudevents+json", b'{"a":1}'))


async def test_a_receiver_can_verify_what_it_gets() -> None:
    async def verify(request: web.Request) -> web.Response:
        body = await request.read()
        signed = hmac.new(KEY, b"lead_1-0000000001.1000." + body, sha256).digest()
        assert request.headers["webhook-signature"] == "v1," + base64.b64encode(signed).decode()
        assert (request.headers["webhook-id"], request.content_type) == ("lead_1-0000000001", "application/cloudevents+json")
        return web.Response(status=204)

    assert await posted(verify) is None


@pytest.mark.parametrize(
    ("status", "headers", "failed"),
    [
        (500, {}, Failed("answered 500")),
        (404, {}, Failed("answered 404")),
        (429, {"Retry-After": "7"}, Failed("answered 429", 7.0)),
        (503, {"Retry-After": "Thu, 01 Jan 1970 00:17:00 GMT"}, Failed("answered 503", 19.5)),
        (410, {}, Failed("answered 410", gone=True)),
        (500, {"Retry-After": "86400"}, Failed("answered 500")),
        (404, {"Retry-After": "0"}, Failed("answered 404")),
        (301, {"Retry-After": "7", "Location": "/elsewhere"}, Failed("answered 301")),
        (307, {"Location": "/elsewhere"}, Failed("answered 307")),  # is not followed
    ],
)
async def test_any_answer_but_2xx_is_a_failure(status: int, headers: dict[str, str], failed: Failed) -> None:
    async def answer(request: web.Request) -> web.Response:
        assert request.path == "/hook"
        return web.Response(status=status, headers=headers)

    assert await posted(answer) == failed


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        pytest.param(b"200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok", None, id="badly packed"),
        pytest.param(b"200 OK\r\nContent-Length: 10\r\n\r\nok", None, id="cut short"),
        pytest.param(b"202 OK\r\nTransfer-Encoding: chunked\r\n\r\n", None, id="stalled"),
        pytest.param(b"200 OK\r\nContent-Length: 10\r\n\r\n", None, id="stalled before its first byte"),
        pytest.param(b"500 no\r\nContent-Length: 10\r\n\r\n", Failed("answered 500"), id="a stalled failure"),
        pytest.param(b"200 OK\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\nok", None, id="packed as nobody unpacks here"),
        pytest.param(b"200 OK\r\nContent-Encoding: zstd\r\nContent-Length: 2\r\n\r\nok", None, id="packed by zstd"),
        pytest.param(b"204 No Content\r\nContent-Length: 2\r\n\r\nok", None, id="a body where none may be"),
        pytest.param(b"200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nok", None, id="a chunk without a size"),
        pytest.param(b"200 OK\r\nX-Long: " + b"a" * 9_000 + b"\r\nContent-Length: 2\r\n\r\nok", None, id="a long header"),
        pytest.param(b"200 OK\r\nX-Long: " + b"a" * 99_000 + b"\r\nContent-Length: 2\r\n\r\nok", None, id="one without end"),
        pytest.param(b"200 OK\r\n" + b"X-Many: y\r\n" * 300 + b"Content-Length: 2\r\n\r\nok", None, id="many headers"),
        pytest.param(b"201\r\nX Bad: y\r\nContent-Length: 2\r\n\r\nok", None, id="a header that is none"),
        pytest.param(b"502 no\r\nX Bad: y\r\n\r\nok", Failed("answered 502"), id="a failure with one"),
        pytest.param(b"410 no\r\nX Bad: y\r\n\r\nok", Failed("answered 410", gone=True), id="gone with one"),
    ],
)
async def test_what_stands_behind_the_status_changes_nothing(
    answer: bytes, failed: Failed | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.outbound.posting.TIMEOUT_S", 2.0)
    monkeypatch.setattr("stream.outbound.posting.DRAIN_S", 0.05)
    heard = asyncio.Event()

    async def receive(read: asyncio.StreamReader, write: asyncio.StreamWriter) -> None:
        await read.readuntil(b'{"a":1}')
        write.write(b"HTTP/1.1 " + answer)
        if b"ok" not in answer:
            await heard.wait()
        write.close()

    server = await asyncio.start_server(receive, "127.0.0.1", 0)
    guard = Guard(["127.0.0.0/8"])
    url = guard.check(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook")
    async with server, Poster(url, [KEY], guard) as poster:
        assert await poster.post(Fact("a", "application/json", b'{"a":1}')) == failed
        heard.set()


async def answered_in_turn(*answers: bytes) -> tuple[list[Failed | None], int]:
    """Post once for each answer; return what came of it, and how many connections were made."""
    left, connections = list(answers), 0

    async def receive(read: asyncio.StreamReader, write: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        with suppress(asyncio.IncompleteReadError):
            while left:
                await read.readuntil(b'{"a":1}')
                write.write(left.pop(0))
        write.close()

    server = await asyncio.start_server(receive, "127.0.0.1", 0)
    guard = Guard(["127.0.0.0/8"])
    url = guard.check(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook")
    async with server, Poster(url, [KEY], guard) as poster:
        return [await poster.post(Fact("a", "application/json", b'{"a":1}')) for _ in answers], connections


async def test_what_is_no_http_is_a_failure_also_on_a_connection_that_had_an_answer() -> None:
    good = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    told, _ = await answered_in_turn(good, b"HTTP/1.1 2xx fine\r\n\r\n", b"220 mail.example ESMTP\r\n")
    assert told[0] is None
    assert [failed and (failed.status, "Bad status line" in failed.why) for failed in told[1:]] == [(None, True)] * 2


async def test_a_connection_goes_on_after_an_answer_that_nobody_here_can_unpack_or_with_a_long_header() -> None:
    packed = b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\nok"
    long = b"HTTP/1.1 200 OK\r\nContent-Security-Policy: " + b"a" * 20_000 + b"\r\nContent-Length: 0\r\n\r\n"
    assert await answered_in_turn(packed, long, packed) == ([None] * 3, 1)


@pytest.mark.parametrize(
    "told", ["", "soon", "-1", "9" * 400, "Thu, 01 Jan 99999999999999 00:00:00 GMT", "1 Jan 0 99999999999:0:0"]
)
def test_a_retry_after_that_cannot_be_read_says_nothing(told: str) -> None:
    assert retry_after_s(told, 0.0) is None


async def test_a_receiver_that_is_not_there_is_a_failure() -> None:
    guard = Guard(["127.0.0.0/8"])
    async with Poster(guard.check("http://127.0.0.1:1/hook"), [KEY], guard) as poster:
        failed = await poster.post(Fact("a", "application/json", b"{}"))
    assert failed is not None
    assert "127.0.0.1:1" in failed.why


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"<h1>Nothing at /hook/T0KEN</h1>\r\n\r\n", id="no HTTP"),
        pytest.param(b"HTTP/1.1 /hook/T0KEN\r\n\r\n", id="no status"),
        pytest.param(b"HTTP/1.1 404 /hook/T0KEN\r\nContent-Length: 0\r\n\r\n", id="a status with a reason"),
        pytest.param(b"HTTP/1.1 404 no\r\n/hook/T0KEN\r\n\r\n", id="a header that is none"),
        pytest.param(b"HTTP/1.1 200 OK\r\nLocation: /hook/T0KEN\r\n", id="cut short"),
        pytest.param(b"", id="closed"),
    ],
)
async def test_a_failure_names_nothing_of_the_address_but_its_host(answer: bytes) -> None:
    async def receive(read: asyncio.StreamReader, write: asyncio.StreamWriter) -> None:
        assert b"POST /hook/T0KEN?key=T0KEN" in await read.readuntil(b'{"a":1}')
        write.write(answer)
        write.close()

    guard = Guard(["127.0.0.0/8"])
    server = await asyncio.start_server(receive, "127.0.0.1", 0)
    url = guard.check(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook/T0KEN?key=T0KEN")
    async with Poster(url, [KEY], guard) as poster:
        async with server:
            failed = await poster.post(Fact("a", "application/json", b'{"a":1}'))
        refused = await poster.post(Fact("a", "application/json", b'{"a":1}'))
    for each in (failed, refused):
        assert each is not None
        assert each.why
        assert "T0KEN" not in each.why


@pytest.mark.parametrize(
    ("body", "id_"),
    [
        (b'{"id":"lead_1-2"}', "lead_1-2"),
        (b"rubbish", "back"),
        (b"[]", "back"),
        (b'{"id":5}', "back"),
        (b'{"id":"a\\r\\nb"}', "back"),
    ],
)
def test_a_webhook_has_the_events_id_so_that_a_repeat_is_known(body: bytes, id_: str) -> None:
    assert parse_id(body, "back") == id_


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        (b"application/cloudevents+json", "application/cloudevents+json"),
        (b"application/json; charset=utf-8", "application/json; charset=utf-8"),
        (None, "usual"),
        (b"", "usual"),
        (b"a/b\r\nx: y", "usual"),
        (b"a\x00b", "usual"),
        ("é".encode(), "usual"),
    ],
)
def test_a_content_type_that_no_header_may_bear_is_the_usual_one(told: bytes | None, kind: str) -> None:
    assert parse_kind(told, "usual") == kind
