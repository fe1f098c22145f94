"""What falls due by itself: at its own instant, whoever restarts, and never before everything was read."""

import json
import signal
import time
from collections.abc import Iterable
from itertools import count

import orjson
import pytest

from stream.domain.ids import lead_id
from stream.domain.instants import parse
from tests.brokers import Installation, Record, wait_until
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


@pytest.fixture
def installation(installation: Installation) -> Installation:
    (installation.folder / "rules.toml").write_bytes(RULES)
    installation.settings |= {"PARTITIONS": "2", "RULESET": str(installation.folder / "rules.toml")}
    assert installation.run("topics").returncode == 0
    return installation


def ask(installation: Installation, *users: str) -> None:
    """Let users ask for something."""
    for user in users:
        event = {"type": "track", "event": "Asked", "userId": user, "messageId": f"m{next(_messages)}"}
        installation.produce("events", [(f"user::{user}".encode(), json.dumps(event).encode())])


def moves(records: Iterable[Record], user: str) -> list[str]:
    """Return the stages a user came into."""
    facts = (orjson.loads(record.value or b"") for record in records if record.key == lead_id(f"user::{user}").encode())
    return [fact["data"]["stage"]["to"]["name"] for fact in facts]


def promoted(installation: Installation, *users: str) -> int:
    """Wait until users are qualified; return when the last of them is due to fall (ms)."""
    records = installation.wait_for_records("stage-changes", lambda found: all(moves(found, user)[-1:] == ["mql"] for user in users))
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


def test_a_demotion_comes_within_three_seconds_while_nobody_visits(installation: Installation) -> None:
    worker = run_worker(installation)
    ask(installation, "quiet")
    due = promoted(installation, "quiet")
    records = installation.wait_for_records("stage-changes", lambda found: moves(found, "quiet")[-1] == "lead")

    fact = orjson.loads(records[-1].value or b"")
    assert parse(fact["time"]) == due
    assert fact["data"]["reason"]["code"] == "decay"
    assert 0 <= records[-1].timestamp_ms - due <= WITHIN_MS
    check_all(installation)
    assert worker.process.stop() == 0


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_what_was_due_while_no_worker_lived_comes_with_its_own_instant(installation: Installation, how: str) -> None:
    worker = run_worker(installation)
    ask(installation, "gone", "back")
    due = promoted(installation, "gone", "back")
    if how == "killed":
        worker.kill(installation)
    else:
        assert worker.process.stop() == 0
    ask(installation, "back")  # nobody reads it before `back` would have fallen
    assert time.time() * 1000 < due, "this machine is too slow for these seconds"
    wait_until_past(due + 500)
    run_worker(installation)

    check_all(installation)
    records = installation.read("stage-changes")
    assert moves(records, "gone") == moves(records, "back") == ["mql", "lead"]
    fall = next(r for r in reversed(records) if r.key == lead_id("user::gone").encode())
    assert parse(orjson.loads(fall.value or b"")["time"]) <= due


@pytest.mark.parametrize("how", ["frozen", "killed"])
def test_a_worker_that_does_not_read_stops_the_clock(installation: Installation, how: str) -> None:
    installation.settings["SESSION_TIMEOUT"] = "20s" if how == "frozen" else "6s"
    workers = [run_worker(installation), run_worker(installation)]
    reader, user = wait_until(lambda: apart(workers), 30, "a worker that reads events only")
    ask(installation, user)
    due = promoted(installation, user)
    if how == "killed":
        reader.kill(installation)
    else:
        reader.process.signal(signal.SIGSTOP)
    ask(installation, user)
    wait_until_past(due + 1000)
    assert moves(installation.read("stage-changes"), user) == ["mql"], "what it asked again was not read"
    if how == "frozen":
        reader.process.signal(signal.SIGCONT)

    check_all(installation)
    assert moves(installation.read("stage-changes"), user) == ["mql", "lead"]


def apart(workers: list[Running]) -> tuple[Running, str] | None:
    """Return the worker that does not hold the people, and a user whose events it reads."""
    for worker in workers:
        if not worker.holds("leads", lead_id("user::nobody")):
            mine = [f"u{n}" for n in range(20) if worker.holds("visitors", f"user::u{n}")]
            if mine and any(other.holds("leads", lead_id("user::nobody")) for other in workers):
                return worker, mine[0]
    return None
