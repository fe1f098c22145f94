"""The flow, end to end: what goes into `events` comes out as the oracle says, also with kill -9 in between."""

import pytest

from stream.domain.ids import lead_id
from tests.brokers import Installation, free_port, wait_until
from tests.kafka.alone import alone
from tests.kafka.expected import Expected, facts_differ, sums_differ, told
from tests.kafka.group import committed
from tests.kafka.workers import end_history, run_worker
from tests.oracle.journeys import Journey, journey

pytestmark = pytest.mark.process

PARTITIONS = 2
USERS = 12
ALONE = [lead_id(f"user::alone-{n}") for n in range(USERS)]


def prepared(installation: Installation, told: Journey) -> None:
    """Give an installation the journey's ruleset and ranges."""
    for name, text in (("rules.toml", told.ruleset), ("ranges.csv", told.ranges.encode())):
        (installation.folder / name).write_bytes(text)
    installation.settings |= {
        "PARTITIONS": str(PARTITIONS),
        "RULESET": str(installation.folder / "rules.toml"),
        "COMPANY_RANGES": str(installation.folder / "ranges.csv"),
    }
    assert installation.run("topics").returncode == 0


def sent(installation: Installation, lines: list[bytes]) -> int:
    """Send lines as they were recorded."""
    file = installation.folder / "events.ndjson"
    file.write_bytes(b"\n".join(lines) + b"\n")
    done = installation.run("send", "--as-recorded", str(file))
    assert done.returncode == 0, done.stderr
    return len(lines)


def settled(installation: Installation, expected: Expected) -> None:
    """Wait until every fact that must come has come."""
    wanted = expected.facts(ALONE).keys()
    try:
        wait_until(lambda: wanted <= told(installation.read("stage-changes")).keys(), 30)
    except pytest.fail.Exception:
        assert facts_differ(expected, installation, ALONE) == []


def test_a_journey_through_a_worker_gives_what_the_oracle_says(installation: Installation) -> None:
    given = journey(43)
    prepared(installation, given)
    lines = given.lines + alone(1, 1200, USERS)
    running = run_worker(installation)
    count = sent(installation, lines)
    counts = running.wait_until_applied(count)
    expected = Expected.of(lines, given.ruleset, given.ranges, end_history(installation, PARTITIONS))
    settled(installation, expected)

    assert facts_differ(expected, installation, ALONE) == []
    assert sums_differ(expected, running, ALONE) == []
    assert counts["dead_letters"] == len(expected.document["deadLetters"]) == len(installation.read("dead-letters"))
    assert running.process.stop() == 0


def test_kill_9_in_mid_stream_changes_nothing_that_comes_out(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    given = journey(59)
    prepared(installation, given)
    installation.settings["SESSION_TIMEOUT"] = "3s"
    monkeypatch.setenv("_LEADSTREAM_DRAG", "0.1")  # so that kills land between the steps of a checkpoint
    lines, port = alone(2, 800, USERS), str(free_port())
    for start in range(0, len(lines), 400):
        worker = installation.worker(INSTANCE="one", WEB_PORT=port)
        before = read_of(installation)
        sent(installation, lines[start : start + 400])
        wait_until(lambda: read_of(installation) > before or worker.exit_code is not None, 30, "a commit")  # noqa: B023
        assert worker.exit_code is None, worker.output[-3000:]
        worker.kill()
    running = run_worker(installation, INSTANCE="one", WEB_PORT=port)
    expected = Expected.of(lines, given.ruleset, given.ranges, end_history(installation, PARTITIONS))
    settled(installation, expected)

    assert facts_differ(expected, installation, ALONE) == []
    assert sums_differ(expected, running, ALONE) == []
    assert running.process.stop() == 0


def read_of(installation: Installation) -> int:
    """Return how many records of `events` the group has done with."""
    return sum(committed(installation, "events", PARTITIONS).values())
