"""Partitions move between workers; Kafka itself goes and comes back."""

import os

import pytest

from tests.brokers import Installation, wait_until
from tests.kafka.group import committed, ends, holders, members, wait_until_read
from tests.kafka.recreating import ended, refused, settle
from tests.kafka.replay import verify
from tests.kafka.traffic import traffic
from tests.kafka.workers import hanging, trigger

COUNT = 600


@pytest.fixture
def own_kafka(own_kafka: Installation) -> Installation:
    assert own_kafka.run("topics").returncode == 0
    return own_kafka


def test_partitions_that_stay_go_on_while_those_that_move_are_restored(on_kafka: Installation) -> None:
    on_kafka.run("topics")
    on_kafka.produce("events", traffic(1, COUNT))
    first = on_kafka.worker()
    wait_until_read(on_kafka, COUNT)
    second = on_kafka.worker()
    wait_until(lambda: members(on_kafka) == 2, 20, "two members")
    second.wait_for_line("ready: ")
    on_kafka.produce("events", traffic(2, COUNT))
    wait_until_read(on_kafka, 2 * COUNT)
    second.kill()
    wait_until(lambda: members(on_kafka) == 1, 20, "one member")
    on_kafka.produce("events", traffic(3, COUNT))
    wait_until_read(on_kafka, 3 * COUNT)
    assert "kept" in first.output
    assert first.stop() == 0
    assert verify(on_kafka).wrong == []


def test_kafka_ends_and_comes_back_and_nothing_is_lost(own_kafka: Installation) -> None:
    node = own_kafka.broker.process
    assert node is not None
    own_kafka.produce("events", traffic(4, COUNT))
    worker = own_kafka.worker()
    wait_until_read(own_kafka, COUNT)
    node.process.kill()
    assert worker.wait(40) == 70
    node.start()
    own_kafka.produce("events", traffic(5, COUNT))
    again = own_kafka.worker()
    again.wait_for_line("ready: ")
    wait_until_read(own_kafka, 2 * COUNT)
    assert again.stop() == 0
    assert verify(own_kafka).wrong == []
    assert sum(committed(own_kafka, "events").values()) >= 2 * COUNT


def test_a_worker_without_kafka_says_so_and_ends_with_3(own_kafka: Installation) -> None:
    node = own_kafka.broker.process
    assert node is not None
    node.process.kill()
    worker = own_kafka.worker()
    assert worker.wait() == 3


def test_a_static_member_that_comes_back_at_another_address_goes_on_and_the_group_learns_it(on_kafka: Installation) -> None:
    on_kafka.run("topics")
    on_kafka.produce("events", traffic(6, COUNT))
    for _ in range(3):
        worker = on_kafka.worker(INSTANCE="one")  # at a port of its own each time
        worker.wait_for_line("ready: ")
        worker.kill()
    last = on_kafka.worker(INSTANCE="one")
    wait_until_read(on_kafka, COUNT)
    assert "joining anew" in last.output
    assert last.stop() == 0


def test_two_processes_of_one_instance_do_not_both_go_on(on_kafka: Installation) -> None:
    on_kafka.run("topics")
    first = on_kafka.worker(INSTANCE="one")
    first.wait_for_line("ready: ")
    for _ in range(3):  # it has just written: a row of its between the second one's recovery and its own end would end both
        wait_until_committed_anew(on_kafka)
    second = on_kafka.worker(INSTANCE="one")
    second.wait_for_line("ready: ")
    assert first.wait() == 70
    assert second.exit_code is None


def wait_until_committed_anew(installation: Installation) -> None:
    before = committed(installation, "people", 1)
    wait_until(lambda: committed(installation, "people", 1) != before, 30, "the next commit")


def test_a_static_member_that_is_stopped_while_it_joins_from_another_address_ends_in_time(on_kafka: Installation) -> None:
    on_kafka.run("topics")
    for _ in range(3):
        killed = on_kafka.worker(INSTANCE="one")
        killed.wait_for_line("ready: ")
        killed.kill()
        young = on_kafka.worker(INSTANCE="one")
        young.wait_for_line("pages and API at ")
        assert young.stop(15) == 0, young.output[-3000:]


def _caught_up(installation: Installation) -> set[int]:
    """Return the partitions that are read to their end."""
    ended, done = ends(installation, "events"), committed(installation, "events")
    return {partition for partition, end in ended.items() if done.get(partition) == end}


