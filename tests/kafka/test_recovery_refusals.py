"""What was recreated, lost or cut is recognised: a worker ends with exit code 2 and one line that names the way on."""

from collections.abc import Iterator

import orjson
import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import NewPartitions

from stream.domain import visitor
from stream.runtime.producer import partition_of
from stream.runtime.topics import FREE, topic_table
from stream.settings import Settings
from tests.brokers import Installation, wait_until
from tests.kafka.group import admin_of, committed, ends, members, wait_until_read
from tests.kafka.recreating import delete_before, ended, grow, real_name, recreate, refused, settle
from tests.kafka.test_zombies import patched
from tests.kafka.traffic import traffic

COUNT = 600
ADOPT = "`leadstream topics --adopt`"


@pytest.fixture
def installed(on_kafka: Installation) -> Installation:
    on_kafka.run("topics")
    return on_kafka


def rows(installation: Installation, table: str = "visitors") -> dict[bytes, bytes]:
    """Return the rows of a table that count, by the greatest position."""
    held: dict[bytes, bytes] = {}
    for record in installation.read(f"{installation.app}-{table}-changelog"):
        key, value = record.key or b"", record.value or b""
        if not key.startswith(b"\x00") and value[1:9] >= held.get(key, b"")[1:9]:
            held[key] = value
    return held


