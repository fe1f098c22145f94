"""The CRM's side, as `examples/` does it: order, repeats, merges, and what it sends back."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from schemas.event import partition_key
from tests.brokers import ROOT, Installation
from tests.unit.test_schemas_stage_change import EXAMPLE

A, B = "lead_00000000000000aa", "lead_00000000000000bb"
pytestmark = pytest.mark.kafka
Run = Callable[..., list[str]]


def example(name: str, *words: str) -> list[str]:
    """Run an example and return the lines it prints."""
    command = [sys.executable, str(ROOT / "examples" / name), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.splitlines()


@pytest.fixture
def topics(on_kafka: Installation) -> Installation:
    names = [on_kafka.topic(name) for name in ("events", "stage-changes")]
    admin = AdminClient({"bootstrap.servers": on_kafka.broker.address, "log_level": 0})
    for created in admin.create_topics([NewTopic(name, 2, 1) for name in names]).values():
        created.result(30)
    return on_kafka


@pytest.fixture
def consume(topics: Installation, tmp_path: Path) -> Run:
    def run(group: str = "crm") -> list[str]:
        where = ["--kafka", topics.broker.address, "--topic", topics.topic("stage-changes")]
        state = ["--group", topics.prefix + group, "--state", str(tmp_path / "cards.sqlite")]
        return example("crm_consumer.py", *where, *state, "--once")

    return run


def stage_change(lead: str, sequence: int, **stages: str) -> tuple[bytes, bytes]:
    event = json.loads(EXAMPLE)
    event |= {"id": f"{lead}-{sequence:010d}", "subject": lead, "sequence": f"{sequence:010d}"}
    event["data"]["lead"] |= {"id": lead, "traits": {"email": f"{lead[-2:]}@acme.example"}}
    for end, name in stages.items():
        event["data"]["stage"][end.strip("_")]["name"] = name
    return lead.encode(), json.dumps(event).encode()


def merged(lead: str, sequence: int, into: str) -> tuple[bytes, bytes]:
    event = json.loads(stage_change(lead, sequence)[1])
    event |= {"type": "lead.merged.v1", "data": {"lead": {"id": lead}, "into": into}}
    return lead.encode(), json.dumps(event).encode()


def test_the_consumer_prints_each_change_once_and_in_order_and_goes_on_where_it_was(topics: Installation, consume: Run) -> None:
    first, second = stage_change(A, 1, from_="visitor", to="lead"), stage_change(A, 2, from_="lead", to="mql")
    topics.produce("stage-changes", [first, second, first, second])

    lines = consume()

    assert [line.split(",")[0] for line in lines] == [
        "aa@acme.example (Acme): visitor -> lead",
        "aa@acme.example (Acme): lead -> mql",
    ]
    assert lines[0].endswith("interest reached 62.0 (needs 60) [82.0 points, grade C, nurture]")

    topics.produce("stage-changes", [second, stage_change(A, 3, from_="mql", to="lead")])
    assert [line.split(",")[0] for line in consume()] == ["aa@acme.example (Acme): mql -> lead"]
    assert consume() == []


def test_a_consumer_that_lost_its_place_drops_all_it_has_seen(topics: Installation, consume: Run) -> None:
    topics.produce("stage-changes", [stage_change(A, 1, from_="visitor", to="lead")])
    assert len(consume()) == 1

    assert consume("a-new-group") == []


def test_a_merged_card_moves_to_the_survivor(topics: Installation, consume: Run) -> None:
    topics.produce("stage-changes", [stage_change(A, 1), stage_change(B, 1), merged(B, 2, A), merged(B, 2, A)])

    assert f"{B} is the same person as {A}: its card moves there" in consume()


@pytest.mark.parametrize(
    ("words", "key", "event", "properties"),
    [
        (
            ["--lead", A, "stage", "opportunity"],
            f"lead::{A}",
            "Lead Stage Changed",
            {"stage": "opportunity", "changedBy": "crm"},
        ),
        (
            ["--crm-id", "00Q7", "won", "--amount", "12000", "--currency", "EUR"],
            "crm::00Q7",
            "Deal Won",
            {"amount": 12000.0, "currency": "EUR"},
        ),
        (
            ["--email", " Buyer@Acme.example", "lost", "--reason", "price"],
            "email::buyer@acme.example",
            "Deal Lost",
            {"reason": "price"},
        ),
        (["--lead", A, "owner", "anna"], f"lead::{A}", "Owner Changed", {"owner": "anna"}),
        (
            ["--lead", A, "order", "A-1", "--total", "900", "--currency", "EUR"],
            f"lead::{A}",
            "Order Completed",
            {"order_id": "A-1", "total": 900.0, "currency": "EUR"},
        ),
    ],
)
def test_what_a_crm_sends_back_has_the_key_the_contract_wants(
    topics: Installation, words: list[str], key: str, event: str, properties: dict[str, Any]
) -> None:
    where = ["--kafka", topics.broker.address, "--topic", topics.topic("events"), "--message-id", "m1"]

    (line,) = example("crm_sends_back.py", *where, *words)
    (record,) = topics.read("events")
    sent = json.loads(record.value or b"")

    assert (record.key, sent["event"], sent["properties"]) == (key.encode(), event, properties)
    assert partition_key(sent) == key
    assert line == f"{event} for {key} is at {record.topic}:{record.partition}:{record.offset}"


@pytest.mark.parametrize("name", ["crm_consumer.py", "crm_sends_back.py"])
def test_each_example_explains_itself(name: str) -> None:
    assert example(name, "--help")[0].startswith(f"usage: {name}")


@pytest.mark.process
def test_both_sides_work_with_a_worker(topics: Installation, consume: Run) -> None:
    topics.settings["PARTITIONS"] = "2"
    topics.worker()
    identify = {"type": "identify", "userId": "42", "messageId": "m1", "traits": {"email": "buyer@acme.example"}}
    topics.produce("events", [(b"user::42", json.dumps(identify).encode())])
    (record,) = topics.wait_for_records("stage-changes", bool)
    assert consume()[0].startswith("buyer@acme.example (acme.example): visitor -> lead, identified")

    lead = (record.key or b"").decode()
    where = ["--kafka", topics.broker.address, "--topic", topics.topic("events")]
    example("crm_sends_back.py", *where, "--lead", lead, "stage", "opportunity")
    topics.wait_for_records("stage-changes", lambda records: len(records) == 2)

    assert consume()[0].startswith("buyer@acme.example (acme.example): lead -> opportunity, the CRM says opportunity")
