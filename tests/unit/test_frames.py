"""Answers of Kafka come out of a connection as they were sent, in whatever pieces."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from stream.runtime.frames import KEPT_BYTES, SPARE_BYTES, Frame, Frames


def sizes(seed: int) -> list[int]:
    """Return sizes around those at which the buffer is made larger, moved and made smaller."""
    chance = random.Random(seed)  # noqa: S311 - a test repeats itself
    edges = (1, 4, SPARE_BYTES, 2 * SPARE_BYTES, 3 * SPARE_BYTES, 1 << 20)
    return [max(0, chance.choice(edges) + chance.randrange(-5, 6)) for _ in range(25)]


@asynccontextmanager
async def connection() -> AsyncIterator[tuple[asyncio.StreamReader, Frames]]:
    reader, closed = asyncio.StreamReader(), asyncio.get_running_loop().create_future()
    protocol = Frames(closed, reader, loop=asyncio.get_running_loop())
    yield reader, protocol
    closed.cancel()


def receive(protocol: Frames, data: bytes) -> int:
    """Give the protocol as much as it takes, as a loop does; return how much."""
    into = protocol.get_buffer(-1)
    taken = min(len(into), len(data))
    into[:taken] = data[:taken]
    protocol.buffer_updated(taken)
    return taken


async def answers(reader: Any, count: int) -> list[bytes]:
    found = []
    for _ in range(count):
        size = int.from_bytes(await reader.readexactly(4), "big")
        found.append(bytes(await reader.readexactly(size)))
    return found


@pytest.mark.parametrize("seed", range(6))
async def test_answers_come_as_they_were_sent_in_whatever_pieces(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a test repeats itself
    sent = [chance.randbytes(size) for size in sizes(seed)]
    data = b"".join(len(one).to_bytes(4, "big") + one for one in sent)
    async with connection() as (reader, protocol):
        read = asyncio.ensure_future(answers(reader, len(sent)))
        while data:
            data = data[receive(protocol, data[: chance.choice((1, 7, 1000, SPARE_BYTES, 1 << 19))]) :]
            if chance.random() < 0.5:
                await asyncio.sleep(0)
        assert await read == sent


async def test_what_was_given_stays_as_it_is_while_more_comes() -> None:
    async with connection() as (reader, protocol):
        first: Any = reader.readexactly(100_000)
        task = asyncio.ensure_future(first)
        await asyncio.sleep(0)
        data = b"a" * 100_000 + b"b" * 1_000_000
        while data:
            data = data[receive(protocol, data) :]
        assert bytes(await task) == b"a" * 100_000
        assert bytes(await reader.readexactly(1_000_000)) == b"b" * 1_000_000


async def test_the_buffer_of_a_very_large_answer_is_not_kept() -> None:
    async with connection() as (reader, protocol):
        task: Any = asyncio.ensure_future(reader.readexactly(KEPT_BYTES + 1))
        await asyncio.sleep(0)
        data = bytes(KEPT_BYTES + 1)
        while data:
            data = data[receive(protocol, data) :]
        del task
        await asyncio.sleep(0)
        receive(protocol, b"1234")
        assert await reader.readexactly(4) == b"1234"
        assert len(protocol._data) < KEPT_BYTES


@pytest.mark.parametrize("cause", [None, ConnectionResetError("gone")])
async def test_who_waits_for_an_answer_hears_of_the_end(cause: Exception | None) -> None:
    async with connection() as (reader, protocol):
        task = asyncio.ensure_future(reader.readexactly(5))
        await asyncio.sleep(0)
        receive(protocol, b"1234")
        protocol.connection_lost(cause)
        with pytest.raises(asyncio.IncompleteReadError if cause is None else ConnectionResetError):
            await task
        with pytest.raises(asyncio.IncompleteReadError if cause is None else ConnectionResetError):
            await reader.readexactly(5)


async def test_an_end_that_kafka_says_ends_what_is_awaited() -> None:
    async with connection() as (reader, protocol):
        task = asyncio.ensure_future(reader.readexactly(5))
        await asyncio.sleep(0)
        protocol.eof_received()
        with pytest.raises(asyncio.IncompleteReadError):
            await task
        assert reader.at_eof()


def test_a_frame_is_read_like_a_file() -> None:
    frame = Frame(memoryview(b"abcdef"))
    assert [frame.read(2), frame.read(0), frame.read(3), frame.read(9), frame.read(1)] == [b"ab", b"", b"cde", b"f", b""]


@pytest.mark.parametrize("unread", [0, 3])
async def test_a_connection_that_is_lost_keeps_no_buffer_but_what_is_unread(unread: int) -> None:
    async with connection() as (reader, protocol):
        receive(protocol, b"abcdefg")
        assert bytes(await reader.readexactly(7 - unread)) == b"abcdefg"[: 7 - unread]
        protocol.connection_lost(None)
        assert bool(protocol._data) is bool(unread)
        assert bytes(await reader.readexactly(unread)) == b"abcdefg"[7 - unread :]
        with pytest.raises(asyncio.IncompleteReadError):
            await reader.readexactly(1)
