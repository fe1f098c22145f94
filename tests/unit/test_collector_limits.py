"""Limits: nothing that comes in is larger than allowed, alone or together, however it is packed."""

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from stream.collector.limits import Bodies, Limits, check_head
from stream.collector.packing import unpacked, unpacked_aside
from stream.collector.request import Refused

MB = 1024 * 1024
BODY = b'{"type":"page"}'


def deflated(data: bytes, window: int) -> bytes:
    packer = zlib.compressobj(wbits=window)
    return packer.compress(data) + packer.flush()


def coming(*chunks: bytes, cut: bool = False) -> Callable[[], Awaitable[dict[str, Any]]]:
    """Make a `receive` of these chunks; `cut`: the client goes away after them."""
    messages: list[dict[str, Any]] = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    if cut:
        messages.append({"type": "http.disconnect"})
    else:
        messages[-1]["more_body"] = False
    rest = iter(messages)

    async def receive() -> dict[str, Any]:
        return next(rest)

    return receive


def packed(body: bytes) -> bytes:
    """Pack without a clock: a test's name is made of its bytes, and must be the same in each process."""
    return gzip.compress(body, mtime=0)


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (BODY, None),
        (BODY, b""),
        (BODY, b"identity"),
        (packed(BODY), b"gzip"),
        (packed(BODY), b" GZIP "),
        (packed(BODY), b"x-gzip"),
        (packed(BODY), None),  # PostHog's and others' bytes, labelled as text
        (packed(BODY[:5]) + packed(BODY[5:]), b"gzip"),
        (packed(BODY), b"deflate"),
        (deflated(BODY, 15), b"deflate"),
        (deflated(BODY, -15), b"deflate"),
    ],
)
def test_a_body_is_unpacked_as_it_says_or_as_its_bytes_do(body: bytes, encoding: bytes | None) -> None:
    assert unpacked(body, encoding, 100) == BODY


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (b"no gzip", b"gzip", 400),
        (b"\x1f\x8b rubbish", None, 400),
        (b"\xff\xff", b"deflate", 400),
        (packed(BODY)[:-9], b"gzip", 400),
        (packed(BODY) + b"trailing", b"gzip", 400),
        (packed(b"") * 100, b"gzip", 400),  # each piece costs a copy of what is left
        (packed(b"x" * 101), b"gzip", 413),
        (packed(b"x" * 60) * 2, b"gzip", 413),
        (b"anything", b"br", 415),
        (b"anything", b"gzip, gzip", 415),
    ],
)
def test_what_cannot_or_may_not_be_unpacked_is_refused(body: bytes, encoding: bytes | None, status: int) -> None:
    with pytest.raises(Refused) as refused:
        unpacked(body, encoding, 100)
    assert refused.value.status == status


def test_a_bomb_costs_no_more_memory_than_a_large_body() -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(MB)) for _ in range(64)) + packer.flush()
    tracemalloc.start()
    try:
        with pytest.raises(Refused):
            unpacked(bomb, b"gzip", MB)
        assert tracemalloc.get_traced_memory()[1] < 4 * MB
    finally:
        tracemalloc.stop()


async def test_nobody_waits_while_a_bomb_is_unpacked() -> None:
    small = packed(bytes(16 * MB))
    bombs = [asyncio.create_task(unpacked_aside(small, b"gzip", 8 * MB)) for _ in range(4)]
    turns = 0
    while not all(bomb.done() for bomb in bombs):
        await asyncio.sleep(0)
        turns += 1
    for bomb in bombs:
        with pytest.raises(Refused) as refused:
            bomb.result()
        assert refused.value.status == 413
    assert turns > 10
    large = bytes(MB)
    assert await unpacked_aside(packed(large), b"gzip", MB) == large


async def test_a_body_in_parts_is_put_together_and_its_room_given_back() -> None:
    bodies = Bodies(Limits(body_bytes=100, budget_bytes=100))
    async with bodies.read(coming(b'{"type"', b':"page"}'), {}) as body:
        assert body == BODY
        assert bodies.free == 100 - len(BODY)
    assert bodies.free == 100


@pytest.mark.parametrize(
    ("headers", "chunks", "status"),
    [
        ({b"content-length": b"101"}, [b""], 413),
        ({b"content-length": b"9" * 5000}, [b""], 413),
        ({b"content-length": b"-1"}, [b""], 400),
        ({}, [b"x" * 60, b"x" * 41], 413),
        ({}, [b"x" * 90], 503),  # others hold 20 of 100
        ({b"content-encoding": b"gzip"}, [packed(b"x" * 90)], 503),  # unpacked it counts as what it is
    ],
)
async def test_a_body_that_is_too_large_alone_or_with_the_others_is_refused(
    headers: dict[bytes, bytes], chunks: list[bytes], status: int
) -> None:
    bodies = Bodies(Limits(body_bytes=100, budget_bytes=100))
    async with bodies.read(coming(b"x" * 20), {}):
        with pytest.raises(Refused) as refused:
            async with bodies.read(coming(*chunks), headers):
                pass
        assert refused.value.status == status
        assert bodies.free == 80
    assert bodies.free == 100


async def test_a_client_that_goes_away_gives_its_room_back() -> None:
    bodies = Bodies(Limits(body_bytes=100, budget_bytes=100))
    with pytest.raises(Refused):
        async with bodies.read(coming(b"x" * 50, cut=True), {}):
            pass
    assert bodies.free == 100


def test_a_head_longer_than_any_trackers_is_refused() -> None:
    limits = Limits(headers=3, header_bytes=50, path_bytes=20)
    check_head([(b"a", b"1")] * 3, 20, limits)
    for headers, path, status in (([(b"a", b"1")] * 4, 1, 431), ([(b"a", b"1" * 50)], 1, 431), ([], 21, 414)):
        with pytest.raises(Refused) as refused:
            check_head(headers, path, limits)
        assert refused.value.status == status
