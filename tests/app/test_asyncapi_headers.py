"""The AsyncAPI document names the headers of what the agents send, topic by topic, and no others."""

import asyncio
import json
from collections import defaultdict
from typing import Any

from stream.agents.accounts import AccountsLog
from stream.collected import COMPANY, TRUST
from stream.domain import log
from stream.domain.accounts.fold import Accounts
from stream.domain.erasing import SWEEP_MS
from stream.runtime.atomic import AtomicTable
from stream.runtime.producer import partition_of
from tests.app.test_accounts import RULES
from tests.app.test_agents import NOW, TOPICS, Bench, record
from tests.app.test_partstore import store
from tests.brokers import ROOT
from tests.crashing import PARTITIONS, World
from tests.crashing import RULES as OURS

DOCUMENT = json.loads((ROOT / "schemas/generated/asyncapi.json").read_text("utf-8"))
COLLECTED = [(TRUST, b"browser"), (COMPANY, b"null"), ("leadstream-history", b"1"), ("leadstream-replayed", b"dead-letters:0:7")]
"""What the collector, `send` and `deadletters replay` say of an event; a worker keeps it where it sends that on."""


def messages(topic: str) -> list[dict[str, Any]]:
    refs = DOCUMENT["channels"][topic]["messages"].values()
    return [DOCUMENT["components"]["messages"][ref["$ref"].rpartition("/")[2]] for ref in refs]


def described(topic: str) -> dict[str, str]:
    """Return the headers that the document knows in a topic, with what it says of them."""
    found: dict[str, str] = {}
    for message in messages(topic):
        headers = message["headers"]
        if "$ref" in headers:
            headers = DOCUMENT["components"]["schemas"][headers["$ref"].rpartition("/")[2]]
        found |= {name: schema.get("description", "") for name, schema in headers["properties"].items()}
    return found


async def a_story() -> World:
    """Let somebody come, be known, be forwarded, refused, erased, swept behind; with a ruleset in between."""
    world = World()
    world.happen("anon::c")
    world.happen("user::1", "anon::c", "email::a@acme.example")
    event = {"messageId": "astray", "type": "page", "userId": "2"}
    astray = (partition_of(b"user::2", PARTITIONS) + 1) % PARTITIONS
    world.kafka.append("events", astray, b"user::2", json.dumps(event).encode(), COLLECTED)
    world.kafka.append("events", 0, b"bad", b"{", COLLECTED)
    world.drain()
    world.worker.checkpoint()  # nothing is read behind a ruleset before what lies in front of it is committed
    world.kafka.append("people", 0, None, log.encode(log.Deployment(b"# another\n" + OURS.text)))
    world.worker.read("people", 0, 1)
    world.drain()
    world.erase("user::1")
    world.drain()
    world.kafka.clock += SWEEP_MS + 1
    for partition in range(PARTITIONS):
        world.tick(partition)
    world.drain()
    return world


async def test_each_header_of_what_visitors_and_people_send_is_in_the_document_and_no_other() -> None:
    world = await a_story()
    sent: dict[str, set[str]] = defaultdict(set)
    kinds: dict[str, set[str]] = defaultdict(set)
    for tp, records in world.kafka.logs.items():
        for one in records:
            sent[tp.topic] |= {name for name, _ in one.headers}
            kinds[tp.topic] |= {value.decode() for name, value in one.headers if name == "leadstream-internal"}

    for topic in ("events", "wakes", "stage-changes", "lead-states"):
        assert sent[topic] == described(topic).keys(), topic
    kept = {name for name, _ in COLLECTED}
    assert sent["dead-letters"] - kept == described("dead-letters").keys() - {"leadstream-cut", "leadstream-size"}
    kinds = {topic: told for topic, told in kinds.items() if told}
    assert kinds == {"events": {"erase", "sweep", "ruleset"}, "wakes": {"wake"}}
    for topic, told in kinds.items():
        assert all(kind in described(topic)["leadstream-internal"] for kind in told), topic
    assert sent["people"] == set(), "a resync alone says there that it wrote something"


async def test_each_header_of_what_accounts_send_is_in_the_document_and_no_other() -> None:
    bench, kept = Bench(), store()
    bench.flow.counts["account-changes"] = 4
    table = AtomicTable(lambda: kept, "accounts-changelog", lambda stored: Accounts(stored, "app", RULES))
    agent = AccountsLog(bench.flow, table, TOPICS, bench.metrics)  # type: ignore[arg-type]  # all of a flow that it uses
    lead = log.Member("lead_a", 1, lead=True)
    await agent.read(bench.batch("members", 0, [record(b"k", log.encode(log.Members("account::acme.example", NOW, [lead])))]))
    await asyncio.sleep(0)

    (fact,) = bench.flow.take("account-changes")
    assert {name for name, _ in fact.headers} == described("account-changes").keys()
