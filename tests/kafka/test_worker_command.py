"""`leadstream worker` as a process: starts, tells what is wrong, ends; and a replay through it."""

import sys
from pathlib import Path

import pytest

from stream.domain import visitor
from stream.runtime.embedded import free_port
from tests.brokers import Broker, Installation, Process, wait_until

pytestmark = pytest.mark.process

READY = r"ready: \d+ rows"


def _row(installation: Installation, key: bytes) -> visitor.Visitor:
    """Return the newest row of a visitor in the changelog."""
    rows = [row.value for row in installation.read(f"{installation.app}-visitors-changelog") if row.key == key]
    return visitor.decode(rows[-1]) if rows and rows[-1] else visitor.Visitor()


def test_it_makes_its_topics_works_and_ends_with_0(installation: Installation) -> None:
    installation.forks = False  # started as an operator does
    worker = installation.worker()
    worker.wait_for_line(READY)

    assert worker.stop() == 0, worker.output
    assert installation.run("topics", "--check").returncode == 0
    assert installation.run("topics").stdout.count("created") == 0


def test_a_static_member_that_is_asked_to_end_while_it_starts_ends(on_kafka: Installation) -> None:
    worker = on_kafka.worker(INSTANCE="early", LOG_LEVEL="debug")  # only then services say that they start
    worker.wait_for_line(r"App\]: Starting")

    assert worker.stop() == 0, worker.output


def test_faust_itself_runs_the_same_worker(on_kafka: Installation) -> None:
    command = [sys.executable, "-m", "faust", "-A", "stream.app", "worker", "--loglevel", "info"]
    worker = Process(command, on_kafka.env(WEB_PORT=str(free_port())), on_kafka.folder / "faust.log", on_kafka.folder)
    on_kafka.processes.append(worker.start())
    worker.wait_for_line(READY)

    assert worker.stop() == 0, worker.output


def test_a_worker_that_comes_back_asks_at_once_where_all_its_partitions_go_on(on_kafka: Installation) -> None:
    worker = on_kafka.worker()
    worker.wait_for_line(READY)
    names = [f"anon::a{n}" for n in range(20)]
    events = [(name.encode(), f'{{"type":"page","anonymousId":"{name[6:]}"}}'.encode()) for name in names]
    on_kafka.produce("events", events)
    wait_until(lambda: all(_row(on_kafka, name.encode()).state.events for name in names), 30, "rows in every partition")
    assert worker.stop() == 0, worker.output

    again = on_kafka.worker(LOG_LEVEL="debug")  # only then requests are told
    again.wait_for_line(READY)

    asked = again.output.count(": OffsetFetchRequest")
    assert 0 < asked <= 3, f"{asked} questions for what the group has committed"
    assert again.stop() == 0, again.output


def test_a_wrong_setting_is_one_line_and_exit_2(on_kafka: Installation) -> None:
    done = on_kafka.run("worker", PARTITION="3")

    assert done.returncode == 2
    assert done.stderr == "leadstream: unknown setting LEADSTREAM_PARTITION: did you mean LEADSTREAM_PARTITIONS?\n"


@pytest.mark.embedded
def test_a_look_up_file_that_is_not_there_is_one_line_and_exit_2(embedded: Broker, tmp_path: Path) -> None:
    installation = Installation(embedded, tmp_path)
    try:
        assert installation.run("topics").returncode == 0
        done = installation.run("worker", COMPANY_RANGES="/nonexistent")
    finally:
        installation.close()

    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("leadstream: /nonexistent: "), done.stderr
    assert done.stderr.count("\n") == 1


def test_a_replayed_letter_is_applied_once_however_often_it_is_replayed(installation: Installation) -> None:
    worker = installation.worker()
    worker.wait_for_line(READY)
    event = b'{"type":"page","anonymousId":"a","timestamp":"2026-11-22T10:00:00Z"}'
    headers = {f"leadstream-{name}": b"x" for name in ("reason", "message")}
    installation.produce("dead-letters", [(b"anon::a", event)], headers=headers, partition=0)

    for _ in range(2):
        assert installation.run("deadletters", "replay").returncode == 0
    again = {"leadstream-replayed": f"{installation.topic('dead-letters')}:0:0".encode()}
    installation.produce("events", [(b"anon::a", event)], headers=again)
    installation.produce("events", [(b"anon::a", b'{"type":"page","anonymousId":"a","messageId":"last"}')])

    wait_until(lambda: _row(installation, b"anon::a").position in {3, 4}, 30, "the row of the last record")
    assert _row(installation, b"anon::a").state.events == 2
    assert worker.stop() == 0, worker.output