def registrations(count: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield an `identify` of each of so many people, a few of every company."""
    for n in range(count):
        event = {"type": "identify", "userId": f"r{n}", "traits": {"email": f"r{n}@corp{n % 50}.example"}}
        yield f"user::r{n}".encode(), orjson.dumps(event)


def adopt(installation: Installation) -> str:
    done = installation.run("topics", "--adopt")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_events_that_were_recreated_are_refused_adopted_and_read_in_a_new_epoch(installed: Installation) -> None:
    installed.produce("events", traffic(1, COUNT, users=5, cookies=20))
    settle(installed, COUNT)
    before = {key: visitor.decode(row) for key, row in rows(installed).items()}
    recreate(installed, "events")
    assert "but was read up to" in refused(installed)
    said = adopt(installed)
    assert said.count("recreated; goes on at 0, epoch 1") == 4, said
    assert adopt(installed) == "nothing was recreated, lost or deleted unread: nothing to adopt\n"
    installed.produce("events", traffic(2, COUNT, users=5, cookies=20))
    settle(installed, COUNT)
    after = {key: visitor.decode(row) for key, row in rows(installed).items()}
    epoch = 1 << 48
    grown = {key for key, row in after.items() if row.position > epoch}
    assert grown
    assert all(after[key].state.events > before[key].state.events for key in grown & before.keys())
    assert sum(row.state.events for row in after.values()) - sum(row.state.events for row in before.values()) > COUNT * 0.9
    assert all(row == before[key] for key, row in after.items() if key not in grown)


def test_a_recreated_topic_with_as_many_records_again_is_told_by_its_records(installed: Installation) -> None:
    installed.produce("events", traffic(3, COUNT))
    before = settle(installed, COUNT)
    recreate(installed, "events")
    for partition, end in before.items():
        installed.produce("events", ((b"k", b"{}") for _ in range(end + 5)), partition=partition)
    assert "holds another record at" in refused(installed)
    assert adopt(installed).count("other record; goes on at 0, epoch 1") == 4
    worker = installed.worker()
    wait_until(lambda: committed(installed, "events") == ends(installed, "events"), 60, "all of the new topic")
    assert worker.stop() == 0


def test_a_recreated_topic_is_adopted_again_and_again(installed: Installation) -> None:
    for epoch in range(3):
        installed.produce("events", traffic(epoch, COUNT, users=5, cookies=20))
        settle(installed, COUNT)
        assert max(visitor.decode(row).position for row in rows(installed).values()) >> 48 == epoch
        recreate(installed, "events")
        refused(installed)
        adopt(installed)


def test_adopting_waits_for_workers_to_stop_and_changes_nothing_where_all_fits(installed: Installation) -> None:
    installed.produce("events", traffic(4, COUNT))
    worker = installed.worker()
    wait_until_read(installed, COUNT)
    done = installed.run("topics", "--adopt")
    assert done.returncode == 2
    assert done.stderr.startswith("leadstream: 1 workers are in the group")
    assert worker.stop() == 0
    wait_until(lambda: members(installed) == 0, 20, "an empty group")
    said = committed(installed, "events")
    assert adopt(installed) == "nothing was recreated, lost or deleted unread: nothing to adopt\n"
    assert committed(installed, "events") == said
    settle(installed, COUNT)


def test_wakes_that_were_recreated_are_adopted(installed: Installation) -> None:
    installed.produce("events", traffic(5, COUNT))
    settle(installed, COUNT)
    wait_until(lambda: committed(installed, "wakes"), 20, "wakes")
    recreate(installed, "wakes")
    assert "wakes-" in refused(installed)
    assert "wakes-" in adopt(installed)
    settle(installed, COUNT)


def test_people_that_were_recreated_are_adopted_in_a_new_epoch(installed: Installation) -> None:
    installed.produce("events", traffic(6, COUNT, users=3))
    settle(installed, COUNT)
    recreate(installed, "people")
    assert "people-0 ends at" in refused(installed)
    assert "people-0: recreated; goes on at 0, epoch 1" in adopt(installed)
    installed.produce("events", traffic(7, COUNT, users=3))
    settle(installed, 2 * COUNT)
    (log,) = [row for row in installed.read(f"{installed.app}-people-changelog") if row.key == b"\x00log"][-1:]
    assert int.from_bytes((log.value or b"")[1:9], "big") > 1 << 48


def test_events_that_were_deleted_unread_are_refused_and_adopted_without_them(installed: Installation) -> None:
    installed.produce("events", traffic(8, COUNT))
    settle(installed, COUNT)
    installed.produce("events", traffic(9, COUNT))
    delete_before(installed, "events", dict.fromkeys(range(4), -1))
    installed.produce("events", traffic(10, COUNT))
    line = refused(installed)
    assert "records were deleted before they were read" in line
    assert "goes on without them" in line
    assert adopt(installed).count("deleted unread; goes on at") == 4
    worker = installed.worker()
    wait_until(lambda: committed(installed, "events") == ends(installed, "events"), 60, "what is left")
    assert worker.stop() == 0


def test_what_somebody_else_read_in_our_groups_name_is_read_all_the_same(installed: Installation) -> None:
    """A console consumer with our group commits what it has seen, and what it has seen no row has."""
    installed.produce("events", traffic(8, COUNT))
    settle(installed, COUNT)
    installed.produce("events", traffic(9, COUNT))
    here = ends(installed, "events")
    stranger = Consumer({"bootstrap.servers": installed.broker.address, "group.id": installed.app, "log_level": 0})
    stranger.commit(offsets=[TopicPartition(installed.topic("events"), n, end) for n, end in here.items()], asynchronous=False)
    stranger.close()
    worker = installed.worker()
    worker.wait_for_line(r"events-\d goes on at \d+, as its table says: the commit at \d+ is no worker's", 60)
    wait_until(lambda: sum(visitor.decode(row).state.events for row in rows(installed).values()) > COUNT * 1.8, 60, "all events")
    assert worker.stop() == 0


@pytest.mark.parametrize("how", ["recreated", "cut"])
def test_a_changelog_that_lost_rows_is_refused_and_made_again_from_events(installed: Installation, how: str) -> None:
    installed.produce("events", traffic(11, COUNT))
    settle(installed, COUNT)
    before = {key: visitor.decode(row) for key, row in rows(installed).items()}
    if how == "recreated":
        recreate(installed, "visitors-changelog")
        assert "it was recreated or lost rows" in refused(installed)
    else:
        delete_before(installed, "visitors-changelog", dict.fromkeys(range(4), 30))
        assert "begins at 30, not at 0: rows were deleted" in refused(installed)
    assert adopt(installed).count("goes on at 0, epoch 0") >= 4
    settle(installed, COUNT)
    worker = installed.worker()
    wait_until_read(installed, COUNT)
    assert worker.stop() == 0
    after = {key: visitor.decode(row) for key, row in rows(installed).items()}
    assert after.keys() >= before.keys()
    assert {key: row.state.events for key, row in after.items()} == {key: row.state.events for key, row in before.items()}


def recreated_under_a_worker(installed: Installation, name: str) -> str:
    """Recreate a changelog while a worker lives, let it write what comes then, and return the line with which it ends."""
    worker = installed.worker()
    worker.wait_for_line("ready: ")
    wait_until_read(installed, COUNT)
    recreate(installed, name)
    installed.produce("events", traffic(12, COUNT, users=5, cookies=COUNT))
    return ended(installed, worker, 30)


def test_a_changelog_that_was_recreated_under_a_worker_is_refused_though_it_is_long_again(installed: Installation) -> None:
    """The worker notices by the acknowledgement of rows: these lie in the new log then, as many as the commit wants."""
    installed.produce("events", traffic(11, COUNT, users=5, cookies=20))
    settle(installed, COUNT)
    before = {key: visitor.decode(row) for key, row in rows(installed).items()}
    line = recreated_under_a_worker(installed, "visitors-changelog")
    for said in (line, refused(installed), refused(installed)):
        assert said.startswith("leadstream: the changelog of "), said
        assert "it was recreated or lost rows; restore it, or `leadstream topics --adopt`" in said
    adopt(installed)
    settle(installed, 2 * COUNT)
    after = {key: visitor.decode(row) for key, row in rows(installed).items()}
    assert after.keys() >= before.keys()
    assert all(after[key].state.events >= row.state.events for key, row in before.items())
    assert sum(row.state.events for row in after.values()) > 2 * COUNT * 0.9


def test_accounts_whose_changelog_was_recreated_under_a_worker_are_made_again(installed: Installation) -> None:
    installed.produce("events", registrations(COUNT))
    settle(installed, COUNT)
    before = rows(installed, "accounts")
    line = recreated_under_a_worker(installed, "accounts-changelog")
    for said in (line, refused(installed)):
        assert "members-" in said
        assert ADOPT in said
    adopt(installed)
    settle(installed, 2 * COUNT)
    assert rows(installed, "accounts").keys() >= before.keys()


def test_people_whose_changelog_was_recreated_under_a_worker_come_back_by_a_resync(installed: Installation) -> None:
    installed.produce("events", traffic(11, COUNT, users=5, cookies=20))
    settle(installed, COUNT)
    leads = {record.key for record in installed.read("lead-states") if record.value}
    line = recreated_under_a_worker(installed, "people-changelog")
    for said in (line, refused(installed)):
        assert said.startswith("leadstream: the changelog of "), said
        assert "the people were lost; restore it, or `leadstream resync`" in said
    done = installed.run("resync")
    assert done.returncode == 0, done.stderr
    assert "leads stand again" in done.stdout
    settle(installed, 2 * COUNT)
    assert {record.key for record in installed.read("lead-states") if record.value} >= leads


@pytest.mark.parametrize("how", ["recreated", "cut"])
def test_people_that_lost_rows_are_refused_and_resync_is_named(installed: Installation, how: str) -> None:
    installed.produce("events", traffic(12, COUNT, users=3))
    settle(installed, COUNT)
    if how == "recreated":
        recreate(installed, "people-changelog")
    else:
        delete_before(installed, "people-changelog", {0: 3})
    line = refused(installed)
    assert "the changelog of" in line
    assert "`leadstream resync`" in line
    done = installed.run("topics", "--adopt")
    assert done.returncode == 2
    assert "`leadstream resync`" in done.stderr


def test_other_partitions_are_refused(installed: Installation) -> None:
    installed.produce("events", traffic(13, COUNT))
    settle(installed, COUNT)
    admin = admin_of(installed.broker.address)
    names = [t.name for t in topic_table(Settings(app=installed.app, topic_prefix=installed.prefix)) if t.partitions > 1]
    for grown in admin.create_partitions([NewPartitions(name, 6) for name in names]).values():
        grown.result()
    assert "6 partitions, its state was made with 4" in refused(installed, PARTITIONS="6")
    assert "partitions is 6, should be 4" in refused(installed)
    assert installed.run("topics", "--adopt", PARTITIONS="6").returncode == 2


@pytest.mark.parametrize("name", ["events", "wakes", "people", "lead-states", "visitors-changelog", "people-changelog"])
def test_one_topic_with_other_partitions_is_refused(installed: Installation, name: str) -> None:
    topic = real_name(installed, name)
    grow(installed, [name], 5)
    line = refused(installed)
    assert f"{topic}: partitions is 5, should be" in line or f"{topic} has 5 partitions, there must be" in line


@pytest.mark.parametrize("name", ["events", "wakes", "people", "members"])
def test_a_topic_that_grows_under_a_worker_ends_it_within_seconds(installed: Installation, name: str) -> None:
    worker = patched(installed, "look_often")
    worker.wait_for_line("ready: ")
    grow(installed, [name], 5)
    line, topic = ended(installed, worker, 30), real_name(installed, name)
    assert f"leadstream: {topic} has 5 partitions, there must be {1 if name == 'people' else 4}: keys have moved" in line


def test_outputs_may_have_any_number_of_partitions(installed: Installation) -> None:
    installed.produce("events", traffic(13, COUNT))
    settle(installed, COUNT)
    told, letters = len(installed.read("stage-changes")), [(f"k{n}".encode(), b"{}") for n in range(40)]
    grow(installed, FREE, 6)
    installed.produce("events", [*traffic(14, COUNT, users=400), *letters])
    settle(installed, 2 * COUNT + len(letters))

    for records in (installed.read("stage-changes")[told:], installed.read("dead-letters")):
        assert {record.partition for record in records} & {4, 5}
    new = [record for record in installed.read("dead-letters") if record.key in dict(letters)]
    assert all(record.partition == partition_of(record.key or b"", 6) for record in new)
    assert len(new) == len(letters)
    assert "stage-changes: partitions is 6, should be 4" in installed.run("topics", "--check").stdout


@pytest.mark.parametrize("table", ["visitors", "people"])
def test_a_row_of_an_unknown_format_is_refused(installed: Installation, table: str) -> None:
    installed.produce("events", traffic(14, COUNT))
    settle(installed, COUNT)
    installed.produce(f"app-{table}-changelog", [(b"k", b"\x02" + bytes(20))], partition=0)
    line = refused(installed)
    assert f"{installed.app}-{table}-changelog-0 offset" in line
    assert "holds a row of format 02: this release reads format 01; run the release that wrote it" in line


@pytest.mark.parametrize(("topic", "value"), [("people", b"\x02x"), ("wakes", b"\x02x"), ("people", b""), ("wakes", b"\x01x")])
def test_an_own_record_of_an_unknown_format_is_refused(installed: Installation, topic: str, value: bytes) -> None:
    installed.produce(topic, [(b"k", value)], partition=0)
    line = refused(installed)
    assert f"{installed.topic(topic)}-0 offset 0: record" in line
    assert line.endswith("run the release that wrote it")
