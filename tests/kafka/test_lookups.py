"""Two workers share the partitions: each answers for every key, also while the other is being replaced."""

import json
import time
from collections.abc import Iterable
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote

import pytest

from stream.domain import instants
from stream.domain.ids import lead_id
from stream.runtime.embedded import free_port
from tests.brokers import Installation, Process, wait_until

PEOPLE = range(100, 130)
LATER = f"?at={instants.write(int(time.time() * 1000) + 3_600_000)}"
RULES = {"behaviours.viewed-price", "behaviours.attended-meeting"}
VISITORS = [f"/v1/visitors/{quote(f'{kind}::{n}', safe='')}{LATER}" for n in PEOPLE for kind in ("anon", "user")]
LEADS = [f"/v1/leads/{id_}{LATER}" for n in PEOPLE for id_ in (lead_id(f"user::{n}"), f"anon::{n}")]
EVERYTHING = VISITORS + LEADS

pytestmark = pytest.mark.process


def get(port: int, path: str) -> tuple[int, Any]:
    connection = HTTPConnection("127.0.0.1", port, timeout=15)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def ready(port: int, process: Process) -> bool:
    assert process.exit_code is None, process.output[-3000:]
    try:
        return get(port, "/health/ready")[0] == 200
    except OSError:
        return False


def answers(port: int, paths: Iterable[str]) -> list[tuple[int, Any]]:
    return [get(port, path) for path in paths]


def story() -> Iterable[tuple[bytes, bytes]]:
    page = {"type": "page", "context": {"page": {"url": "https://x.example/pricing"}}}
    for n in PEOPLE:
        yield f"anon::{n}".encode(), json.dumps({**page, "anonymousId": str(n)}).encode()
        told = {"type": "identify", "userId": str(n), "anonymousId": str(n), "traits": {"email": f"b{n}@acme.example"}}
        yield f"user::{n}".encode(), json.dumps(told).encode()
        done = {"type": "track", "event": "Meeting Attended", "userId": str(n)}
        yield f"user::{n}".encode(), json.dumps(done).encode()


def started(installation: Installation, port: int) -> Process:
    return installation.worker(WEB_PORT=str(port))


def settled(workers: dict[int, Process]) -> None:
    """Wait until every worker is ready and holds something."""

    def all_ready() -> bool:
        return all(ready(port, process) and get(port, "/health/ready")[1]["partitions"] for port, process in workers.items())

    wait_until(all_ready, 60, "the workers")


@pytest.mark.kafka
def test_any_worker_answers_for_any_key_and_a_killed_one_is_never_a_404(on_kafka: Installation) -> None:
    assert on_kafka.run("topics").returncode == 0
    one, two = free_port(), free_port()
    workers = {port: started(on_kafka, port) for port in (one, two)}
    settled(workers)
    on_kafka.produce("events", story())

    def read() -> bool:
        told = answers(one, EVERYTHING)
        leads = [document for _, document in told[len(VISITORS) :]]
        return all(status == 200 for status, _ in told) and all(_all_told(lead) for lead in leads)

    wait_until(read, 60, "every visitor and lead")
    told = answers(one, EVERYTHING)
    assert told == answers(two, EVERYTHING)
    _check_the_commands(on_kafka, two)

    workers.pop(two).kill()
    seen = _ask_until_all_is_there(one, told)
    assert seen <= {200, 503}, "a holder that is gone is not an unknown id"
    assert answers(one, EVERYTHING) == told

    workers[two] = started(on_kafka, two)
    settled(workers)
    assert _ask_until_all_is_there(one, told) | _ask_until_all_is_there(two, told) <= {200, 503}


def _all_told(lead: dict[str, Any]) -> bool:
    return {row["ruleId"] for row in lead["explain"]} >= RULES


def _ask_until_all_is_there(port: int, told: list[tuple[int, Any]]) -> set[int]:
    """Return every status met until all answers are as they were."""
    seen: set[int] = set()

    def all_there() -> bool:
        now = answers(port, EVERYTHING)
        seen.update(status for status, _ in now)
        return now == told

    wait_until(all_there, 60, "all answers as before")
    return seen


def _check_the_commands(installation: Installation, port: int) -> None:
    shown = installation.run("lead", "email::b103@acme.example", "--json", WEB_PORT=str(port))
    assert json.loads(shown.stdout)["id"] == lead_id("user::103")
    assert installation.run("visitor", "anon::nobody", WEB_PORT=str(port)).returncode == 1
    first = get(port, "/v1/leads?limit=20")[1]
    rest = get(port, f"/v1/leads?limit=20&after={first['next']}")[1]
    ids = [lead["id"] for lead in first["leads"] + rest["leads"]]
    assert ids == sorted(lead_id(f"user::{n}") for n in PEOPLE)

    def caught_up() -> bool:
        document = json.loads(installation.run("lag", "--json").stdout)
        return document["clockPartition"] is not None and all(part["status"] == "OK" for part in document["partitions"])

    wait_until(caught_up, 30, "all partitions OK")
