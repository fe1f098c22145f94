"""Answers of Kafka, read from the socket into one buffer a connection and out of it: two copies and most wake-ups less.

aiokafka's stream copies each piece into a list of bytes, that into the answer, and wakes its reader for each piece: behind a
busy loop every piece then waits for the interpreter's lock.
"""

import asyncio
import io
from types import SimpleNamespace
from typing import Any

from aiokafka import conn

KEPT_BYTES = 1 << 24
"""How much of the buffer stays when an answer was larger."""
SPARE_BYTES = 1 << 15
"""A read that fills all there is makes the loop ask for more."""
SMALL_BYTES = 1 << 16
"""So much is given as `bytes`: what signs in keeps it."""


class Frame:
    """An answer while it is read, as `io.BytesIO` is read: only what is taken out is copied."""

    __slots__ = ("_at", "_view")

    def __init__(self, view: memoryview) -> None:
        self._view, self._at = view, 0

    def read(self, size: int) -> bytes:
        """Take out the next bytes; fewer at the end."""
        at = self._at
        self._at = at + size
        return bytes(self._view[at : at + size])


class Frames(asyncio.BufferedProtocol):
    """Stands for aiokafka's protocol: its stream has one reader, which takes an answer only when all of it is here.

    What `readexactly` gives is valid until it is called again. (uvloop has no buffers for those of asyncio's own kind.)
    """

    def __init__(self, closed: "asyncio.Future[None]", reader: asyncio.StreamReader, *, loop: asyncio.AbstractEventLoop) -> None:
        self._closed, self._reader, self._loop, self._over_tls = closed, reader, loop, False
        self._data = bytearray(2 * SPARE_BYTES)
        self._at = self._have = self._wanted = 0
        self._waiting: asyncio.Future[None] | None = None
        self._ended: BaseException | None = None
        reader.readexactly = self.readexactly  # type: ignore[assignment, method-assign]  # bytes in all but name

    async def readexactly(self, size: int) -> bytes | memoryview:
        """Return the next `size` bytes."""
        self._make_room(size)
        while self._have - self._at < size:
            if self._ended is not None:
                raise self._ended
            self._waiting, self._wanted = self._loop.create_future(), size
            await self._waiting
        found = memoryview(self._data)[self._at : self._at + size]
        self._at += size
        return found if size > SMALL_BYTES else bytes(found)

    def _make_room(self, size: int) -> None:
        """Have `size` bytes, and some to spare, behind where the reader is; what was given before is done with."""
        left, capacity = self._have - self._at, len(self._data)
        if not left:
            self._at = self._have = 0
        if size + SPARE_BYTES > capacity or max(size, left) < KEPT_BYTES < capacity:
            self._move(max(size, left) + 2 * SPARE_BYTES)
        elif self._at + size + SPARE_BYTES > capacity:
            self._data[:left] = self._data[self._at : self._have]
            self._at, self._have = 0, left

    def _move(self, capacity: int) -> None:
        data, left = bytearray(capacity), self._have - self._at
        data[:left] = memoryview(self._data)[self._at : self._have]
        self._data, self._at, self._have = data, 0, left

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where the socket is read to; what was given stays as it is."""
        if self._have == len(self._data):
            self._move(2 * len(self._data))
        return memoryview(self._data)[self._have :]

    def buffer_updated(self, nbytes: int) -> None:
        """Wake the reader when it has all it wants."""
        self._have += nbytes
        if self._have - self._at >= self._wanted:
            self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Tell the stream."""
        self._reader.set_transport(transport)
        self._over_tls = transport.get_extra_info("sslcontext") is not None

    def eof_received(self) -> bool:
        """End what is awaited; tell whether this side may still write."""
        self._end(None)
        self._reader.feed_eof()
        return not self._over_tls

    def connection_lost(self, exc: Exception | None) -> None:
        """End what is awaited; a buffer that nobody will read is not left to the garbage collector, which comes rarely."""
        self._end(exc)
        self._reader.feed_eof()
        if self._have == self._at:
            self._data = bytearray()
            self._at = self._have = 0
        if not self._closed.done():
            self._closed.set_result(None)

    async def _drain_helper(self) -> None:
        """Wait for nothing: whoever sends waits for the answer."""

    def _get_close_waiter(self, _writer: asyncio.StreamWriter) -> "asyncio.Future[None]":
        return self._closed

    def _end(self, cause: Exception | None) -> None:
        self._ended = self._ended or cause or asyncio.IncompleteReadError(b"", self._wanted)
        self._wake()


def _opened(answer: bytes | memoryview) -> Any:
    return io.BytesIO(answer) if isinstance(answer, bytes) else Frame(answer)


def read_frames() -> None:
    """Let all connections of aiokafka's that are made from now on be read this way."""
    conn.AIOKafkaProtocol, conn.io = Frames, SimpleNamespace(BytesIO=_opened)
