"""Who is whom, end to end: leads merge while workers die, an operator takes them apart and together, the CRM can follow."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from stream.collected import TRUST
from stream.domain.ids import lead_id
from stream.rulesets import default_text
from tests.brokers import Installation, Record, wait_until
from tests.kafka.group import wait_until_read
from tests.kafka.replay import verify
from tests.kafka.workers import Running, run_worker

PAIRS = 60
LATER = 1_900_000_000_000
"""An instant to look ahead to (ms), so that two answers are as of the same."""
Facts = dict[str, list[dict[str, Any]]]


def user(n: int) -> str:
    return f"user::u{n}"


def mail(n: int) -> str:
    return f"email::b{n}@acme.example"


def does(node: str, event: str, link: str | None = None, message: str = "") -> tuple[bytes, bytes]:
    """Return an event of somebody who may name another."""
    ids = [dict(zip(("type", "id"), one.split("::"), strict=True)) for one in (node, link) if one]
    told = {"type": "track", "event": event, "context": {"externalIds": ids}, "messageId": f"{event}{link}{message}"}
    return node.encode(), json.dumps(told).encode()


def facts(records: list[Record]) -> Facts:
    """Return what was told of each lead, each once, in order; what came again had the same bytes."""
    found: dict[str, dict[str, bytes]] = defaultdict(dict)
    for record in records:
        assert record.key is not None
        assert record.value is not None
        id_ = json.loads(record.value)["id"]
        assert found[record.key.decode()].setdefault(id_, record.value) == record.value
    return {subject: [json.loads(value) for value in told.values()] for subject, told in found.items()}


def told(installation: Installation, *nodes: str) -> list[list[tuple[str, str | None, str | None]]]:
    """Return (type, stage, reason) of what was told of leads; their numbers have no gaps."""
    return said(facts(installation.read("stage-changes")), *nodes)


def said(known: Facts, *nodes: str) -> list[list[tuple[str, str | None, str | None]]]:
    found = []
    for subject in map(lead_id, nodes):
        its = known.get(subject, [])
        assert [fact["sequence"] for fact in its] == [f"{n:010d}" for n in range(1, len(its) + 1)]
        stages = [fact["data"].get("stage", {}).get("to", {}).get("name") for fact in its]
        codes = [fact["data"].get("reason", {}).get("code") for fact in its]
        found.append([(fact["type"], stage, code) for fact, stage, code in zip(its, stages, codes, strict=True)])
    return found


def state(installation: Installation, node: str) -> str | None:
    """Return the id of the fact that `lead-states` shows of a lead."""
    newest = {record.key: record.value for record in installation.read("lead-states")}
    value = newest[lead_id(node).encode()]
    return None if value is None else str(json.loads(value)["id"])


def merged(records: list[Record]) -> int:
    return len({record.key for record in records if b"lead.merged.v1" in (record.value or b"")})


def holder(workers: list[Running]) -> Running:
    found = wait_until(lambda: [w for w in workers if w.holds("leads", user(0))], what="who holds the people")
    return found[0]


def says(installation: Installation, asked: Running, *words: str) -> tuple[int, dict[str, Any]]:
    """Let an operator say something to a worker; returns the exit code and what was decided."""
    done = installation.run(*words, "--json", "--url", f"http://127.0.0.1:{asked.port}")
    assert done.returncode in {0, 1}, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.mark.process
def test_leads_merge_under_kill_9_and_an_operator_mends(on_kafka: Installation) -> None:
    on_kafka.run("topics")
    workers = merge_under_kill_9(on_kafka)
    people = holder(workers)
    other = next(worker for worker in workers if worker is not people)

    take_apart(on_kafka, other)
    no_event_joins_them(on_kafka, other)
    two_registrations_are_refused(on_kafka, people)
    join_again(on_kafka, people, other)
    only_servers_are_trusted(on_kafka, other)

    for worker in workers:
        assert worker.process.stop() == 0, worker.process.output[-3000:]
    assert verify(on_kafka).wrong == []


def merge_under_kill_9(installed: Installation) -> list[Running]:
    """Let pairs of leads merge while the worker that decides is killed; returns the workers that live then."""
    workers = [run_worker(installed), run_worker(installed)]
    for number, (name, event) in enumerate(((user, "Whitepaper Downloaded"), (mail, "Meeting Attended")), 1):
        installed.produce("events", [does(name(n), event) for n in range(PAIRS)])
        wait_until_read(installed, number * PAIRS)  # who is identified first is the survivor
    half = PAIRS // 2
    installed.produce("events", [does(user(n), "Page Read", mail(n)) for n in range(half)])
    installed.wait_for_records("stage-changes", lambda records: merged(records) > 3)
    dying = holder(workers)
    installed.produce("events", [does(user(n), "Page Read", mail(n)) for n in range(half, PAIRS)])
    dying.kill(installed)
    workers = [*(worker for worker in workers if worker is not dying), run_worker(installed)]
    wait_until_read(installed, 3 * PAIRS)
    installed.wait_for_records("stage-changes", lambda records: merged(records) == PAIRS)
    known = facts(installed.read("stage-changes"))
    for n in range(PAIRS):
        first, last = said(known, user(n), mail(n))
        assert [type_ for type_, _, _ in last].count("lead.merged.v1") == 1
        assert "lead.merged.v1" not in [type_ for type_, _, _ in first]
    assert state(installed, mail(7)) is None
    return workers


def take_apart(installed: Installation, other: Running) -> None:
    """Let an operator take two apart, by a worker that does not hold the people."""
    before = other.ask("leads", user(7), LATER)
    code, decided = says(installed, other, "unlink", user(7), mail(7), "--reason", "two colleagues")
    assert (code, decided["done"]) == (0, True), decided
    apart = [other.ask("leads", node, LATER) for node in (user(7), mail(7))]
    assert [(lead["id"], lead["members"]) for lead in apart] == [(lead_id(node), [node]) for node in (user(7), mail(7))]
    points = [
        sum(row["points"] for row in lead["explain"] if row["ruleId"].startswith("behaviours")) for lead in (before, *apart)
    ]
    assert points[0] == pytest.approx(points[1] + points[2], rel=1e-9)
    (split,) = told(installed, mail(7))
    ended = [type_ for type_, _, _ in split].index("lead.merged.v1")
    assert split[ended + 1][0] == "lead.unmerged.v1"
    assert [reason for _, _, reason in split[ended + 2 :]] == ["unmerge"]
    assert state(installed, mail(7)) == facts(installed.read("stage-changes"))[lead_id(mail(7))][-1]["id"]


def no_event_joins_them(installed: Installation, other: Running) -> None:
    installed.produce("events", [does(user(7), "Page Read", mail(7), "again"), does(mail(7), "Page Read", user(7), "again")])
    wait_until_read(installed, 3 * PAIRS + 2)
    assert other.ask("leads", mail(7))["members"] == [mail(7)]
    assert b"identity.conflict" not in b"".join(record.value or b"" for record in installed.read("stage-changes"))


def two_registrations_are_refused(installed: Installation, people: Running) -> None:
    code, decided = says(installed, people, "link", user(7), user(8))
    assert (code, decided["done"]) == (1, False)
    assert "two registrations" in decided["text"]


def join_again(installed: Installation, people: Running, other: Running) -> None:
    """Let an operator join them again, by the leads' ids."""
    code, decided = says(installed, people, "link", lead_id(mail(7)), lead_id(user(7)), "--reason", "one person after all")
    assert (code, decided["done"]) == (0, True), decided
    assert other.ask("leads", mail(7))["members"] == [mail(7), user(7)]
    assert told(installed, mail(7))[0][-1][0] == "lead.merged.v1"
    assert state(installed, mail(7)) is None


def only_servers_are_trusted(installed: Installation, other: Running) -> None:
    """Put a ruleset in force that trusts servers only: a browser's event links nobody to a registration, wherever it lands."""
    trusting = Path(installed.folder, "trusting.toml")
    trusting.write_bytes(default_text().replace(b"trusted_only = false", b"trusted_only = true"))
    assert installed.run("ruleset", "deploy", str(trusting)).returncode == 0
    read = len(installed.read("events"))
    for trust, device in ((b"browser", "anon::b"), (b"server", "anon::s")):
        for partition in range(2):  # one of them at least is forwarded
            installed.produce("events", [does(user(9), "Page Read", device)], headers={TRUST: trust}, partition=partition)
    wait_until_read(installed, read + 6)
    assert other.ask("leads", user(9))["members"] == ["anon::s", mail(9), user(9)]
