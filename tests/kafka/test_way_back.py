"""The way back, end to end: a CRM reads stage changes and answers; two workers, one killed in between; nobody is ever unknown."""

import json
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from examples import crm_consumer
from schemas.event import partition_key
from stream.domain.ids import lead_id
from tests.brokers import Installation
from tests.kafka.asking import Asker, pages_of_leads, until
from tests.kafka.workers import Running, run_worker

pytestmark = [pytest.mark.kafka, pytest.mark.process]

NOW = datetime.now(UTC)
PEOPLE = ("success", "late", "echo", "repeat", "held", "first", "second", "third", "deal")
MAILED = ("second", "third")
"""Known by an address alone: two registrations are never one person."""
NODES = {who: f"email::{who}@x.example" if who in MAILED else f"user::{who}" for who in PEOPLE}
LEADS = {who: lead_id(node) for who, node in NODES.items()}
SUCCESS = ("customer", "onboarding", "active", "renewal", "churned", "customer")
STAGES = {
    "success": "customer", "late": "customer", "echo": "mql", "repeat": "opportunity", "held": "lead", "first": "renewal",
    "deal": "mql",
}  # fmt: skip
"""Where each lead stands in the end."""


def event(who: str, name: str, second: float = 0, **told: Any) -> dict[str, Any]:
    """Return what the CRM says about a lead `second` seconds after the hour before; `who` may be an external id."""
    at = NOW - timedelta(hours=1) + timedelta(seconds=second)
    type_, _, id_ = who.partition("=") if "=" in who else ("lead", "", LEADS[who])
    message = told.pop("message", f"{who} {name} {second} {told}")
    return {
        "messageId": message, "type": "track", "event": name, "timestamp": at.isoformat(timespec="milliseconds"),
        "properties": told, "context": {"externalIds": [{"type": type_, "id": id_}]},
    }  # fmt: skip


def moved(who: str, stage: str, second: float = 0, **more: Any) -> dict[str, Any]:
    return event(who, "Lead Stage Changed", second, **{"stage": stage, "changedBy": "anna"} | more)


class Crm:
    """A CRM as `examples/crm_consumer.py` keeps it."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.cards = sqlite3.connect(":memory:")
        self.cards.execute(crm_consumer.CARDS)
        self.contents: dict[str, set[bytes]] = {}
        """What was read under each event's id."""

    def read(self) -> dict[str, str]:
        """Read the topic once more, repeats and all, and return the stage on each card."""
        for record in self.installation.read("stage-changes"):
            value = record.value or b""
            fact = json.loads(value)
            self.contents.setdefault(fact["id"], set()).add(value)
            crm_consumer.apply(self.cards, fact)
        return dict(self.cards.execute("SELECT lead, stage FROM cards WHERE into_lead IS NULL"))

    def has(self, people: Iterable[str], stage: str) -> bool:
        """Tell whether somebody's cards all show a stage."""
        cards = self.read()
        return all(cards.get(LEADS[who]) == stage for who in people)

    def moves_of(self, who: str) -> list[tuple[str, str]]:
        """Return the stages a lead came to, with the reason, in order."""
        facts = sorted((json.loads(min(values)) for values in self.contents.values()), key=lambda fact: str(fact["sequence"]))
        own = [fact["data"] for fact in facts if fact["subject"] == LEADS[who] and "stage" in fact["data"]]
        return [(data["stage"]["to"]["name"], data["reason"]["code"]) for data in own]

    def send(self, *events: dict[str, Any]) -> None:
        """Answer."""
        self.installation.produce("events", ((str(partition_key(one)).encode(), json.dumps(one).encode()) for one in events))


def arrivals(people: Iterable[str]) -> Iterable[dict[str, Any]]:
    """Yield how somebody becomes a marketing qualified lead."""
    for who in people:
        address = f"{who}@x.example"
        mailed: dict[str, Any] = {"context": {"externalIds": [{"type": "email", "id": address}]}}
        known = mailed if who in MAILED else {"userId": who, "traits": {"email": address}}
        yield {"type": "identify", "messageId": f"{who} came", **known}
        for n in range(2):
            yield {"type": "track", "event": "Meeting Attended", "messageId": f"{who} met {n}", **known}


def before_the_kill() -> list[dict[str, Any]]:
    return [
        *(moved("success", stage, second) for second, stage in enumerate(SUCCESS[:3])),
        moved("late", "customer", 5), moved("late", "opportunity", 3), event("late", "Owner Changed", 9, owner="anna"),
        moved("echo", "customer", 1, changedBy="leadstream"),
        moved("repeat", "opportunity", 1), moved("repeat", "opportunity", 1),
        moved("held", "lead", 1),
        {"type": "identify", "userId": "first", "messageId": "one person", "traits": {"email": "second@x.example"}},
        event("deal", "Deal Won", 4, amount=1200, currency="EUR", reason="the price"),
        event("deal", "Order Completed", 5, order_id="o-1", total=100, currency="EUR"),
    ]  # fmt: skip


