"""A worker that looked at its topics and connects: the broker goes away, or somebody asks it to end."""

import os
import subprocess
import sys

import pytest

from stream.runtime.embedded import free_port

STARTS = """
import sys
from stream.cli import worker
from stream.settings import load
worker._import_faust()
from stream.runtime import producer

async def nothing(_):
    pass

if sys.argv[1] == "consumer":
    producer.driver.Producer.on_start = nothing
    producer.BatchProducer.on_start = nothing
worker._work(load(), embedded=False)  # Kafka answered just before
"""

ASKED_TO_END = """
import asyncio
import os
import signal
from aiokafka import AIOKafkaProducer
from stream.cli import worker
from stream.settings import load

class Connects(AIOKafkaProducer):
    async def start(self):
        self.stopping = asyncio.Event()
        os.kill(os.getpid(), signal.SIGTERM)
        await self.stopping.wait()  # connected, just while all that was started is stopped

    async def stop(self):
        self.stopping.set()
        await super().stop()

worker._import_faust()
from stream.runtime import producer
producer.driver.Producer._producer_type = Connects
worker._work(load(), embedded=False)
"""


@pytest.mark.parametrize("part", ["producer", "consumer"])
def test_a_worker_says_in_one_line_that_kafka_went_away_while_it_started(part: str) -> None:
    address = f"127.0.0.1:{free_port()}"
    env = os.environ | {"LEADSTREAM_KAFKA": address, "LEADSTREAM_WEB_PORT": "0", "LEADSTREAM_LOG_FORMAT": "json"}
    ended = subprocess.run(
        [sys.executable, "-c", STARTS, part], env=env, capture_output=True, text=True, timeout=60, check=False
    )  # fmt: skip
    assert ended.returncode == 3, ended.stderr
    said = [line for line in ended.stderr.splitlines() if not line.startswith("{")]
    assert len(said) == 1, ended.stderr
    assert said[0].startswith(f"leadstream: Kafka at {address} does not answer")


def test_a_worker_that_is_asked_to_end_while_its_producer_connects_ends_with_0() -> None:
    env = os.environ | {"LEADSTREAM_WEB_PORT": "0", "LEADSTREAM_LOG_LEVEL": "debug", "LEADSTREAM_LOG_FORMAT": "json"}
    ended = subprocess.run(
        [sys.executable, "-c", ASKED_TO_END], env=env, capture_output=True, text=True, timeout=60, check=False
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert "Signal received: 15" in ended.stderr, ended.stderr
