"""Two installations that share a name by mistake: the newcomer is told so and ends, the other one notices nothing."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from confluent_kafka.admin import AdminClient

from tests.brokers import Installation, Process, free_port, wait_until
from tests.kafka.group import admin_of, committed, members, wait_until_read
from tests.kafka.recreating import refused
from tests.kafka.traffic import traffic

COUNT = 200


@pytest.fixture
def other(on_kafka: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation with the first one's APP, which is there by default, and topics of its own."""
    on_kafka.run("topics")
    on_kafka.produce("events", traffic(1, COUNT, users=5, cookies=20))
    made = Installation(on_kafka.broker, tmp_path_factory.mktemp("other"), settings={"APP": on_kafka.app}, forks=True)
    yield made
    made.close()


def running(installation: Installation) -> Process:
    worker = installation.worker()
    worker.wait_for_line("ready: ")
    wait_until_read(installation, COUNT)
    return worker


def by_faust(installation: Installation, **settings: str) -> str:
    command = [sys.executable, "-m", "faust", "-A", "stream.app", "worker"]
    env = installation.env(WEB_PORT=str(free_port()), **settings)
    ended = subprocess.run(command, env=env, cwd=installation.folder, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2, ended.stderr
    return ended.stderr


def adopting(installation: Installation, **settings: str) -> str:
    done = installation.run("topics", "--adopt", **settings)
    assert done.returncode == 2, done.stdout
    return done.stderr


def changelogs(installation: Installation) -> list[int]:
    return [len(installation.read(f"{installation.app}-{table}-changelog")) for table in ("visitors", "people", "accounts")]


def test_the_app_of_another_prefix_is_refused_beside_its_worker_and_adopts_nothing(
    on_kafka: Installation, other: Installation
) -> None:
    worker = running(on_kafka)
    said = [refused(other), by_faust(other), adopting(other)]
    assert all(f"the tables of {on_kafka.app} were made from {on_kafka.topic('events')}, not from" in line for line in said), said
    assert worker.exit_code is None
    assert members(on_kafka) == 1
    assert other.topic("events") not in admin_of(on_kafka.broker.address).list_topics(timeout=20).topics
    assert worker.stop() == 0


def test_where_the_commits_are_gone_the_tables_tell_whose_they_are(on_kafka: Installation, other: Installation) -> None:
    assert running(on_kafka).stop() == 0
    wait_until(lambda: members(on_kafka) == 0, 20, "an empty group")
    forget(admin_of(on_kafka.broker.address), on_kafka.app)
    rows = changelogs(on_kafka)
    said = [refused(other), by_faust(other), adopting(other)]
    assert all(f"the tables of {on_kafka.app} were made from {on_kafka.prefix}" in line for line in said), said
    assert changelogs(on_kafka) == rows
    assert running(on_kafka).stop() == 0


def test_the_topics_of_another_app_are_refused_while_it_has_a_worker(on_kafka: Installation, other: Installation) -> None:
    worker, app = running(on_kafka), f"{on_kafka.app}-2"
    said = [refused(on_kafka, APP=app), by_faust(on_kafka, APP=app), adopting(on_kafka, APP=app)]
    assert all(f"{on_kafka.topic('events')} belongs to {on_kafka.app}, and two would" in line for line in said), said
    assert worker.stop() == 0
    new = other.worker(APP=app)  # both names are new: nobody's
    new.wait_for_line("ready: ")
    assert new.stop() == 0, new.output
    assert committed(on_kafka, "events", group=app) == {}


def forget(admin: AdminClient, group: str) -> None:
    """Delete a group's commits, as their retention would."""
    for gone in admin.delete_consumer_groups([group]).values():
        gone.result()
