"""Two who write one changelog: the second is noticed, and what a woken one wrote does no harm."""

import signal

import pytest
from confluent_kafka.admin import NewPartitions, NewTopic

from stream.runtime.topics import topic_table
from stream.settings import Settings
from tests.brokers import Installation, Record, wait_until
from tests.kafka.group import admin_of, committed, members, wait_until_read
from tests.kafka.replay import verify
from tests.kafka.test_zombies import patched
from tests.kafka.traffic import traffic

COUNT = 600


@pytest.fixture
def installed(on_kafka: Installation) -> Installation:
    on_kafka.run("topics")
    return on_kafka


def changelog(installation: Installation) -> str:
    return f"{installation.app}-visitors-changelog"


def write_row(installation: Installation, row: Record) -> None:
    """Write a changelog record as a worker that was frozen and wakes up would."""
    name = changelog(installation).removeprefix(installation.prefix)
    installation.produce(name, [(row.key, row.value)], partition=row.partition)


def settle(installation: Installation, count: int = COUNT) -> None:
    worker = installation.worker()
    worker.wait_for_line("ready: ")
    wait_until_read(installation, count)
    assert worker.stop() == 0


def test_a_second_writer_is_noticed_even_when_nothing_is_written(installed: Installation) -> None:
    installed.produce("events", traffic(1, COUNT))
    exits = installed.folder / "exits"
    worker = installed.worker(EXITS=str(exits))
    wait_until_read(installed, COUNT)
    write_row(installed, installed.read(changelog(installed))[0])
    assert worker.wait(20) == 70
    assert "a second writer" in worker.output
    assert exits.read_text() == "second_writer\n", "for the alert, once it is back"


def test_an_old_row_behind_a_newer_one_does_no_harm_and_is_written_over(installed: Installation) -> None:
    installed.produce("events", traffic(2, COUNT, cookies=5, users=2))
    worker = installed.worker()
    wait_until_read(installed, COUNT)
    installed.produce("events", traffic(3, COUNT, cookies=5, users=2))
    wait_until_read(installed, 2 * COUNT)
    assert worker.stop() == 0
    rows = [row for row in installed.read(changelog(installed)) if not (row.key or b"").startswith(b"\x00")]
    first: dict[bytes | None, Record] = {}
    newest: dict[bytes | None, Record] = {}
    for row in rows:
        first.setdefault(row.key, row)
        newest[row.key] = row
    for key, row in first.items():
        if row.value != newest[key].value:
            write_row(installed, row)
    settle(installed, 2 * COUNT)
    verdict = verify(installed)
    assert verdict.stale > 0
    assert verdict.wrong == []
    again = {row.key: row.value for row in installed.read(changelog(installed)) if not (row.key or b"").startswith(b"\x00")}
    assert all((again[key] or b"")[:9] == (row.value or b"")[:9] for key, row in newest.items())


def test_a_worker_that_was_frozen_beyond_its_session_ends_itself(installed: Installation) -> None:
    installed.produce("events", traffic(4, COUNT))
    worker = installed.worker(SESSION_TIMEOUT="3s")
    wait_until_read(installed, COUNT)
    worker.signal(signal.SIGSTOP)
    wait_until(lambda: members(installed) == 0, 20, "the end of the session")
    other = installed.worker(SESSION_TIMEOUT="3s")
    installed.produce("events", traffic(5, COUNT))
    wait_until_read(installed, 2 * COUNT)
    worker.signal(signal.SIGCONT)
    assert worker.wait() == 70
    assert other.stop() == 0
    assert verify(installed).wrong == []


def test_two_workers_come_and_go_without_repeating_an_event(installed: Installation) -> None:
    first = installed.worker()
    installed.produce("events", traffic(6, COUNT))
    second = installed.worker()
    wait_until(lambda: members(installed) == 2, 20, "two members")
    installed.produce("events", traffic(7, COUNT))
    wait_until_read(installed, 2 * COUNT)
    assert first.stop() == 0
    installed.produce("events", traffic(8, COUNT))
    wait_until_read(installed, 3 * COUNT)
    assert second.stop() == 0
    verdict = verify(installed)
    assert verdict.wrong == []
    assert verdict.repeated == 0


def test_a_static_member_that_is_stopped_leaves_the_group(installed: Installation) -> None:
    worker = installed.worker(INSTANCE="one")
    wait_until(lambda: members(installed) == 1, 20, "a member")
    assert worker.stop() == 0
    assert members(installed) == 0


def test_a_static_member_that_has_left_does_not_join_again_while_it_ends(installed: Installation) -> None:
    """Its next heartbeat would tell it that it is no member, and aiokafka then joins at once: it would be one for a session."""
    worker = patched(installed, "stop_slowly", INSTANCE="one")
    worker.wait_for_line(r"ready: \d+ rows", 30)
    assert worker.stop() == 0
    assert members(installed) == 0


def _recreate(installation: Installation, name: str) -> None:
    admin = admin_of(installation.broker.address)
    topic = installation.topic(name) if not name.endswith("-changelog") else name
    (deleted,) = admin.delete_topics([topic]).values()
    deleted.result()
    wait_until(lambda: topic not in admin.list_topics(timeout=20).topics, 20, "the end of the topic")
    partitions = 1 if name == "people" else 4

    def created() -> bool:
        (made,) = admin.create_topics([NewTopic(topic, partitions, 1)]).values()
        return made.exception() is None

    wait_until(created, 20, "the new topic")


def test_a_recreated_topic_is_refused_with_one_line(installed: Installation) -> None:
    installed.produce("events", traffic(9, COUNT))
    settle(installed)
    _recreate(installed, "events")
    worker = installed.worker()
    assert worker.wait() == 2
    assert "it was recreated or lost records; `leadstream topics --adopt`" in worker.output


def test_a_recreated_topic_that_has_as_many_records_again_is_refused_too(installed: Installation) -> None:
    installed.produce("events", traffic(10, COUNT))
    settle(installed)
    ends = committed(installed, "events")
    _recreate(installed, "events")
    for partition, end in ends.items():
        installed.produce("events", ((b"k", b"{}") for _ in range(end + 5)), partition=partition)
    worker = installed.worker()
    assert worker.wait() == 2
    assert "holds another record" in worker.output


def test_a_lost_changelog_is_refused(installed: Installation) -> None:
    installed.produce("events", traffic(11, COUNT))
    settle(installed)
    _recreate(installed, changelog(installed))
    worker = installed.worker()
    assert worker.wait() == 2
    assert "the changelog of" in worker.output


def test_other_partitions_are_refused(installed: Installation) -> None:
    installed.produce("events", traffic(12, COUNT))
    settle(installed)
    admin = admin_of(installed.broker.address)
    names = [t.name for t in topic_table(Settings(app=installed.app, topic_prefix=installed.prefix)) if t.partitions > 1]
    for grown in admin.create_partitions([NewPartitions(name, 6) for name in names]).values():
        grown.result()
    worker = installed.worker(PARTITIONS="6")
    assert worker.wait() == 2
    assert "6 partitions, its state was made with 4" in worker.output
