"""Each way in which a worker could hang for ever without a word ends it, with a reason."""

import os
import time

import pytest

from stream.runtime import lookout, stalls
from tests.brokers import Installation, Process, wait_until
from tests.kafka.group import committed
from tests.kafka.hanging import SHORT_S
from tests.kafka.traffic import traffic
from tests.kafka.workers import hanging, trigger

COUNT = 300

WAYS = [
    ("fetcher_ends", "the fetcher has ended by itself|nothing has been fetched"),
    ("fetch_is_never_answered", "nothing has been fetched of .*-[0-9]+ for"),
    ("coordinator_ends", "the group's coordinator has ended by itself"),
    ("heartbeats_stop", "the group has not answered for|no good heartbeat for"),
    ("heartbeat_is_never_answered", "the group has not answered for|no good heartbeat for"),
    ("sender_ends", "the producer's sender has ended by itself|acknowledged nothing"),
    ("outputs_are_never_acknowledged", "Kafka has acknowledged no(thing| output) for|no checkpoint has ended for"),
    ("rows_are_never_acknowledged", "Kafka has acknowledged nothing for|no checkpoint has ended for"),
    ("commit_hangs", "Kafka has acknowledged nothing for|no checkpoint has ended for"),
    ("commits_are_made_no_more", "no checkpoint has ended for"),
    ("delivery_ends", "records of .* have waited for"),
    ("thread_takes_nothing", "records of .* have waited for"),
    ("flow_stays_suspended", "records of .* have waited for"),
    ("agent_ends", "records of .* have waited for|no checkpoint has ended for"),
    ("thread_blocks", "the consumer thread has stood still for|no good heartbeat for"),
    ("loop_blocks", "the loop stood still for"),
    ("rebalance_never_ends", "the group has (assigned nothing|not answered) for"),
    ("revoke_never_ends", "the group has (assigned nothing|not answered) for"),
]


@pytest.fixture
def installed(on_kafka: Installation) -> Installation:
    on_kafka.run("topics")
    return on_kafka


def ended(worker: Process) -> int:
    """Wait for the end and return the exit code; `installation.close` has nothing more to do."""
    return worker.wait(60)


@pytest.mark.parametrize(("way", "reason"), WAYS, ids=[way for way, _ in WAYS])
def test_a_hang_ends_the_worker_with_a_reason(installed: Installation, way: str, reason: str) -> None:
    worker = hanging(installed, way)
    worker.wait_for_line("ready: ", 60)
    installed.produce("events", traffic(1, COUNT))
    wait_until(lambda: sum(committed(installed, "events").values()) >= COUNT, 60, "the first records")
    trigger(installed).touch()
    for seed in (2, 3, 4):  # so that there is something to do
        installed.produce("events", traffic(seed, COUNT))
    assert ended(worker) == 70
    worker.wait_for_line(f"worker ends: .*({reason})")


def test_a_recovery_that_stands_still_ends_the_worker(installed: Installation) -> None:
    installed.produce("events", traffic(1, COUNT))
    first = installed.worker()
    wait_until(lambda: sum(committed(installed, "events").values()) >= COUNT, 60, "the first records")
    assert first.stop() == 0
    worker = hanging(installed, "recovery_never_ends")
    assert ended(worker) == 70
    worker.wait_for_line("the recovery has stood still for|the group has assigned nothing")


def test_a_stop_that_never_ends_ends_all_the_same(installed: Installation) -> None:
    worker = hanging(installed, "stop_never_ends")
    worker.wait_for_line("ready: ", 60)
    trigger(installed).touch()
    os.kill(worker.pid, 15)
    assert ended(worker) == 70
    worker.wait_for_line("the stop has not ended for")


def test_a_log_that_nobody_reads_does_not_keep_a_worker_that_must_end(installed: Installation) -> None:
    worker = hanging(installed, "nobody_reads_the_log")
    worker.wait_for_line("ready: ", 60)
    trigger(installed).touch()
    assert ended(worker) == 70


@pytest.mark.parametrize("way", ["nothing", "kafka_is_slow"])
def test_a_quiet_topic_and_a_slow_kafka_are_no_hang(installed: Installation, way: str) -> None:
    worker = hanging(installed, way)
    worker.wait_for_line("ready: ", 60)
    installed.produce("events", traffic(1, COUNT))
    wait_until(lambda: sum(committed(installed, "events").values()) >= COUNT, 60, "the first records")
    trigger(installed).touch()
    quiet_until = time.monotonic() + 1.5 * SHORT_S
    wait_until(lambda: worker.exit_code is not None or time.monotonic() > quiet_until, 60, "a quiet time")
    assert worker.exit_code is None, worker.output[-3000:]
    installed.produce("events", traffic(2, COUNT))
    wait_until(lambda: sum(committed(installed, "events").values()) >= 2 * COUNT, 60, "the last records")
    assert worker.stop() == 0


def test_a_long_recovery_that_goes_on_is_no_hang(installed: Installation) -> None:
    rows = [(f"anon::{n}".encode(), b"\x01" + bytes(200_000)) for n in range(150)]
    installed.produce("app-visitors-changelog", rows)
    began = time.monotonic()
    worker = hanging(installed, "recovery_is_slow")
    worker.wait_for_line("ready: ", 90)
    assert time.monotonic() - began > SHORT_S


def test_the_patience_is_shorter_than_the_minute_that_is_promised() -> None:
    assert stalls.LIMIT_S + stalls.DEAD_S + 2 * lookout.EVERY_S < 60
