"""A request that comes in one piece is answered as any other: the same bytes out, the same records into Kafka."""

import asyncio
import gzip
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from stream.collector.limits import LIMITS
from stream.collector.request import Refused
from stream.collector.whole import WAITING
from stream.settings import Settings
from tests.unit.collecting import Collecting, Line, Outbox

KEYS = """
[keys.web]
origins = ["https://www.example.com"]
types = ["page", "identify"]
secret = "0123456789abcdef"
[keys.slow]
rate = 1
burst = 1
"""
AT_S = 1_795_341_600.5
AGENT = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}
PAGE: dict[str, Any] = {
    "type": "page",
    "anonymousId": "9f2c",
    "messageId": "m1",
    "timestamp": "2026-11-22T10:00:00.000Z",
    "context": {"library": {"name": "analytics.js"}},
}


def written(path: str, body: Any, headers: dict[str, str], method: str = "POST", version: str = "1.1") -> bytes:
    packed = body if isinstance(body, bytes) else orjson.dumps(body)
    told = {"host": "collect.example", **headers, "content-length": str(len(packed))}
    lines = "".join(f"{name.title()}: {value}\r\n" for name, value in told.items())
    return f"{method} {path} HTTP/{version}\r\n{lines}\r\n".encode("latin-1") + packed


def by(key: str) -> dict[str, str]:
    return {"authorization": "Basic " + b64encode(f"{key}:".encode()).decode()}


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Collecting, Collecting]:
    monkeypatch.setattr("stream.collector.app.time.time", lambda: AT_S)
    path = tmp_path / "keys.toml"
    path.write_text(KEYS)
    return Collecting(Settings(write_keys=path)), Collecting(Settings(write_keys=path))


REQUESTS: dict[str, tuple[str, Any, dict[str, str]]] = {
    "page": ("/v1/page", PAGE, by("web") | AGENT),
    "nothing-but-an-id": ("/v1/p", {"anonymousId": "9f2c"}, by("web")),
    "key-in-the-query": ("/v1/page?writeKey=web", PAGE, AGENT),
    "key-in-the-body": ("/v1/batch", {"writeKey": "web", "batch": [PAGE, PAGE | {"messageId": "m2"}]}, AGENT),
    "a-mixed-batch": ("/v1/batch", {"batch": [PAGE, 7, PAGE | {"type": "track", "event": "E"}, {"type": "page"}]}, by("web")),
    "a-site": ("/v1/page", PAGE, by("web") | {"origin": "https://www.example.com"}),
    "another-site": ("/v1/page", PAGE, by("web") | {"origin": "https://evil.example"}),
    "no-key": ("/v1/page", PAGE, {}),
    "who-says-no": ("/v1/page", PAGE, by("web") | {"sec-gpc": "1"}),
    "too-many-arguments": ("/v1/page?" + "&" * 1_000, PAGE, {}),
    "no-json": ("/v1/batch", b"{", by("web")),
    "no-events": ("/v1/batch", {"batch": []}, by("web")),
    "too-many-events": ("/v1/batch", {"batch": [{}] * 2_501}, by("web")),
    "too-many-headers": ("/v1/page", PAGE, by("web") | {f"x-{number}": "" for number in range(100)}),
    "gzip": ("/v1/page", gzip.compress(orjson.dumps(PAGE)), by("web") | {"content-encoding": "gzip"}),
    "gzip-untold": ("/v1/page", gzip.compress(orjson.dumps(PAGE)), by("web")),
    "nothing-there": ("/v1/nothing", PAGE, by("web")),
    "odd-path": ("/v1/page/", PAGE, by("web")),
    "snowplow": ("/com.snowplowanalytics.snowplow/tp2", {"data": [{"e": "pv", "duid": "9f2c", "aid": "web"}]}, {}),
    "beacon": ("/beacon/v1/batch", {"batch": [PAGE]}, by("web") | {"content-type": "text/plain"}),
}