def test_who_stays_reads_on_while_another_still_restores_what_moved_to_it(on_kafka: Installation) -> None:
    on_kafka.run("topics")
    first = on_kafka.worker()
    on_kafka.produce("events", traffic(7, COUNT))
    wait_until_read(on_kafka, COUNT)
    second = hanging(on_kafka, "recovery_never_starts")
    wait_until(lambda: set(holders(on_kafka)) == {0, 1, 2, 3} and len(set(holders(on_kafka).values())) == 2, 60, "two members")
    on_kafka.produce("events", traffic(8, COUNT))
    wait_until(lambda: len(_caught_up(on_kafka)) == 2, 30, "the partitions that stayed")
    assert "ready: " not in second.output
    trigger(on_kafka).touch()
    wait_until_read(on_kafka, 2 * COUNT)
    assert (first.stop(), second.stop()) == (0, 0)
    assert verify(on_kafka).wrong == []


def test_a_partition_goes_on_when_its_own_rows_are_here(on_kafka: Installation) -> None:
    on_kafka.run("topics")
    first = on_kafka.worker()
    on_kafka.produce("events", traffic(9, COUNT))
    wait_until_read(on_kafka, COUNT)
    assert first.stop() == 0
    on_kafka.produce("events", traffic(10, COUNT))
    again = hanging(on_kafka, "recovery_waits")
    wait_until(lambda: 0 < len(_caught_up(on_kafka)) < 4, 60, "the partitions that are restored")
    assert "ready: " not in again.output
    trigger(on_kafka).touch()
    wait_until_read(on_kafka, 2 * COUNT)
    assert again.stop() == 0
    assert verify(on_kafka).wrong == []


def test_when_a_third_joins_two_no_more_moves_than_must(on_kafka: Installation) -> None:
    on_kafka.run("topics")
    for count in (1, 2):
        on_kafka.worker().wait_for_line("ready: ")
        wait_until(lambda count=count: len(set(holders(on_kafka).values())) == count, 30, f"{count} members")  # type: ignore[misc]
    before = holders(on_kafka)
    on_kafka.worker().wait_for_line("ready: ")
    wait_until(lambda: len(set(holders(on_kafka).values())) == 3, 30, "three members")
    after = holders(on_kafka)
    assert len([n for n in before if before[n] != after[n]]) == 1


@pytest.mark.parametrize("instances", [("", ""), ("one", "two")], ids=["dynamic", "static"])
def test_a_worker_that_is_asked_to_end_leaves_at_once_and_the_others_go_on(
    on_kafka: Installation, instances: tuple[str, str]
) -> None:
    on_kafka.run("topics")
    first, second = (on_kafka.worker(SESSION_TIMEOUT="40s", INSTANCE=name) for name in instances)
    wait_until(lambda: len(set(holders(on_kafka).values())) == 2, 60, "two members")
    second.wait_for_line("ready: ")
    assert second.stop(20) == 0
    wait_until(lambda: len(set(holders(on_kafka).values())) == 1, 20, "one member, long before the session's end")
    on_kafka.produce("events", traffic(11, COUNT))
    wait_until_read(on_kafka, COUNT, 15)
    assert first.stop() == 0


@pytest.mark.parametrize("busy", [True, False])
def test_a_changelog_whose_tail_went_with_its_broker_is_refused_by_who_wrote_it_and_at_the_next_start(
    own_kafka: Installation, *, busy: bool
) -> None:
    node, again = own_kafka.broker.process, {"SESSION_TIMEOUT": "60s", "INSTANCE": "one"}
    assert node is not None
    own_kafka.produce("events", traffic(1, COUNT))
    settle(own_kafka, COUNT)
    kept = {log: log.stat().st_size for log in node.home.glob(f"data/{own_kafka.app}-visitors-changelog-*/*.log")}
    worker = own_kafka.worker(**again)  # another producer: of one that it knows Kafka itself would miss what went
    worker.wait_for_line("ready: ")
    own_kafka.produce("events", traffic(2, COUNT))
    wait_until_read(own_kafka, 2 * COUNT)
    node.process.kill()
    for log, size in kept.items():
        os.truncate(log, size)
        for known in {*log.parent.iterdir()} - {log, log.parent / "partition.metadata"}:
            known.unlink()  # it is made again from the log
    node.start()
    if busy:
        own_kafka.produce("events", traffic(3, COUNT))
    for line in (ended(own_kafka, worker, 60), refused(own_kafka, **again)):
        assert "it was recreated or lost rows; restore it, or `leadstream topics --adopt`" in line
