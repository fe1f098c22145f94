"""The server under the collector: who is slow or too long is cut off, whoever is good is answered, and an end drains."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from stream.collector import server as under_test
from stream.collector.limits import LIMITS
from stream.collector.peers import Peers
from stream.collector.server import listen, make_server, sweep
from stream.errors import UsageError

GOOD = b"GET / HTTP/1.1\r\nHost: c\r\n\r\n"


class Running:
    """A server with an application that answers when it is let."""

    def __init__(self) -> None:
        self.let = asyncio.Event()
        self.let.set()
        self.entered = 0
        self.answer = b"OK"
        self.server = make_server(self.app)
        self.listening = listen("127.0.0.1", 0)
        self.port: int = self.listening.getsockname()[1]

    async def app(self, _: Any, receive: Any, send: Any) -> None:
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            more = message.get("more_body", False)
        self.entered += 1
        await self.let.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(self.answer))]})
        await send({"type": "http.response.body", "body": self.answer})

    async def open(self, said: bytes, local: str = "127.0.0.1") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(local, 0))
        writer.write(said)
        return reader, writer


@pytest.fixture
async def running(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    quick = replace(LIMITS, head_s=0.3, body_s=0.6, header_bytes=1_000, path_bytes=1_000, connections=20, connections_of_one=5)
    monkeypatch.setattr(under_test, "LIMITS", quick)
    monkeypatch.setattr(under_test, "SWEEP_S", 0.05)
    one = Running()
    tasks = [asyncio.create_task(one.server.serve(sockets=[one.listening])), asyncio.create_task(sweep(one.server))]
    yield one
    one.let.set()
    one.server.end()
    await tasks[0]
    tasks[1].cancel()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for knows nothing of us
            await asyncio.sleep(0.01)


async def status_of(reader: asyncio.StreamReader) -> int:
    line = await asyncio.wait_for(reader.readline(), 10)
    return int(line.split()[1]) if line else 0


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"", 408),
        (b"GET / HT", 408),
        (b"\r\n", 408),
        (b"GET / HTTP/1.1\r\nHost: c\r\nX-Slow: ", 408),
        (b"POST / HTTP/1.1\r\nHost: c\r\nContent-Length: 10\r\n\r\n{", 408),
        (b"GET / HTTP/1.1\r\nHost: c\r\nX-Long: " + b"x" * 3_000, 431),
        (b"GET /" + b"x" * 3_000, 431),
        (b"nonsense\r\n\r\n", 400),
    ],
    ids=["silent", "request-line", "empty-lines", "headers", "body", "long-header", "long-path", "no-http"],
)
async def test_a_request_that_does_not_come_in_is_cut_off_and_others_are_answered(
    running: Running, said: bytes, status: int
) -> None:
    reader, writer = await running.open(said)
    good, other = await running.open(GOOD)
    assert await status_of(good) == 200
    assert await status_of(reader) == status
    assert await asyncio.wait_for(reader.read(), 10) is not None, "and the connection is closed"
    writer.close()
    other.close()


async def test_a_slow_second_request_on_a_kept_connection_is_cut_off_too(running: Running) -> None:
    reader, writer = await running.open(GOOD)
    assert await status_of(reader) == 200
    await reader.readuntil(b"OK")
    writer.write(b"\r\n\r\n")
    assert await status_of(reader) == 408
    writer.close()


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (b"HEAD / HTTP/1.1\r\nHost: c\r\n\r\n", b"content-length: 2\r\n\r\n"),
        (b"HEAD / HTTP/1.1\r\nHost: c\r\nConnection: close\r\n\r\n", b"connection: close\r\n\r\n"),
        (GOOD, b"content-length: 2\r\n\r\nOK"),
        (b"POST / HTTP/1.1\r\nHost: c\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["head", "last-head", "body", "continue"],
)
async def test_no_answer_is_kept_back(running: Running, said: bytes, answer: bytes) -> None:
    reader, writer = await running.open(said)
    assert await asyncio.wait_for(reader.readuntil(answer), 10)
    writer.close()


async def test_a_request_that_waits_for_kafka_is_not_late(running: Running) -> None:
    running.let.clear()
    reader, writer = await running.open(GOOD)
    await until(lambda: running.entered == 1)
    idle, also = await running.open(b"")
    assert await status_of(idle) == 408, "so long the other has waited as well"
    running.let.set()
    assert await status_of(reader) == 200
    writer.close()
    also.close()


@pytest.mark.parametrize("said", [GOOD, GOOD[:-2] + b"Connection: close\r\n\r\n"], ids=["kept", "closing"])
async def test_who_does_not_read_an_answer_is_cut_off(running: Running, said: bytes) -> None:
    running.answer = bytes(32 * 1024 * 1024)
    _, writer = await running.open(said)
    await until(lambda: running.entered == 1)
    await until(lambda: not running.server.server_state.connections)
    writer.close()


async def test_more_connections_than_allowed_are_turned_away(running: Running) -> None:
    running.let.clear()
    held = [await running.open(GOOD) for _ in range(20)]
    await until(lambda: running.entered == 20)
    reader, writer = await running.open(GOOD)
    assert await status_of(reader) == 503
    running.let.set()
    assert [await status_of(one) for one, _ in held] == [200] * 20
    for connection in (writer, *(one for _, one in held)):
        connection.close()


async def test_an_address_holds_no_more_than_its_share_and_others_come_in(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running.server.config, "peers", Peers(spared=lambda address: address == "127.0.0.2"))
    running.let.clear()
    held = [await running.open(GOOD) for _ in range(5)]
    await until(lambda: running.entered == 5)
    reader, writer = await running.open(GOOD)
    assert await status_of(reader) == 503
    proxys = [await running.open(GOOD, local="127.0.0.2") for _ in range(7)]
    await until(lambda: running.entered == 12)
    running.let.set()
    for one, connection in (*held, *proxys):
        assert await status_of(one) == 200
        connection.close()
    writer.close()
    await until(lambda: not running.server.server_state.connections)
    again, writer = await running.open(GOOD)
    assert await status_of(again) == 200, "whoever closes makes room"
    writer.close()


async def test_sigterm_ends_it_when_what_came_in_is_answered(running: Running) -> None:
    running.let.clear()
    reader, writer = await running.open(GOOD)
    await until(lambda: running.entered == 1)
    os.kill(os.getpid(), signal.SIGTERM)
    await until(lambda: running.server.should_exit)
    running.let.set()
    assert await status_of(reader) == 200
    writer.close()


def test_a_port_that_is_taken_is_one_line() -> None:
    with listen("127.0.0.1", 0) as taken, pytest.raises(UsageError, match="choose another port"):
        listen("127.0.0.1", taken.getsockname()[1])
