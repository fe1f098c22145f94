"""A proxy on loopback between workers and one broker: it delays, stalls, cuts, swallows answers and puts errors into them."""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random

from stream.runtime.embedded import free_port
from tests.chaos.answers import WATCHED, spoilt

HEAD = 4
"""Bytes that say how long a Kafka frame is."""
Pass = Callable[[bytes], Awaitable[bytes | None]]


@dataclass(frozen=True)
class Weather:
    """What happens on the way. Where `deaf`, requests pass and no answer comes back; `errors` is a share of the answers."""

    delay_s: float = 0.0
    stalled: bool = False
    deaf: bool = False
    refused: bool = False
    errors: float = 0.0


CALM = Weather()


class Proxy:
    """Listens at `address`, passes on to `target`; weather may be changed from any thread."""

    def __init__(self, target: str, seed: str) -> None:
        self.target, self.address = target, f"127.0.0.1:{free_port()}"
        self.weather = CALM
        self.hurt = 0
        """How many frames were held up, swallowed or spoilt."""
        self._chance = Random(seed)  # noqa: S311 - no secret
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)

    def start(self) -> None:
        """Listen from now on."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)

    def cut(self) -> None:
        """Close every connection."""
        asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result(10)

    def stop(self) -> None:
        """Close everything."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    async def _listen(self) -> None:
        host, _, port = self.address.rpartition(":")
        self._server = await asyncio.start_server(self._serve, host, int(port))

    async def _cut(self) -> None:
        for writer in list(self._writers):
            self.hurt += 1
            writer.transport.abort()

    async def _end(self) -> None:
        self._server.close()
        await self._cut()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on one connection until either side ends it."""
        if self.weather.refused:
            self.hurt += 1
            writer.transport.abort()
            return
        host, _, port = self.target.rpartition(":")
        try:
            back, out = await asyncio.open_connection(host, int(port))
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, out}
        asked: dict[bytes, tuple[int, int]] = {}
        pumps = [
            asyncio.ensure_future(self._pump(reader, out, lambda frame: self._ask(frame, asked))),
            asyncio.ensure_future(self._pump(back, writer, lambda frame: self._answer(frame, asked))),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            for one in (writer, out):
                self._writers.discard(one)
                one.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, through: Pass) -> None:
        with contextlib.suppress(OSError, EOFError):  # an IncompleteReadError is an EOFError
            while True:
                head = await reader.readexactly(HEAD)
                passed = await through(await reader.readexactly(int.from_bytes(head, "big")))
                if passed is not None:
                    writer.write(len(passed).to_bytes(HEAD, "big") + passed)
                    await writer.drain()

    async def _ask(self, frame: bytes, asked: dict[bytes, tuple[int, int]]) -> bytes:
        key, version = int.from_bytes(frame[:2], "big"), int.from_bytes(frame[2:4], "big")
        if key in WATCHED:
            asked[frame[4:8]] = key, version
        await self._hold()
        return frame

    async def _answer(self, frame: bytes, asked: dict[bytes, tuple[int, int]]) -> bytes | None:
        what = asked.pop(frame[:4], None)
        await self._hold()
        weather = self.weather
        if weather.deaf:
            self.hurt += 1
            return None
        if what is not None and weather.errors and self._chance.random() < weather.errors:
            self.hurt += 1
            return frame[:4] + spoilt(*what, frame[4:], self._chance)
        return frame

    async def _hold(self) -> None:
        if self.weather.delay_s:
            self.hurt += 1
            await asyncio.sleep(self.weather.delay_s)
        while self.weather.stalled:
            self.hurt += 1
            await asyncio.sleep(0.02)
