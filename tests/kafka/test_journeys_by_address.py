"""A lead is spoken to by its own id, by one merged away, by an e-mail; what a CRM says comes late, twice, or is our own word."""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stream.app import shipped_ruleset
from stream.domain.ids import lead_id
from tests.brokers import Installation
from tests.kafka.expected import Expected, facts_differ, received, sums_differ, told
from tests.kafka.group import wait_until_read
from tests.kafka.workers import run_worker

pytestmark = pytest.mark.process

FIRST, SECOND = lead_id("user::42"), lead_id("email::b@acme.example")
NOW = datetime.now(UTC)


def moved(stage: str, minutes_ago: int, *, by: str = "anna", **external: str) -> dict[str, Any]:
    """Return a CRM's word on a lead."""
    ((kind, id_),) = external.items()
    return {
        "type": "track",
        "event": "Lead Stage Changed",
        "properties": {"stage": stage, "changedBy": by},
        "timestamp": (NOW - timedelta(minutes=minutes_ago)).isoformat(),
        "context": {"externalIds": [{"type": kind, "id": id_}]},
    }


def did(event: str, **external: str) -> dict[str, Any]:
    ((kind, id_),) = external.items()
    return {"type": "track", "event": event, "context": {"externalIds": [{"type": kind, "id": id_}]}}


STORY: list[tuple[str, dict[str, Any]]] = [
    ("anon::c", {"type": "page", "anonymousId": "c", "context": {"page": {"url": "https://x.example/pricing"}}}),
    ("user::42", {"type": "identify", "userId": "42", "anonymousId": "c", "traits": {"title": "Head of IT"}}),
    ("email::b@acme.example", did("Webinar Attended", email="b@acme.example")),
    (f"lead::{SECOND}", did("Meeting Attended", lead=SECOND)),
    ("user::42", {"type": "identify", "userId": "42", "traits": {"email": "b@acme.example"}}),
    (f"lead::{SECOND}", moved("opportunity", 10, lead=SECOND)),
    ("email::b@acme.example", moved("customer", 20, email="b@acme.example")),
    (f"lead::{FIRST}", moved("customer", 5, by="leadstream", lead=FIRST)),
    (f"lead::{FIRST}", moved("customer", 5, lead=FIRST)),
    (f"lead::{FIRST}", did("Meeting Attended", lead=FIRST)),
    ("anon::c", {"type": "page", "anonymousId": "c", "context": {"page": {"url": "https://x.example/pricing"}}}),
]


def test_a_crm_speaks_to_a_lead_under_every_id_it_ever_saw(installation: Installation) -> None:
    assert installation.run("topics").returncode == 0
    running = run_worker(installation, CHECKPOINT="100ms")
    for number, (key, event) in enumerate(STORY, 1):
        value = json.dumps(event | {"messageId": f"m{number}"}).encode()
        installation.produce("events", [(key.encode(), value)])
        wait_until_read(installation, number)  # each with all its consequences before the next, as the oracle reads
    expected = Expected.of(received(installation), shipped_ruleset().text, "", int(time.time() * 1000))
    wanted = expected.facts()
    installation.wait_for_records("stage-changes", lambda found: wanted.keys() <= told(found).keys())

    assert facts_differ(expected, installation) == []
    assert [(fact["subject"], fact["data"].get("into")) for fact in wanted.values() if fact["type"] == "lead.merged.v1"] == [
        (SECOND, FIRST)
    ]
    crm = [f["data"]["stage"]["to"]["name"] for f in wanted.values() if f["data"].get("reason", {}).get("code") == "crm"]
    assert crm == ["opportunity", "customer"]
    counts = running.counts()
    assert (counts["echoes"], counts["applied"]) == (1, len(STORY) - 1)
    later = Expected.of(received(installation), shipped_ruleset().text, "", expected.at + 60_000)
    assert sums_differ(later, running, [FIRST]) == []
    assert running.ask("leads", SECOND)["id"] == running.ask("leads", "anon::c")["id"] == FIRST
    states = {record.key: record.value for record in installation.read("lead-states")}
    newest = [record.value for record in installation.read("stage-changes") if record.key == FIRST.encode()][-1]
    assert states == {FIRST.encode(): newest, SECOND.encode(): None}
    assert running.process.stop() == 0
