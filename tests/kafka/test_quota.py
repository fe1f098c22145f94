"""A produce quota makes workers and commands slow: they neither end nor repeat themselves."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import orjson

from stream.domain.log import Snapshot, decode
from tests.brokers import JAVA, Installation, kafka_jars, wait_until
from tests.kafka.group import committed

COUNT = 2_000
RATE = 150_000
"""Bytes a second; what the worker makes of the events has some twenty times as many, and the first ten seconds' are a burst."""


def _configure(address: str, *change: str) -> None:
    command = ["java", *JAVA, "-cp", f"{kafka_jars()}/*", "kafka.admin.ConfigCommand", "--bootstrap-server", address]
    command += ["--alter", "--entity-type", "clients", "--entity-default", *change]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


@contextmanager
def quota(address: str, bytes_a_second: int) -> Iterator[None]:
    """Let every client produce so much a second."""
    _configure(address, "--add-config", f"producer_byte_rate={bytes_a_second}")
    try:
        yield
    finally:
        _configure(address, "--delete-config", "producer_byte_rate")


def known(number: int) -> tuple[bytes, bytes]:
    who = f"u{number % 200}"
    told = {"type": "track", "event": "Demo Requested", "userId": who, "messageId": f"m{number}"}
    return f"user::{who}".encode(), orjson.dumps(told | {"properties": {"url": "https://x.example/pricing"}})


def test_a_produce_quota_makes_a_worker_slow_and_it_neither_ends_nor_repeats_itself(on_kafka: Installation) -> None:
    on_kafka.run("topics")
    on_kafka.produce("events", map(known, range(COUNT)))
    with quota(on_kafka.broker.address, RATE):
        worker = on_kafka.worker()

        def read() -> bool:
            assert worker.exit_code is None, worker.output[-3000:]
            return sum(committed(on_kafka, "events").values()) >= COUNT

        wait_until(read, 120, f"{COUNT} events committed")
        worker.wait_for_line("a Kafka quota makes this worker wait", 20)
        assert worker.stop(60) == 0, worker.output[-3000:]
    told = [decode(record.value or b"") for record in on_kafka.read("people")]
    assert sum(isinstance(one, Snapshot) for one in told) == COUNT


def test_a_produce_quota_makes_a_command_slow_and_it_sends_each_line_once(on_kafka: Installation) -> None:
    on_kafka.run("topics", PARTITIONS="8")
    lines = [orjson.dumps({"messageId": str(n), "type": "page", "userId": f"u{n}", "filler": "x" * 3000}) for n in range(180)]
    with quota(on_kafka.broker.address, 30_000):
        done = on_kafka.run("send", "-", stdin=b"\n".join(lines).decode())
    assert (done.returncode, done.stdout) == (0, "180 events acknowledged by Kafka\n"), done.stderr
    assert done.stderr.startswith("a Kafka quota makes this wait ")
    assert done.stderr.count("\n") == 1
    assert sorted(record.value or b"" for record in on_kafka.read("events")) == sorted(lines)
