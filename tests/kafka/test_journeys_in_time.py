"""What falls due by itself: at its own instant, whoever restarts, and never before everything was read."""

import json
import signal
import time
from collections.abc import Iterable
from itertools import count
from pathlib import Path

import orjson
import pytest

from stream.domain.ids import lead_id
from stream.domain.instants import parse
from tests.brokers import Broker, Installation, Record, wait_until
from tests.kafka.expected import Expected, facts_differ, received, told
from tests.kafka.workers import Running, run_worker

pytestmark = pytest.mark.process

RULES = b"""
[ruleset]
id = "seconds"
[decay]
half_life = "4s"
[behaviours.asked]
match = { event = "Asked" }
points = 100
[[stages]]
name = "lead"
enter = { identified = true }
[[stages]]
name = "mql"
enter = { interest = 60 }
exit = { interest = 40 }
"""
"""100 points are 40 after 5.3 s."""
WITHIN_MS = 3000

_messages = count()


def prepared(installation: Installation) -> Installation:
    (installation.folder / "rules.toml").write_bytes(RULES)
    installation.settings |= {"PARTITIONS": "2", "RULESET": str(installation.folder / "rules.toml")}
    assert installation.run("topics").returncode == 0
    return installation


@pytest.fixture
def installation(installation: Installation) -> Installation:
    return prepared(installation)


def ask(installation: Installation, *users: str) -> None:
    """Let users ask for something."""
    for user in users:
        event = {"type": "track", "event": "Asked", "userId": user, "messageId": f"m{next(_messages)}"}
        installation.produce("events", [(f"user::{user}".encode(), json.dumps(event).encode())])


def moves(records: Iterable[Record], user: str) -> list[str]:
    """Return the stages a user came into; a fact that is told again counts once."""
    facts = dict.fromkeys(record.value or b"" for record in records if record.key == lead_id(f"user::{user}").encode())
    return [orjson.loads(fact)["data"]["stage"]["to"]["name"] for fact in facts]


def promoted(installation: Installation, *users: str) -> int:
    """Wait until users are qualified; return when the last of them is due to fall (ms)."""
    records = installation.wait_for_records(
        "stage-changes", lambda found: all(moves(found, user)[-1:] == ["mql"] for user in users)
    )
    newest = {record.key: orjson.loads(record.value or b"") for record in records}
    return max(parse(newest[lead_id(f"user::{user}").encode()]["data"]["score"]["nextCrossingAt"]) for user in users)


def wait_until_past(instant_ms: int) -> None:
    wait_until(lambda: time.time() * 1000 > instant_ms, 30, "the instant")


def check_all(installation: Installation) -> None:
    """Wait until everything that must happen has happened, and compare it."""
    expected = Expected.of(received(installation), RULES, "", int(time.time() * 1000) + 3_600_000)
    wanted = expected.facts().keys()
    installation.wait_for_records("stage-changes", lambda found: wanted <= told(found).keys(), 40)
    assert facts_differ(expected, installation) == []


def test_what_is_due_comes_at_its_own_instant_also_when_no_worker_lived_then(installation: Installation) -> None:
    gone, back = _asked_while_no_worker_lives(installation)
    worker = run_worker(installation)
    ask(installation, "quiet")
    due = promoted(installation, "quiet")

    records = installation.wait_for_records("stage-changes", lambda found: moves(found, "quiet")[-1] == "lead")
    fall = next(record for record in reversed(records) if record.key == lead_id("user::quiet").encode())
    assert parse(orjson.loads(fall.value or b"")["time"]) == due
    assert 0 <= fall.timestamp_ms - due <= WITHIN_MS, "it comes though nobody visits"
    check_all(installation)
    records = installation.read("stage-changes")
    assert moves(records, gone) == moves(records, back) == ["mql", "lead"]
    assert worker.process.stop() == 0


def _asked_while_no_worker_lives(installation: Installation) -> tuple[str, str]:
    """Return two who fall due while no worker lives, the second of whom asked again before; a busy machine takes some tries."""
    for attempt in range(6):
        gone, back = f"gone-{attempt}", f"back-{attempt}"
        worker = run_worker(installation)
        ask(installation, gone, back)
        due = promoted(installation, gone, back)
        worker.kill(installation)
        ask(installation, back)  # nobody reads it before `back` would have fallen
        asked_ms = time.time() * 1000
        wait_until_past(due + 500)
        if asked_ms < due:
            return gone, back
    pytest.fail("this machine is too slow for these seconds")


@pytest.mark.kafka
def test_a_worker_that_lags_stops_the_clock(kafka: Broker, tmp_path: Path) -> None:
    installation = prepared(Installation(kafka, tmp_path, forks=True))
    installation.settings["SESSION_TIMEOUT"] = "20s"
    reader, user, due = split(installation)
    reader.process.signal(signal.SIGSTOP)
    ask(installation, user)
    wait_until_past(due + 1000)
    assert moves(installation.read("stage-changes"), user) == ["mql"], "what it asked again was not read"
    reader.process.signal(signal.SIGCONT)

    check_all(installation)
    assert moves(installation.read("stage-changes"), user) == ["mql", "lead"]
    installation.close()


def test_a_worker_that_is_dead_stops_the_clock_until_another_has_read_what_it_had_to(installation: Installation) -> None:
    reader, user, due = split(installation)
    reader.kill(installation)
    ask(installation, user)
    wait_until_past(due + 1000)

    check_all(installation)
    assert moves(installation.read("stage-changes"), user) == ["mql", "lead"]


def split(installation: Installation) -> tuple[Running, str, int]:
    """Return the one of two workers that does not hold the people, a user it reads, and when that user is due to fall."""
    workers = [run_worker(installation), run_worker(installation)]
    found = wait_until(lambda: apart(workers), 40, "a worker that reads events only")
    assert found
    reader, user = found
    ask(installation, user)
    return reader, user, promoted(installation, user)


def apart(workers: list[Running]) -> tuple[Running, str] | None:
    """Return the worker that does not hold the people, and a user whose events it reads."""
    for worker in workers:
        if not worker.holds("leads", lead_id("user::nobody")):
            mine = [f"u{n}" for n in range(20) if worker.holds("visitors", f"user::u{n}")]
            if mine and any(other.holds("leads", lead_id("user::nobody")) for other in workers):
                return worker, mine[0]
    return None
