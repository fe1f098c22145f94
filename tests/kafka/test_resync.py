"""A lost `people` table comes back: leads stand where the CRM knows them, and sums are those the visitors have."""

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from stream.domain.ownrows import META, LogRow
from stream.domain.person import Identity, Person
from stream.domain.state import State
from stream.ops.lead_states import shown
from tests.brokers import Installation, wait_until
from tests.kafka.group import admin_of, ends, wait_until_read
from tests.kafka.recreating import recreate, refused, settle
from tests.kafka.traffic import traffic
from tests.kafka.workers import run_worker

COUNT = 1200
SUMS = ("tags", "points", "timing", "counts", "times", "events", "first_seen", "last_seen", "landmark")


@dataclass
class Table:
    """The people as their changelog tells them."""

    leads: dict[str, Person]
    identities: dict[str, Identity]
    sums: dict[str, State]
    log: LogRow


def people(installation: Installation) -> Table:
    held = {row.key or b"": row.value for row in installation.read(f"{installation.app}-people-changelog")}
    rows = {key: value[9:] for key, value in held.items() if value is not None}

    def all_of(kind: bytes, type_: type) -> dict[str, object]:
        return {key[2:].decode(): msgspec.msgpack.decode(row, type=type_) for key, row in rows.items() if key.startswith(kind)}

    persons = all_of(b"p:", Person)
    return Table(
        {id_: one for id_, one in persons.items() if isinstance(one, Person) and one.identified and not one.into},
        all_of(b"i:", Identity),  # type: ignore[arg-type]
        all_of(b"s:", State),  # type: ignore[arg-type]
        msgspec.msgpack.decode(rows[META], type=LogRow) if META in rows else LogRow(),
    )


def facts(installation: Installation) -> dict[str, set[bytes]]:
    """Return the contents of each id that the CRM read."""
    contents: dict[str, set[bytes]] = {}
    for record in installation.read("stage-changes"):
        value = record.value or b""
        contents.setdefault(json.loads(value)["id"], set()).add(value)
    return contents


def moves() -> list[tuple[bytes, bytes]]:
    """Return what a CRM says: stages of its own, and those of the engine, the present one too."""
    told = [("u1", "customer"), ("u2", "mql"), ("u3", "lead"), ("u3", "lead")]
    event = {"type": "track", "event": "Lead Stage Changed"}
    events = [
        {**event, "userId": user, "messageId": f"crm-{n}", "properties": {"stage": stage}} for n, (user, stage) in enumerate(told)
    ]
    return [(f"user::{one['userId']}".encode(), json.dumps(one).encode()) for one in events]


def conflicts(contents: dict[str, set[bytes]]) -> set[str]:
    return {id_ for id_, values in contents.items() if b'"identity.conflict.v1"' in b"".join(values)}


def settled(installation: Installation) -> bool:
    log = people(installation).log
    return bool(log.run) and not log.settling


def unlinked(installation: Installation, count: int) -> None:
    """Let a worker read so many events, and an operator take a device from its person, which the lead's state still names."""
    event = {"type": "page", "userId": "w", "anonymousId": "w", "messageId": "w"}
    installation.produce("events", [(b"user::w", json.dumps(event).encode())])
    worker = run_worker(installation)
    wait_until_read(installation, count + 1)
    done = installation.run("unlink", "user::w", "anon::w", "--url", f"http://127.0.0.1:{worker.port}")
    assert done.returncode == 0, done.stderr
    assert worker.process.stop() == 0


def ended_before(installation: Installation, step: str) -> None:
    """Let a resync be killed just before a step of it."""
    killed = f"import os; from stream.cli import resync; resync.{step} = lambda *_, **__: os._exit(9)"
    code = f"{killed}; from stream.__main__ import main; main()"
    command = [sys.executable, "-c", code, "resync"]
    assert subprocess.run(command, env=installation.env(), cwd=installation.folder, timeout=120, check=False).returncode == 9


@pytest.fixture
def installed(on_kafka: Installation) -> Installation:
    on_kafka.run("topics")
    return on_kafka