def after_the_kill() -> list[dict[str, Any]]:
    return [
        *(moved("success", stage, second) for second, stage in enumerate(SUCCESS) if second > 2),
        moved("late", "churned", 4), event("late", "Owner Changed", 8, owner="ben"),
        moved("echo", "renewal", 2, changedBy="leadstream"),
        moved("repeat", "opportunity", 1), moved("repeat", "opportunity", 1, message="another delivery"),
        {"type": "track", "event": "Quote Requested", "userId": "held", "messageId": "held asks"},
        moved("second", "customer", 2),
        {"type": "identify", "userId": "first", "messageId": "one more", "traits": {"email": "third@x.example"}},
        event("deal", "Deal Lost", 2, reason="a competitor"),
        event("deal", "Order Completed", 6, order_id="o-1", total=90, currency="EUR"),
        event("email=deal@x.example", "Order Completed", 7, order_id="o-2", total=10, currency="EUR"),
        event("email=deal@x.example", "Owner Changed", 1, owner="cleo"),
    ]  # fmt: skip


def noise() -> Iterable[dict[str, Any]]:
    """Yield what a worker has read and not written when it is killed: its successor knows less for a moment."""
    for n in range(3000):
        yield {
            "type": "page",
            "userId": PEOPLE[n % 5],
            "messageId": f"noise {n}",
            "context": {"page": {"url": "https://x.example/"}},
        }


def holder(workers: Iterable[Running]) -> Running:
    return next(one for one in workers if one.holds("leads", LEADS["success"]))


def kill(worker: Running, installation: Installation) -> None:
    """End a worker by kill -9; from now on nobody minds that it is gone."""
    installation.processes.remove(worker.process)
    worker.process.kill()


def stands(worker: Running) -> dict[str, str]:
    return {who: worker.ask("leads", LEADS[who])["stage"]["name"] for who in STAGES}


def test_a_crm_answers_and_nobody_known_is_ever_unknown(on_kafka: Installation) -> None:
    assert on_kafka.run("topics").returncode == 0
    workers = [run_worker(on_kafka), run_worker(on_kafka)]
    crm = Crm(on_kafka)
    for people in ([who for who in PEOPLE if who not in MAILED], MAILED):  # who was identified first goes on when two are merged
        crm.send(*arrivals(people))
        until(on_kafka, partial(crm.has, people, "mql"), "the leads")
    with Asker(on_kafka, [worker.port for worker in workers], [*NODES.values(), *LEADS.values()]) as asker:
        crm.send(*before_the_kill())
        until(on_kafka, lambda: crm.read().get(LEADS["late"]) == "customer", "the CRM's first words")
        killed = holder(workers)
        crm.send(*noise())
        asker.wait_for_somebody_new(then=partial(kill, killed, on_kafka))
        crm.send(*after_the_kill())
        workers.remove(killed)
        left = workers[0]
        until(on_kafka, lambda: crm.read().get(LEADS["success"]) == "customer" and _owned(left), "the CRM's last words")
        crm.send(moved("third", "renewal", 3), moved("second", "onboarding", 1))
        until(on_kafka, lambda: crm.read().get(LEADS["first"]) == "renewal", "what is said of two that were merged away")
        asker.wait_for_somebody_new()
        workers.append(run_worker(on_kafka, WEB_PORT=str(killed.port)))
        asker.wait_for_somebody_new()
        until(on_kafka, asker.all_known, "everybody everywhere")
        pages = [pages_of_leads(worker.get, 7) for worker in workers]
    assert asker.wrong == []
    assert asker.met[503]
    assert not asker.without_hint
    _check_the_crm(crm, workers)
    for ids_ in pages:
        assert ids_ is not None
        assert ids_ == sorted(set(ids_))
        assert {LEADS[who] for who in STAGES} <= set(ids_)
        assert not {LEADS["second"], LEADS["third"]} & set(ids_)


def _owned(worker: Running) -> bool:
    document = worker.ask("leads", LEADS["deal"])
    return "owner" in document and document["owner"] == "cleo" and document["outcomes"]["orders"]["count"] == 2


def _check_the_crm(crm: Crm, workers: Iterable[Running]) -> None:
    cards = crm.read()
    assert {who: cards[LEADS[who]] for who in STAGES} == STAGES
    assert all(len(contents) == 1 for contents in crm.contents.values())
    assert crm.moves_of("success")[2:] == [(stage, "crm") for stage in SUCCESS]
    assert crm.moves_of("late")[2:] == [("customer", "crm")]
    assert crm.moves_of("repeat")[2:] == [("opportunity", "crm")]
    assert crm.moves_of("held")[2:] == [("lead", "crm")]
    assert crm.moves_of("first")[2:] == [("customer", "crm"), ("renewal", "crm")]
    assert crm_consumer.card_of(crm.cards, LEADS["third"]) == LEADS["first"]
    for worker in workers:
        assert stands(worker) == STAGES
        assert worker.ask("leads", LEADS["late"])["owner"] == "anna"
        assert worker.ask("leads", LEADS["second"])["id"] == worker.ask("leads", LEADS["third"])["id"] == LEADS["first"]
        outcomes = worker.ask("leads", LEADS["deal"])["outcomes"]
        assert (outcomes["won"]["amount"], outcomes["lost"]["reason"]) == (1200.0, "a competitor")
        assert outcomes["orders"]["currencies"] == {"EUR": {"count": 2, "total": 100.0}}
