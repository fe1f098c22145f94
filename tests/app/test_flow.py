"""The whole flow on both brokers: events become rows, people, stage changes, dead letters."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from stream.runtime.producer import partition_of
from tests.brokers import Installation, Record, wait_until
from tests.kafka.group import committed

PARTITIONS = 4
RULES = """
[ruleset]
id = "brief"
timezone = "UTC"
[decay]
half_life = "14d"
[behaviours.tried]
match = { type = "track", event = "Trial Started" }
weight = 1.0
points = 100
half_life = "2s"
[[stages]]
name = "lead"
enter = { identified = true }
[[stages]]
name = "mql"
enter = { interest = 60 }
exit = { interest = 40 }
"""


@pytest.fixture
def installed(installation: Installation) -> Installation:
    installation.run("topics")
    return installation


def event(message: str, **members: Any) -> bytes:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return json.dumps({"messageId": message, "type": "track", "event": "Trial Started", "timestamp": now} | members).encode()


def changes(records: list[Record]) -> list[dict[str, Any]]:
    return [json.loads(record.value or b"null") for record in records]


def code_of(record: Record) -> str:
    return str(json.loads(record.value or b"null")["data"]["reason"]["code"])


def all_committed(installation: Installation, count: int) -> bool:
    return sum(committed(installation, "events").values()) >= count


def test_an_identified_visitor_becomes_a_lead_with_what_its_cookie_did_before(installed: Installation) -> None:
    installed.produce("events", [(b"anon::c1", event("1", anonymousId="c1"))])
    installed.produce("events", [(b"user::42", event("2", userId="42", anonymousId="c1", type="identify"))])
    installed.worker()
    found = installed.wait_for_records("stage-changes", lambda records: len(records) >= 1)
    first = changes(found)[0]
    assert first["data"]["stage"]["to"]["name"] == "lead"
    assert found[0].key == first["subject"].encode()
    assert found[0].headers["content-type"] == b"application/cloudevents+json"
    assert int(found[0].headers["leadstream-lag-ms"]) >= 0
    newest = installed.wait_for_records("lead-states", lambda records: len(records) >= 1)
    assert newest[0].value == found[0].value
    (wake,) = installed.wait_for_records("wakes", lambda records: len(records) >= 1)
    assert wake.key == b"anon::c1"
    assert wake.headers == {"leadstream-internal": b"wake"}
    assert wake.partition == partition_of(b"anon::c1", PARTITIONS)


def test_every_record_is_accounted_for_whatever_a_producer_sends(installed: Installation) -> None:
    right = partition_of(b"user::7", PARTITIONS)
    limit = 1_048_400 if installed.broker.kind == "kafka" else 900_000
    installed.produce("events", [(None, b"")], partition=0)
    installed.produce("events", [(b"gone", None)], partition=1)
    installed.produce("events", [(b"large", b"x" * limit)], headers={"a": b"1", "leadstream-reason": b"theirs"})
    installed.produce("events", [(b"anything", event("own"))], headers={"leadstream-internal": b"erase"})
    installed.produce("events", [(b"nobody", event("none"))])
    misplaced = (b"wrong", event("misplaced", userId="7"))
    installed.produce("events", [misplaced], partition=(right + 1) % PARTITIONS, headers={"trace": b"t"})
    installed.worker()
    wait_until(lambda: all_committed(installed, 7), what="seven records and one forwarded")
    letters = {record.key: record for record in installed.read("dead-letters")}
    assert {key: record.headers["leadstream-reason"] for key, record in letters.items()} == {
        None: b"not_json", b"gone": b"not_json", b"large": b"too_large", b"nobody": b"no_identity",
    }  # fmt: skip
    assert letters[b"large"].value == b"x" * limit
    assert letters[b"large"].headers["a"] == b"1"
    assert letters[b"gone"].value is None
    assert letters[b"gone"].headers["leadstream-topic"] == installed.topic("events").encode()
    assert letters[b"gone"].headers["leadstream-partition"] == b"1"
    forwarded = [record for record in installed.read("events") if "leadstream-forwarded-from" in record.headers]
    assert [(record.key, record.value, record.partition) for record in forwarded] == [(b"user::7", misplaced[1], right)]
    assert forwarded[0].headers["trace"] == b"t"


def test_a_change_that_is_due_while_no_worker_lives_comes_after_the_restart_at_its_own_instant(
    installed: Installation, tmp_path: Path
) -> None:
    rules = tmp_path / "brief.toml"
    rules.write_text(RULES)
    worker = installed.worker(RULESET=str(rules))
    worker.wait_for_line("ready: ")
    installed.produce("events", [(b"user::9", event("1", userId="9"))])
    up = changes(installed.wait_for_records("stage-changes", lambda records: len(records) >= 1))[-1]
    assert up["data"]["stage"]["to"]["name"] == "mql"
    worker.kill()
    due = datetime.fromisoformat(up["data"]["score"]["nextCrossingAt"]).timestamp()
    installed.processes.clear()
    wait_until(lambda: time.time() > due + 1, what="the instant")
    installed.worker(RULESET=str(rules))
    found = installed.wait_for_records("stage-changes", lambda records: code_of(records[-1]) == "decay")
    assert len({record.value for record in found}) == 2
    down = changes(found)[-1]
    assert down["data"]["stage"]["to"]["name"] == "lead"
    assert down["time"] == up["data"]["score"]["nextCrossingAt"]


def test_a_change_that_is_due_comes_within_three_seconds_though_nobody_visits(installed: Installation, tmp_path: Path) -> None:
    rules = tmp_path / "brief.toml"
    rules.write_text(RULES)
    worker = installed.worker(RULESET=str(rules))
    worker.wait_for_line("ready: ")
    installed.produce("events", [(b"user::9", event("1", userId="9"))])
    found = installed.wait_for_records("stage-changes", lambda records: len(records) >= 2)
    down = changes(found)[-1]
    assert down["data"]["reason"]["code"] == "decay"
    assert found[-1].timestamp_ms - datetime.fromisoformat(down["time"]).timestamp() * 1000 < 3000
