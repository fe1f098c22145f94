"""A broker that goes away after a worker looked at its topics, before its consumer or producer is connected."""

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
