"""What was adopted is judged by the ruleset in force, and lost accounts hear of all leads again, on a real Kafka."""

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, OffsetAndMetadata, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from msgspec.structs import replace

from stream.domain.log import is_deployment
from stream.ops import group
from stream.runtime.resume import read_mark, write_mark
from tests.brokers import Installation, free_port, wait_until
from tests.kafka.group import ends, members, wait_until_read
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


async def commit_without_places(installation: Installation) -> None:
    """Commit again what is committed of `events`, as a release did that forgot there which ruleset holds."""
    client = AIOKafkaConsumer(bootstrap_servers=installation.broker.address, group_id=installation.app, enable_auto_commit=False)
    admin = AIOKafkaAdminClient(bootstrap_servers=installation.broker.address)
    places = [TopicPartition(installation.topic("events"), partition) for partition in range(4)]
    await admin.start()
    await client.start()
    try:
        found = await group.commits(admin, installation.app, places)
        marks = {place: read_mark(at.metadata) for place, at in found.items()}
        assert all(mark is not None and mark.place for mark in marks.values())
        client.assign(places)
        await client.commit(
            {
                place: OffsetAndMetadata(found[place].offset, write_mark(replace(mark, place=0)))
                for place, mark in marks.items()
                if mark is not None
            }
        )
    finally:
        await client.stop()
        await admin.close()


@pytest.mark.parametrize("by", ["ruleset deploy", "worker --deploy"])
def test_what_a_partition_has_lost_is_passed_on_again(installed: Installation, by: str) -> None:
    worker = run_worker(installed)
    deploy(installed)
    assert worker.process.stop() == 0
    wait_until(lambda: members(installed) == 0, 20, "an empty group")
    asyncio.run(commit_without_places(installed))

    if by == "ruleset deploy":
        worker = run_worker(installed)
        assert deploy(installed)["deployed"] is True
        assert worker.process.stop() == 0
    else:
        starting = installed.start("worker", "--deploy", RULESET=str(file(installed, "deployed")), WEB_PORT=str(free_port()))
        starting.wait_for_line(r"ready: \d+ rows")
        assert deploy(installed)["deployed"] is False
        assert starting.stop() == 0
    told = [record for record in installed.read("people") if is_deployment(record.value or b"")]
    assert len(told) == 2


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
