"""What was adopted is judged by the ruleset in force, on a real Kafka."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.brokers import Installation, wait_until
from tests.kafka.group import ends, wait_until_read
from tests.kafka.recreating import delete_before, recreate, refused
from tests.kafka.workers import Running, run_worker

pytestmark = [pytest.mark.kafka, pytest.mark.process]
VIEWED = b'[behaviours.viewed]\nmatch = { type = "page" }\npoints = '
RULES = b'[ruleset]\nid = "%b"\n' + VIEWED + b'%d\n[[stages]]\nname = "lead"\nenter = { identified = true }\n'
DEPLOYED = 40
"""Points of a view under the ruleset that is deployed; 1 under the file of the worker."""


@pytest.fixture
def installed(on_kafka: Installation) -> Installation:
    for name, points in ((b"own", 1), (b"deployed", DEPLOYED)):
        file(on_kafka, name.decode()).write_bytes(RULES % (name, points))
    on_kafka.settings |= {"RULESET": str(file(on_kafka, "own"))}
    assert on_kafka.run("topics").returncode == 0
    return on_kafka


def file(installation: Installation, name: str) -> Path:
    return installation.folder / f"{name}.toml"


def views(people: Iterable[str]) -> list[tuple[bytes, bytes]]:
    return [(f"anon::{one}".encode(), json.dumps({"type": "page", "anonymousId": one}).encode()) for one in people]


def deploy(installation: Installation, name: str = "deployed") -> Any:
    """Deploy a ruleset; return what the command says."""
    done = installation.run("ruleset", "deploy", str(file(installation, name)), "--wait", "20", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def interest(worker: Running, who: str) -> int:
    wait_until(lambda: worker.get(f"/v1/visitors/anon::{who}")[0] == 200, 30, who)
    return round(float(worker.ask("visitors", f"anon::{who}")["interest"]))


def adopt(installation: Installation) -> None:
    assert "`leadstream topics --adopt`" in refused(installation)
    done = installation.run("topics", "--adopt")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("lost", ["visitors-changelog", "events"])
def test_what_was_adopted_is_judged_by_the_ruleset_in_force_from_its_first_record_on(installed: Installation, lost: str) -> None:
    cookies = [f"c{n}" for n in range(20)]
    installed.produce("events", views(cookies))
    worker = run_worker(installed)
    wait_until_read(installed, len(cookies))
    deploy(installed)
    assert worker.process.stop() == 0
    if lost != "events":
        delete_before(installed, "events", ends(installed, "events"))  # the record that put it in force is gone
    recreate(installed, lost)
    adopt(installed)

    worker = run_worker(installed)
    assert deploy(installed)["deployed"] is False, "idle partitions, too, say that they judge by it"
    new = [f"n{n}" for n in range(20)]
    installed.produce("events", views(new))
    assert {interest(worker, one) for one in new} == {DEPLOYED}
    assert worker.process.stop() == 0