def test_a_lost_people_table_comes_back_by_a_resync(installed: Installation) -> None:
    installed.produce("events", traffic(1, COUNT, users=12, cookies=40))
    installed.produce("events", moves())
    unlinked(installed, COUNT + len(moves()))
    before, told = people(installed), facts(installed)
    assert conflicts(told)
    recreate(installed, "people-changelog")
    assert "`leadstream resync`" in refused(installed)
    done = installed.run("resync")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{len(before.leads)} leads stand again as lead-states shows them\n2 identities stay apart")
    worker = installed.worker()
    wait_until(lambda: settled(installed), 60, "all sums")
    after = people(installed)
    assert after.leads.keys() == before.leads.keys()
    assert conflicts(facts(installed)) == conflicts(told)
    shared = {node for node, one in before.identities.items() if one.shared}  # what was done there since counts again
    assert shared == {node for node, one in after.identities.items() if one.shared}
    for id_, lead in before.leads.items():
        again = after.leads[id_]
        assert (again.stage, again.entered_at) == (lead.stage, lead.entered_at)
        assert (again.crm_t, again.hold_until) == (lead.crm_t, lead.hold_until)
        assert set(again.members) == set(lead.members)
        assert again.sequence >= lead.sequence
    for node, sums in ((node, sums) for node, sums in before.sums.items() if node not in shared):
        assert {name: getattr(after.sums[node], name) for name in SUMS} == {name: getattr(sums, name) for name in SUMS}, node
        assert after.identities[node].version == before.identities[node].version
    installed.produce("events", traffic(2, COUNT, users=12, cookies=40))
    wait_until_read(installed, 2 * COUNT + len(moves()))
    assert worker.stop() == 0
    now = facts(installed)
    assert now.keys() >= told.keys()
    assert all(len(contents) == 1 for contents in now.values())


def test_a_resync_of_people_who_are_all_there_changes_nothing(installed: Installation) -> None:
    installed.produce("events", traffic(3, COUNT, users=12, cookies=40))
    worker = installed.worker()
    wait_until_read(installed, COUNT)
    before = facts(installed)
    done = installed.run("resync")
    assert done.returncode == 0, done.stderr
    wait_until_read(installed, COUNT + 4 * 64)
    assert worker.stop() == 0
    assert facts(installed) == before


def states(installation: Installation) -> dict[bytes, bytes]:
    """Return what the CRM reads of each lead when it starts late."""
    newest = {record.key or b"": record.value for record in installation.read("lead-states")}
    return {id_: value for id_, value in newest.items() if value is not None}


def merged_and_erased(installation: Installation, count: int) -> None:
    """Let a worker read so many events, and operators make two leads one and erase another."""
    mail = {"type": "email", "id": "m@a.example"}
    two: dict[str, dict[str, Any]] = {"user::m": {"userId": "m"}, "email::m@a.example": {"context": {"externalIds": [mail]}}}
    events = {node: {"type": "track", "event": "Demo Requested", "messageId": node, **who} for node, who in two.items()}
    installation.produce("events", [(node.encode(), json.dumps(event).encode()) for node, event in events.items()])
    worker = run_worker(installation)
    wait_until_read(installation, count + len(two))
    for words in (("link", *two), ("erase", "user::u3", "--yes")):
        done = installation.run(*words, "--url", f"http://127.0.0.1:{worker.port}")
        assert done.returncode == 0, done.stderr
    assert worker.process.stop() == 0


def test_leads_that_lead_states_lost_are_there_again_by_a_resync(installed: Installation) -> None:
    installed.produce("events", traffic(6, COUNT, users=12, cookies=40))
    merged_and_erased(installed, COUNT)
    before, told = states(installed), facts(installed)
    all_told = b"".join(value for values in told.values() for value in values)
    assert all(f'"lead.{end}.v1"'.encode() in all_told for end in ("merged", "erased"))
    (deleted,) = admin_of(installed.broker.address).delete_topics([installed.topic("lead-states")]).values()
    deleted.result()
    done = installed.run("resync")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{len(before)} leads that lead-states had lost are there again")
    assert (states(installed), facts(installed)) == (before, told)
    assert installed.run("resync").stdout.startswith("every linked visitor"), "all are there"
    installed.produce("events", moves())
    settle(installed, sum(ends(installed, "events").values()))
    now = facts(installed)
    assert now.keys() > told.keys()
    assert states(installed) == {id_.encode(): value for id_, value in shown(min(one) for one in now.values()).items()}


