"""What was adopted is judged by the ruleset in force, and lost accounts hear of all leads again, on a real Kafka."""

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
LEADS = 8


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


def accounts(installation: Installation) -> set[bytes]:
    """Return the keys of the accounts' rows."""
    held = {record.key or b"": record.value for record in installation.read(f"{installation.app}-accounts-changelog")}
    return {key for key, row in held.items() if row is not None and key.startswith(b"a:")}


@pytest.mark.parametrize("is_deployed", [True, False])
def test_lost_accounts_hear_of_all_leads_also_where_members_forgot_them(installed: Installation, *, is_deployed: bool) -> None:
    came = [
        {"type": "identify", "userId": f"u{n}", "traits": {"email": f"u{n}@firm{n % 4}.example"}, "messageId": str(n)}
        for n in range(LEADS)
    ]
    installed.produce("events", [(f"user::{one['userId']}".encode(), json.dumps(one).encode()) for one in came])
    worker = run_worker(installed)
    wait_until_read(installed, LEADS)
    if is_deployed:
        deploy(installed)
    wait_until(lambda: len(accounts(installed)) == 4, 30, "the accounts")
    before = accounts(installed)
    assert worker.process.stop() == 0
    delete_before(installed, "members", ends(installed, "members"))
    recreate(installed, "accounts-changelog")
    adopt(installed)

    worker = run_worker(installed)
    wait_until(lambda: accounts(installed) == before, 30, "the accounts again")
    (first,) = worker.ask("accounts", "account::firm1.example")["people"][:1]
    assert first
    assert worker.process.stop() == 0
