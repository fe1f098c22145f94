"""After an erasure the files of a real Kafka hold nothing of the person, though a worker was killed and another one woke up."""

import json
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from stream.domain.ids import lead_id
from stream.domain.instants import write
from stream.runtime.producer import partition_of
from tests.brokers import Installation, Record, wait_until
from tests.kafka.test_zombies import alter
from tests.kafka.workers import Running, run_worker

PARTITIONS = 2
AT_ONCE = {
    "min.compaction.lag.ms": "0", "max.compaction.lag.ms": "200", "delete.retention.ms": "0", "file.delete.delay.ms": "0",
}  # fmt: skip
"""The product's own settings, with days made moments."""
TABLES = ("visitors", "people", "accounts")
NAME, PLACE, TITLE = "Canary Nightingale", "https://canary-place.example/canary-path", "Canary of the mine"
USER, COOKIE, MAIL = "canary-user", "canary-cookie", "canary@mine.example"
ADDRESS = "203.0.113.77"
LEAD = lead_id(f"user::{USER}")


class Told:
    """What a test publishes."""

    def __init__(self, installation: Installation) -> None:
        self.installation, self.count, self._number = installation, 0, 0

    def send(self, key: str, *, ago_ms: int = 0, **event: Any) -> None:
        """Publish one event."""
        self._number += 1
        when = write(int(time.time() * 1000) - ago_ms)
        event = {"messageId": f"m{self._number}", "timestamp": when, "type": "page"} | event
        self.count += self.installation.produce("events", [(key.encode(), json.dumps(event).encode())])

    def canary(self) -> None:
        """Let the person come by a cookie, register, and be scored, on a device of several people, too."""
        place = {"page": {"url": PLACE, "title": TITLE}, "ip": ADDRESS}
        self.send(f"anon::{COOKIE}", anonymousId=COOKIE, context=place)
        traits = {"email": MAIL, "name": NAME, "title": TITLE, "company": {"name": "Mine Works"}}
        self.send(f"user::{USER}", type="identify", userId=USER, anonymousId=COOKIE, traits=traits, context=place)
        self.installation.wait_for_records("stage-changes", lambda facts: any(_stage(fact) == "lead" for fact in facts))
        for event in (*["Demo Requested"] * 3, "Trial Started"):
            self.send(f"user::{USER}", type="track", event=event, userId=USER, context=place)
        self.send("anon::kiosk", type="identify", anonymousId="kiosk", traits={"email": MAIL, "name": NAME})
        self.installation.wait_for_records("stage-changes", lambda facts: any(_stage(fact) == "mql" for fact in facts))

    def kiosk(self) -> None:
        """Let two people use one device."""
        for user in ("7", "8"):
            self.send(f"user::{user}", userId=user, anonymousId="kiosk")

    def others(self) -> None:
        """Let others come, in every partition, who become leads: what compacts is what is written to."""
        for partition in range(PARTITIONS):
            for user in _users(partition):
                self.send(f"user::{user}-{self._number}", type="track", event="Demo Requested", userId=f"{user}-{self._number}")


def _stage(fact: Record) -> str | None:
    """Return the stage that the person came to."""
    stage = json.loads(fact.value or b"")["data"].get("stage") if fact.key == LEAD.encode() else None
    return None if stage is None else str(stage["to"]["name"])


def _users(partition: int) -> Iterator[str]:
    names = (f"other{n}" for n in range(1000))
    found = (name for name in names if partition_of(lead_id(f"user::{name}").encode(), PARTITIONS) == partition)
    yield next(found)


def compacted(installation: Installation) -> list[str]:
    return [installation.topic("lead-states"), *(f"{installation.app}-{table}-changelog" for table in TABLES)]


def segments(installation: Installation) -> dict[str, bytes]:
    """Return the bytes of every segment of every compacted topic, Kafka's own offsets included."""
    node = installation.broker.process
    assert node is not None
    topics = {*compacted(installation), "__consumer_offsets"}
    found: dict[str, bytes] = {}
    for folder in (node.home / "data").iterdir():
        if folder.name.rpartition("-")[0] in topics:
            for path in folder.glob("*.log"):
                try:
                    found[f"{folder.name}/{path.name}"] = path.read_bytes()
                except FileNotFoundError:
                    continue  # cleaned just now
    return found


def holding(installation: Installation) -> set[str]:
    """Return the compacted topics whose files hold a canary."""
    return {name.rpartition("-")[0] for name, data in segments(installation).items() if b"canary" in data.lower()}


def rows_of_the_canary(installation: Installation) -> list[Record]:
    """Return what a worker that was frozen before the erasure had written, or would write."""
    rows = [row for table in TABLES[:2] for row in installation.read(f"{installation.app}-{table}-changelog")]
    return [row for row in rows if row.value is not None and b"canary" in (row.key or b"") + row.value]


def wake_up(installation: Installation, rows: list[Record]) -> None:
    for row in rows:
        installation.produce(row.topic.removeprefix(installation.prefix), [(row.key, row.value)], partition=row.partition)


def letters(installation: Installation, reason: str) -> list[Record]:
    return [letter for letter in installation.read("dead-letters") if letter.headers["leadstream-reason"] == reason.encode()]