def test_people_whose_log_was_recreated_get_what_it_lost_by_a_resync(installed: Installation) -> None:
    installed.produce("events", traffic(4, COUNT, users=12, cookies=40))
    settle(installed, COUNT)
    installed.produce("events", traffic(5, COUNT, users=12, cookies=40))
    worker = installed.worker(CHECKPOINT="1s")
    wait_until_read(installed, 2 * COUNT)
    assert worker.stop() == 0
    before = people(installed)
    recreate(installed, "people")
    refused(installed)
    assert installed.run("topics", "--adopt").stdout.endswith("comes back with `leadstream resync`, once a worker runs\n")
    worker = installed.worker()
    worker.wait_for_line("ready: ")
    assert installed.run("resync").returncode == 0
    wait_until_read(installed, 2 * COUNT + 4 * 64)
    assert worker.stop() == 0
    after = people(installed)
    assert {id_: set(one.members) for id_, one in after.leads.items()} == {
        id_: set(one.members) for id_, one in before.leads.items()
    }


def test_what_was_said_and_nobody_had_read_is_not_lost_with_the_table(installed: Installation) -> None:
    installed.produce("events", traffic(6, COUNT, users=12, cookies=40))
    settle(installed, COUNT)
    before = people(installed)
    lead = before.leads[before.identities["user::u3"].person]
    other = installed.folder / "other.toml"
    other.write_text(installed.run("ruleset", "show").stdout + "\n# other\n")
    assert installed.run("ruleset", "deploy", str(other), "--wait", "0").returncode == 1
    assert installed.run("erase", "user::u3", "--yes", "--wait", "0").returncode == 1
    recreate(installed, "people-changelog")
    refused(installed)
    for step in ("unread", "empty"):
        ended_before(installed, step)
    done = installed.run("resync")
    assert "2 words that no worker had read are said again" in done.stdout, done.stderr
    assert installed.run("resync").returncode == 0, "whatever its first worker meets"
    worker = installed.worker()
    erased = {"type": "lead.erased.v1", "subject": lead.id}
    installed.wait_for_records(
        "stage-changes", lambda told: any(json.loads(one.value or b"").items() >= erased.items() for one in told)
    )
    wait_until(lambda: lead.id not in people(installed).leads, 20, "the cut")
    assert worker.stop() == 0
    after = people(installed)
    assert not {*lead.members} & after.identities.keys()
    assert after.leads.keys() == before.leads.keys() - {lead.id}
    assert installed.run("ruleset", "show").stdout == other.read_text()


def test_no_worker_starts_on_people_of_whom_only_some_are_there_again(installed: Installation) -> None:
    installed.produce("events", traffic(7, COUNT, users=12, cookies=40))
    settle(installed, COUNT)
    before, told = people(installed), facts(installed)
    rows = [(row.key, row.value) for row in installed.read(f"{installed.app}-people-changelog")]
    recreate(installed, "people-changelog")
    installed.produce("app-people-changelog", rows[:-5], partition=0)  # the nulls that empty it are more than it lost
    assert "the people were lost" in refused(installed)
    for step in ("empty", "_ask_visitors", "turned"):
        ended_before(installed, step)
        assert refused(installed).endswith("`leadstream resync` was ended before it was through; run it again")
    adopted = installed.run("topics", "--adopt")
    assert (adopted.returncode, "run it again" in adopted.stderr) == (2, True)
    assert installed.run("resync").stdout.startswith(f"{len(before.leads)} leads stand again")
    worker = installed.worker()
    wait_until(lambda: settled(installed), 60, "all sums")
    assert worker.stop() == 0
    assert people(installed).leads.keys() == before.leads.keys()
    assert facts(installed) == told


def test_a_resync_whose_records_were_lost_is_followed_by_another(installed: Installation) -> None:
    installed.produce("events", traffic(8, COUNT, users=12, cookies=40))
    settle(installed, COUNT)
    before = people(installed)
    recreate(installed, "people-changelog")
    assert installed.run("resync").returncode == 0
    recreate(installed, "events")
    assert installed.run("topics", "--adopt").returncode == 0
    worker = installed.worker()
    worker.wait_for_line("ready: ")
    wait_until(lambda: len(people(installed).log.settling) == 4, 30, "a resync that nobody ends")
    assert installed.run("resync").returncode == 0
    wait_until(lambda: settled(installed), 60, "all sums")
    assert worker.stop() == 0
    assert people(installed).leads.keys() == before.leads.keys()
