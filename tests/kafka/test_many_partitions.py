"""A worker with hundreds of partitions: a broker that is well answers late where each of them is written for the first time."""

import pytest

from tests.brokers import Installation, wait_until
from tests.kafka.group import committed, ends
from tests.kafka.traffic import traffic

PARTITIONS, COUNT = 96, 5000


@pytest.fixture
def wide(own_kafka: Installation) -> Installation:
    own_kafka.settings |= {"PARTITIONS": str(PARTITIONS), "SESSION_TIMEOUT": "10s"}
    assert own_kafka.run("topics").returncode == 0
    for name in ("events", "wakes", "members", "app-visitors-changelog", "app-accounts-changelog"):
        ends(own_kafka, name, PARTITIONS)  # it takes a broker long to make them all, and more where the machine is busy
    return own_kafka


def test_the_first_load_of_a_new_worker_is_taken_in(wide: Installation) -> None:
    worker = wide.worker()
    worker.wait_for_line("ready: ", 60)
    wide.produce("events", traffic(1, COUNT, users=COUNT, cookies=COUNT))

    def read() -> bool:
        assert worker.exit_code is None, worker.output[-3000:]
        return sum(committed(wide, "events", PARTITIONS).values()) >= COUNT

    wait_until(read, 120, "all events")
    assert worker.stop() == 0