@pytest.mark.parametrize("name", REQUESTS)
async def test_it_is_answered_and_stored_as_any_other(pair: tuple[Collecting, Collecting], name: str) -> None:
    one, other = pair
    path, body, headers = REQUESTS[name]
    whole = await Line(one).hear(written(path, body, headers))
    start, _, told = whole.partition(b"\r\n\r\n")
    expected = await other.post(path, body, **headers)
    assert int(start.split()[1]) == expected.status
    lines = [line.split(b": ", 1) for line in start.split(b"\r\n")[1:]]
    assert {key.decode(): value.decode() for key, value in lines} == expected.headers
    assert told == expected.body
    assert one.outbox.records == other.outbox.records
    assert one.gate.watching.exposition() == other.gate.watching.exposition()


async def test_only_what_is_whole_and_usual_is_taken_so(
    pair: tuple[Collecting, Collecting], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = pair
    begun: list[bytes] = []
    begin = one.app.begin

    def noted(target: bytes, headers: Any, peer: str | None, body: bytes) -> Any:
        begun.append(target)
        return begin(target, headers, peer, body)

    monkeypatch.setattr(one.app, "begin", noted)
    said = written("/v1/page", PAGE, by("web"))
    for pieces in ([said[:-5], said[-5:]], [said[:20], said[20:60], said[60:]]):
        assert (await Line(one).hear(*pieces)).startswith(b"HTTP/1.1 200")
    for odd in (
        written("/v1/page", PAGE, by("web") | {"connection": "keep-alive"}, version="1.0"),
        written("/v1/page", PAGE, by("web") | {"connection": "close"}),
        written("/v1/personalise", b"", by("web"), method="GET"),
    ):
        line = Line(one)
        assert (b"connection: close" in await line.hear(odd)) == (not odd.startswith(b"GET"))
    assert begun == [b"/v1/page"], "that of three pieces: its body came in one"
    assert len(one.events) == 4


@pytest.mark.parametrize("cut", [None, -9, 60], ids=["whole", "in-the-trailer", "in-the-head"])
async def test_what_comes_behind_the_body_is_no_header(pair: tuple[Collecting, Collecting], cut: int | None) -> None:
    body = orjson.dumps(PAGE)
    head = b"POST /v1/page HTTP/1.1\r\nHost: c\r\nTransfer-Encoding: chunked\r\nTrailer: X-Write-Key\r\n\r\n"
    said = head + b"%x\r\n%b\r\n0\r\nX-Write-Key: web\r\n\r\n" % (len(body), body)
    pieces = [said] if cut is None else [said[:cut], said[cut:]]
    assert (await Line(pair[0]).hear(*pieces)).startswith(b"HTTP/1.1 401 ")
    proper = said.replace(b"Trailer: X-Write-Key", b"X-Write-Key: web")
    assert (await Line(pair[0]).hear(proper)).startswith(b"HTTP/1.1 200 ")


async def test_requests_one_behind_the_other_are_answered_in_order(pair: tuple[Collecting, Collecting]) -> None:
    one, _ = pair
    one.outbox = Waiting()
    one.__post_init__()
    line = Line(one)
    said = written("/v1/page", PAGE, by("web")) + written("/v1/nothing", {}, {}) + written("/v1/page", PAGE, by("no"))
    line.protocol.data_received(said)
    await asyncio.sleep(0)
    assert line.said == b"", "the second and third wait for the first"
    one.outbox.done.set_result(None)
    await line.hear(answers=3)
    assert [int(part[:3]) for part in line.said.split(b"HTTP/1.1 ")[1:]] == [200, 404, 401]


class Waiting(Outbox):
    """Kafka that takes its time."""

    def send(self, records: Any) -> "asyncio.Future[None]":
        self.records += records
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        return self.done


def waiting(pair: tuple[Collecting, Collecting]) -> tuple[Line, Waiting]:
    """Return a connection whose request waits for Kafka."""
    one, _ = pair
    one.outbox = outbox = Waiting()
    one.__post_init__()
    line = Line(one)
    line.protocol.data_received(written("/v1/page", PAGE, by("web")))
    return line, outbox


async def test_the_answer_waits_for_kafka_and_is_503_where_it_refuses(pair: tuple[Collecting, Collecting]) -> None:
    for outcome, status in ((None, 200), (Refused(503, "kafka", "not stored", 2), 503)):
        line, outbox = waiting(pair)
        await asyncio.sleep(0)
        assert line.said == b""
        if outcome is None:
            outbox.done.set_result(None)
        else:
            outbox.done.set_exception(outcome)
        assert (await line.hear()).startswith(b"HTTP/1.1 %d " % status)
        assert not line.closed


async def test_the_last_answer_before_an_end_says_so_and_closes(pair: tuple[Collecting, Collecting]) -> None:
    line, outbox = waiting(pair)
    line.protocol.shutdown()
    assert not line.closed, "it is not answered yet"
    outbox.done.set_result(None)
    assert b"\r\nconnection: close\r\n" in await line.hear()
    assert line.closed


async def test_who_went_away_is_not_answered_and_nothing_breaks(pair: tuple[Collecting, Collecting]) -> None:
    line, outbox = waiting(pair)
    line.closed = True
    line.protocol.connection_lost(ConnectionResetError())
    outbox.done.set_exception(Refused(503, "kafka", "not stored", 2))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert line.said == b""


async def test_a_fault_of_ours_is_a_500_and_ends_the_connection(
    pair: tuple[Collecting, Collecting], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    one, _ = pair
    for name in ("_collect", "_head"):
        with monkeypatch.context() as broken:
            broken.setattr(one.app, name, lambda *_: 1 / 0)
            line = Line(one)
            assert (await line.hear(written("/v1/page", PAGE, by("web")))).startswith(b"HTTP/1.1 500 ")
            assert line.closed
    assert caplog.text.count("ZeroDivisionError") == 2


async def test_who_asks_nothing_more_is_found_idle(pair: tuple[Collecting, Collecting]) -> None:
    line = Line(pair[0])
    later = line.protocol.loop.time() + line.protocol.timeout_keep_alive + 1
    await line.hear(written("/v1/page", PAGE, by("web")))
    assert not line.protocol.is_idle(later - 2)
    assert line.protocol.is_idle(later + 1)
    line.protocol.data_received(b"POST")
    assert not line.protocol.is_idle(later + 1), "it is in the middle of a request; that is another limit's business"


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for knows nothing of us
            await asyncio.sleep(0)


async def test_nothing_more_is_read_while_requests_wait_for_their_turn(pair: tuple[Collecting, Collecting]) -> None:
    line, outbox = waiting(pair)
    for _ in range(3):
        line.protocol.data_received(written("/v1/page", PAGE, by("web")))
    for turn in (2, 3, 4):
        outbox.done.set_result(None)
        await until(lambda turn=turn: len(outbox.records) == turn)  # type: ignore[misc]
        assert line.is_reading == (turn == 4)
    outbox.done.set_result(None)
    await line.hear(answers=4)
    assert line.is_reading


async def test_of_requests_that_wait_for_their_turn_there_are_only_so_many_and_then_an_end(
    pair: tuple[Collecting, Collecting],
) -> None:
    line, outbox = waiting(pair)
    line.protocol.data_received(written("/v1/nothing", {}, {}) * 1_000)
    assert len(line.protocol.pipeline) == WAITING
    assert line.said == b""
    outbox.done.set_result(None)
    await until(lambda: line.closed)
    answers = line.said.split(b"HTTP/1.1 ")[1:]
    assert [int(answer[:3]) for answer in answers] == [200] + [404] * WAITING
    assert [b"connection: close" in answer for answer in answers] == [False] * WAITING + [True]


async def test_what_is_no_http_does_not_take_the_answer_of_the_request_before_it(pair: tuple[Collecting, Collecting]) -> None:
    line, outbox = waiting(pair)
    line.protocol.data_received(b"nonsense\r\n\r\n")
    assert not line.is_reading
    assert line.said == b""
    outbox.done.set_result(None)
    assert (await line.hear()).startswith(b"HTTP/1.1 200 ")
    assert line.said.count(b"HTTP/1.1 ") == 1
    assert line.closed


async def test_a_body_that_breaks_off_behind_a_request_that_waits_is_answered_by_an_end(
    pair: tuple[Collecting, Collecting],
) -> None:
    line, _ = waiting(pair)
    line.protocol.data_received(b"POST /v1/page HTTP/1.1\r\nHost: c\r\nTransfer-Encoding: chunked\r\n\r\nno length\r\n")
    assert line.closed
    assert line.said == b""


async def test_answers_that_nobody_reads_do_not_pile_up(pair: tuple[Collecting, Collecting]) -> None:
    line = Line(pair[0])
    line.protocol.pause_writing()
    for _ in range(20):
        line.protocol.data_received(written("/v1/page", PAGE, {}))
    await asyncio.sleep(0)
    assert line.said == b""
    assert not line.is_reading
    now = line.protocol.loop.time()
    assert not line.protocol.is_unread(now + LIMITS.body_s - 1)
    assert line.protocol.is_unread(now + LIMITS.body_s + 1)
    line.protocol.resume_writing()
    assert not line.protocol.is_unread(now + LIMITS.body_s + 1)
    assert (await line.hear(answers=20)).count(b"HTTP/1.1 401 ") == 20


async def test_who_is_cut_off_before_its_answers_are_written_is_written_none(pair: tuple[Collecting, Collecting]) -> None:
    line = Line(pair[0])
    line.protocol.pause_writing()
    line.protocol.data_received(written("/v1/nothing", {}, {}) * 3)
    await asyncio.sleep(0)
    line.protocol.connection_lost(None)
    for _ in range(10):
        await asyncio.sleep(0)
    assert line.said == b""
    assert not line.state.tasks


async def test_a_trailer_without_end_is_a_head_without_end(pair: tuple[Collecting, Collecting]) -> None:
    head = b"POST /v1/page HTTP/1.1\r\nHost: c\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = b"%x\r\n%b\r\n" % (70_000, b" " * 70_000)
    line = Line(pair[0])
    for piece in (head, body, body, b"0\r\nX: ", b"x" * 40_000):
        line.protocol.data_received(piece)
    assert not line.closed, "the body is no trailer"
    line.protocol.data_received(b"x" * 40_000)
    assert line.said.startswith(b"HTTP/1.1 431 ")
    assert line.closed


@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
async def test_who_is_answered_before_its_body_is_here_is_found_idle_too(
    pair: tuple[Collecting, Collecting], method: str
) -> None:
    line = Line(pair[0])
    said = written("/v1/nothing", b"x", {}, method)
    await line.hear(said[:-1])
    line.protocol.data_received(said[-1:])
    assert line.protocol.is_idle(line.protocol.loop.time() + line.protocol.timeout_keep_alive + 1)


H2C = {"connection": "Upgrade, HTTP2-Settings", "upgrade": "h2c", "http2-settings": "AAMAAABkAAQAoAAAAAIAAAAA"}


@pytest.mark.parametrize("cut", [None, 30, 200, -40, -len(orjson.dumps(PAGE))])
async def test_who_asks_for_http_2_is_answered_by_http_1_as_any_other(
    pair: tuple[Collecting, Collecting], cut: int | None
) -> None:
    one, other = pair
    said = written("/v1/page", PAGE, by("web") | H2C)
    line = Line(one)
    whole = await line.hear(*([said] if cut is None else [said[:cut], said[cut:]]))
    assert whole == await Line(other).hear(written("/v1/page", PAGE, by("web")))
    assert one.outbox.records == other.outbox.records
    await line.hear(said + written("/v1/page", PAGE, by("web")), answers=3)
    assert line.said.count(b"HTTP/1.1 200 ") == 3
    assert not line.closed


async def test_who_asks_for_a_tunnel_is_refused(pair: tuple[Collecting, Collecting]) -> None:
    line = Line(pair[0])
    assert (await line.hear(b"CONNECT inside:443 HTTP/1.1\r\nHost: inside\r\n\r\n")).startswith(b"HTTP/1.1 400 ")
    assert line.closed


@pytest.mark.parametrize("cut", [None, -5], ids=["whole", "in-two"])
@pytest.mark.parametrize("address", ["http://collect.example:99999/v1/page", "http://collect.example"])
async def test_an_address_that_is_none_is_refused(pair: tuple[Collecting, Collecting], address: str, cut: int | None) -> None:
    said = written(address, PAGE, by("web"))
    line = Line(pair[0])
    assert (await line.hear(*([said] if cut is None else [said[:cut]]))).startswith(b"HTTP/1.1 400 ")
    assert line.closed
