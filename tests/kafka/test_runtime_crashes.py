"""Whatever moment a worker ends at: what Kafka holds afterwards is what one pass over the logs gives."""

import signal

import pytest

from tests.brokers import Installation, Process, wait_until
from tests.kafka.group import committed, ends, wait_until_read
from tests.kafka.replay import Verdict, verify
from tests.kafka.traffic import traffic

COUNT = 1500


@pytest.fixture
def installed(on_kafka: Installation) -> Installation:
    on_kafka.run("topics")
    return on_kafka


def finish(installation: Installation, count: int = COUNT) -> Verdict:
    """Let a worker read to the end, stop it, compare."""
    worker = installation.worker(INSTANCE="one")
    worker.wait_for_line("ready: ")
    wait_until_read(installation, count)
    assert worker.stop() == 0, worker.output[-3000:]
    verdict = verify(installation)
    assert verdict.wrong == []
    return verdict


def test_a_quiet_run_is_exact_and_repeats_nothing(installed: Installation) -> None:
    installed.produce("events", traffic(1, COUNT))
    verdict = finish(installed)
    assert verdict.repeated == 0
    assert sum(verdict.counts.values()) == verdict.events
    assert {"applied", "duplicate", "forwarded", "dead letter"} <= verdict.counts.keys()
    assert len(installed.read("dead-letters")) == verdict.counts["dead letter"]


@pytest.mark.parametrize("step", ["outputs", "changelog", "appended", "commit", "done"])
def test_a_kill_9_at_each_step_of_a_checkpoint(installed: Installation, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    installed.produce("events", traffic(2, COUNT))
    monkeypatch.setenv("_LEADSTREAM_FAULT", f"{step}:2:kill")
    crashed = installed.worker(INSTANCE="one")
    assert crashed.wait() == -signal.SIGKILL
    monkeypatch.delenv("_LEADSTREAM_FAULT")
    finish(installed)


def test_nothing_is_committed_before_its_rows_are_in_the_changelog(
    installed: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed.produce("events", traffic(3, COUNT))
    monkeypatch.setenv("_LEADSTREAM_FAULT", "changelog:1")
    assert installed.worker().wait() == 70
    assert committed(installed, "events") == {}
    assert installed.read(f"{installed.app}-visitors-changelog") == []


@pytest.mark.parametrize("topic", ["people", "wakes"])
def test_an_own_record_that_cannot_be_read_ends_the_process_and_is_not_committed(installed: Installation, topic: str) -> None:
    installed.produce(topic, [(b"anon::c1", b"\xffwritten by a newer release")])
    worker = installed.worker()
    assert worker.wait() == 2
    assert "run the release that wrote it" in worker.output
    assert committed(installed, topic, 1) == {}


def test_kill_9_again_and_again_in_mid_stream(installed: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_LEADSTREAM_DRAG", "0.1")
    sent = 0
    for round_ in range(3):
        worker = installed.worker(INSTANCE="one")
        before = sum(committed(installed, "events").values())
        sent += installed.produce("events", traffic(10 + round_, COUNT))
        _wait_for_progress(installed, worker, before)
        sent += installed.produce("events", traffic(20 + round_, COUNT))
        worker.kill()
        assert sum(committed(installed, "events").values()) < sum(ends(installed, "events").values()), "it died at work"
    verdict = finish(installed, sent)
    assert verdict.events >= sent


def _wait_for_progress(installation: Installation, worker: Process, before: int) -> None:
    wait_until(lambda: sum(committed(installation, "events").values()) > before or worker.exit_code is not None, 30, "a commit")
    assert worker.exit_code is None, worker.output[-3000:]
