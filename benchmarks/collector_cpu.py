"""What a request costs the collector's own thread, without Kafka: `python -m benchmarks.collector_cpu [--against FOLDER]`.

From the bytes of a request to the records handed to the sender, and from their acknowledgement to the bytes of the answer, over
64 connections in this process; sockets, the kernel and librdkafka are not in it. The CPU is the thread's, the best of many
short slices: so it says the same on a busy machine. With --against another checkout is measured by turns with this one.
"""

import argparse
import asyncio
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, cast

import uvloop
from uvicorn.server import ServerState

from benchmarks.http_load import Load
from stream.collector.server import LimitedProtocol, make_server
from tests.unit.collecting import Collecting, Outbox

CONNECTIONS = 64
SLICES, ROUNDS = 40, 2
CASES = (("single event", "/v1/page", 1), ("batch of ten", "/v1/batch", 10))
HERE = str(Path(__file__).parents[1])


class Kafka:
    """Acknowledges when it is told to."""

    def __init__(self) -> None:
        self._sent: list[asyncio.Future[None]] = []

    def send(self, _: Sequence[Any]) -> "asyncio.Future[None]":
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sent.append(done)
        return done

    def acknowledge(self) -> None:
        for done in self._sent:
            done.set_result(None)
        self._sent.clear()


class Line:
    """A connection without a socket."""

    def __init__(self, protocol: LimitedProtocol) -> None:
        self.protocol, self.said = protocol, b""
        protocol.connection_made(self)

    def write(self, data: bytes) -> None:
        self.said = data

    def is_closing(self) -> bool:
        return False

    def get_extra_info(self, name: str) -> Any:
        return {"peername": ("203.0.113.77", 40_000)}.get(name)

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def close(self) -> None: ...


async def measure() -> dict[str, float]:
    """Return the microseconds of a request by its case."""
    kafka = Kafka()
    config = make_server(Collecting(outbox=cast("Outbox", kafka)).app).config
    config.load()
    state = ServerState()
    lines = [Line(LimitedProtocol(config=config, server_state=state, app_state={})) for _ in range(CONNECTIONS)]
    gc.collect()
    gc.freeze()
    found = {}
    for name, path, events in CASES:
        load = Load(path, events)
        slices = [await _slice(load, lines, kafka) for _ in range(SLICES)]
        found[name] = 1e6 * min(slices) / CONNECTIONS / ROUNDS
    return found


async def _slice(load: Load, lines: list[Line], kafka: Kafka) -> float:
    """Answer a few requests a connection, and return the seconds of CPU that took."""
    requests = [[load.request() for _ in lines] for _ in range(ROUNDS)]
    began = time.thread_time()
    for each in requests:
        for line, request in zip(lines, each, strict=True):
            line.protocol.data_received(request)
        await _turns()
        kafka.acknowledge()
        await _turns()
    took = time.thread_time() - began
    if not all(line.said.endswith(b'{"success":true}') for line in lines):
        raise RuntimeError(f"not all were answered: {lines[0].said!r}")
    return took


async def _turns() -> None:
    """Let the loop do all there is to do."""
    for _ in range(3):
        await asyncio.sleep(0)


def elsewhere(folder: str) -> dict[str, float]:
    """Measure a checkout in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--json"], env=os.environ | {"PYTHONPATH": folder}, capture_output=True, text=True, check=True
    )
    return cast("dict[str, float]", json.loads(done.stdout))


def main() -> int:
    parser = argparse.ArgumentParser(description="What a request costs the collector's own thread.")
    parser.add_argument("--against", metavar="FOLDER", help="another checkout")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.json:
        print(json.dumps(uvloop.run(measure())))
        return 0
    folders = [*([options.against] if options.against else []), HERE]
    runs: dict[str, list[dict[str, float]]] = {folder: [] for folder in folders}
    for _ in range(options.runs):
        for folder in folders:
            runs[folder].append(elsewhere(folder))
    for name, _, events in CASES:
        for folder in folders:
            cpu_us = median(run[name] for run in runs[folder])
            print(f"{name:14} {cpu_us:6.1f} µs a request {cpu_us / events:6.1f} µs an event   {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
