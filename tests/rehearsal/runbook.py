"""What the runbook tells an operator to type, typed: `make rehearse`."""

import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.brokers import ROOT, Broker, Installation, KafkaNode, free_port, own_node, wait_until
from tests.kafka.workers import Running, run_worker

PEOPLE, ERASED = 12, "user::p3"
_BLOCK = re.compile(r"^ *```sh (\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def blocks(page: str) -> list[tuple[str, str]]:
    """Return the commands of a page, each with where they are typed."""
    text = (ROOT / "docs" / "runbook" / f"{page}.md").read_text()
    return [(where, textwrap.dedent(commands)) for where, commands in _BLOCK.findall(text)]


def type_in(installation: Installation, commands: str, **environment: str) -> str:
    """Type commands as somebody of the installation, whose `leadstream` is this one."""
    program = installation.folder / "bin" / "leadstream"
    if not program.exists():
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m stream "$@"\n')
        program.chmod(0o755)
    env = installation.env() | environment
    env["PATH"] = f"{program.parent}:{env['PATH']}"
    done = subprocess.run(
        ["bash", "-e", "-c", commands], env=env, cwd=installation.folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, (commands, done.stdout, done.stderr)
    return done.stdout


@pytest.fixture
def node(tmp_path: Path) -> Iterator[KafkaNode]:
    with own_node(tmp_path / "kafka") as made:
        yield made


@pytest.fixture
def old(node: KafkaNode, tmp_path: Path) -> Iterator[Installation]:
    made = Installation(Broker(node.address, "kafka", node), tmp_path, prefix="old-", settings={"PARTITIONS": "2"})
    yield made
    made.close()


def people_come(installation: Installation, worker: Running) -> None:
    """Let people register, look around and go; one of them is erased."""
    events = []
    for n in range(PEOPLE):
        somebody = {"userId": f"p{n}", "anonymousId": f"d{n}"}
        events.append({"type": "identify", "messageId": f"i{n}", "traits": {"email": f"p{n}@acme{n}.example"}, **somebody})
        events += [{"type": "track", "event": "Pricing Viewed", "messageId": f"t{n}-{k}", **somebody} for k in range(n)]
    installation.produce("events", [(None, json.dumps(event).encode()) for event in events])
    worker.wait_until_applied(len(events))
    wait_until(lambda: "id" in worker.ask("leads", f"user::p{PEOPLE - 1}"), 30, "the last of them")
    done = installation.run("erase", ERASED, "--yes", WEB_PORT=str(worker.port))
    assert done.returncode == 0, done.stderr


def known(worker: Running) -> dict[str, Any]:
    """Return what does not fade of everybody known."""
    page = wait_until(lambda: json.loads(worker.get(f"/v1/leads?limit={PEOPLE}")[1]).get("leads"), 30, "a page of leads")
    people: list[dict[str, Any]] = page
    documents = [worker.ask("leads", lead["id"]) for lead in people]
    return {told["id"]: [told["stage"]["name"], told["members"], told["ruleset"]["hash"]] for told in documents}


def test_repartition(old: Installation, node: KafkaNode, tmp_path: Path) -> None:
    before = run_worker(old)
    people_come(old, before)
    (_, show), (_, make), (_, copy), (_, lag) = blocks("repartition")
    type_in(old, show)
    names = dict(re.findall(r"LEADSTREAM_(APP|TOPIC_PREFIX|PARTITIONS)=(\S+)", make))
    new = Installation(
        old.broker, tmp_path, prefix=names["TOPIC_PREFIX"], settings=names | {"RULESET": str(tmp_path / "rules.toml")}
    )
    exports = "".join(line + "\n" for line in make.splitlines() if line.startswith("export"))
    try:
        assert "created" in type_in(new, make)
        after = run_worker(new)
        assert f" {PEOPLE * (PEOPLE + 1) // 2 - 1 - 3} events copied" in " " + type_in(new, exports + copy, OLD_PREFIX="old-")
        wait_until(lambda: len(known(after)) == PEOPLE - 1, 60, "everybody but the erased")
        assert known(after) == known(before)
        old.produce("events", [(None, b'{"type":"identify","userId":"late","messageId":"late"}')])
        assert type_in(new, exports + copy, OLD_PREFIX="old-").startswith("1 events copied")
        assert type_in(new, exports + copy, OLD_PREFIX="old-").startswith("0 events copied")
        wait_until(lambda: "STOP" not in type_in(new, exports + lag), 30, "the end of the new one")
    finally:
        new.close()


def test_backup_and_restore(old: Installation, node: KafkaNode, tmp_path: Path) -> None:
    worker = run_worker(old)
    people_come(old, worker)
    before = known(worker)
    assert len(before) == PEOPLE - 1
    assert worker.process.stop() == 0
    node.stop()
    there = {"LOG_DIRS": str(node.home / "data"), "BACKUP": str(tmp_path / "backup")}
    (_, backup), (_, restore), (_, check) = blocks("backup")
    type_in(old, backup, **there)
    (node.home / "data" / "meta.properties").unlink()
    type_in(old, restore, **there)
    node.start()
    type_in(old, check)
    again = run_worker(old, WEB_PORT=str(free_port()))
    assert int(re.findall(r"ready: (\d+) rows", again.process.output)[-1]) >= PEOPLE
    wait_until(lambda: known(again) == before, 30, "what was known")