@pytest.fixture
def installed(on_kafka: Installation) -> Installation:
    if on_kafka.broker.process is None:
        pytest.skip("the files of a Kafka elsewhere cannot be read")
    on_kafka.settings |= {"PARTITIONS": str(PARTITIONS), "INSTANCE": "one"}
    assert on_kafka.run("topics").returncode == 0
    assert on_kafka.run("topics", "--check").returncode == 0
    return on_kafka


def compact(installation: Installation) -> None:
    """Let a day pass, the least that a row of a second writer leaves the one below it."""
    for topic in compacted(installation):
        alter(installation, topic, AT_ONCE)


@pytest.mark.kafka
def test_an_erased_person_leaves_every_compacted_file_through_a_kill_and_a_woken_worker(
    installed: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, worker = Told(installed), run_worker(installed)
    told.kiosk()
    installed.wait_for_records("stage-changes", lambda facts: any(b"identity.conflict.v1" in (r.value or b"") for r in facts))
    told.canary()
    worker.wait_until_applied(told.count)
    wait_until(lambda: len(holding(installed)) >= 3, 60, "the canary in lead-states and both tables")
    assert ADDRESS.encode() not in b"".join(segments(installed).values()), "no table keeps an address"
    stale = rows_of_the_canary(installed)
    _check_export(installed, worker)
    assert worker.process.stop() == 0
    installed.processes.remove(worker.process)

    worker = _erased_through_a_kill(installed, monkeypatch)
    assert worker.get(f"/v1/leads/{LEAD}")[0] == 404
    assert worker.get(f"/v1/visitors/anon::{COOKIE}")[0] == 404

    wake_up(installed, stale)
    assert worker.process.wait(60) == 70, "a second writer is noticed"
    installed.processes.remove(worker.process)
    worker = run_worker(installed)
    told.send(f"user::{USER}", userId=USER, anonymousId=COOKIE, ago_ms=3_600_000)
    told.send(f"anon::{COOKIE}", anonymousId=COOKIE, ago_ms=3_600_000)
    wait_until(lambda: len(letters(installed, "erased")) == 2, 60, "the dead letters")
    compact(installed)
    assert {(letter.key, letter.value) for letter in letters(installed, "erased")} == {(None, None)}

    def gone() -> bool:
        told.others()
        return not holding(installed)

    wait_until(gone, 120, lambda: f"compaction of {holding(installed)}")
    assert worker.get(f"/v1/leads/{LEAD}")[0] == 404
    _check_new_life(installed, worker, told)
    logs = "".join(log.read_text("utf-8", "replace") for log in installed.folder.glob("worker-*.log"))
    assert "ready: " in logs
    assert "canary" not in logs.lower()


def _check_export(installed: Installation, worker: Running) -> None:
    url = f"http://127.0.0.1:{worker.port}"
    shown = installed.run("export", f"email::{MAIL}", "--events", "--url", url)
    assert shown.returncode == 0, shown.stderr
    document = json.loads(shown.stdout)
    assert document["person"]["person"]["id"] == LEAD
    assert {row["id"] for row in document["visitors"]} == {f"user::{USER}", f"anon::{COOKIE}"}
    assert NAME in shown.stdout
    assert len(document["stageChanges"]) >= 2
    assert len(document["events"]) == 6


def _erased_through_a_kill(installed: Installation, monkeypatch: pytest.MonkeyPatch) -> Running:
    """Erase while workers are killed between outputs, rows and commits; return the one that goes on."""
    said = installed.start("erase", f"anon::{COOKIE}", "--yes", "--json", "--url", "http://127.0.0.1:1", name="erase")
    installed.wait_for_records("people", lambda log: any(b"\xa5erase" in (r.value or b"")[:10] for r in log))
    for step in ("changelog:1", "commit:2"):
        monkeypatch.setenv("_LEADSTREAM_FAULT", f"{step}:kill")
        killed = installed.worker()
        assert killed.wait() == -signal.SIGKILL
        installed.processes.remove(killed)
    monkeypatch.delenv("_LEADSTREAM_FAULT")
    said.kill()
    installed.processes.remove(said)
    worker = run_worker(installed)
    again = installed.run("erase", f"anon::{COOKIE}", "--yes", "--json", "--url", f"http://127.0.0.1:{worker.port}")
    assert (again.returncode, json.loads(again.stdout)["lead"]) == (1, None), "all was gone by then"
    told = [json.loads(r.value or b"{}") for r in installed.read("stage-changes") if r.key == LEAD.encode()]
    assert {fact["id"] for fact in told if fact["type"] == "lead.erased.v1"} == {told[-1]["id"]}
    states = [r for r in installed.read("lead-states") if r.key == LEAD.encode()]
    assert states == [] or states[-1].value is None
    return worker


def _check_new_life(installed: Installation, worker: Running, told: Told) -> None:
    told.send(f"user::{USER}", type="identify", userId=USER)

    def lives() -> bool:
        return worker.get(f"/v1/leads/{LEAD}")[0] == 200

    wait_until(lives, 30, "the new life")
    lead = worker.ask("leads", LEAD)
    assert (lead["members"], lead["score"]["interest"]) == ([f"user::{USER}"], 0.0)
    numbers = [json.loads(r.value or b"{}")["sequence"] for r in installed.read("stage-changes") if r.key == LEAD.encode()]
    distinct = sorted(set(numbers))
    assert distinct == [f"{n:010d}" for n in range(1, len(distinct) + 1)]
