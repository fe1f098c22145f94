"""What an installation must hold in the end, said by the independent oracle, and how the two differ."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from tests.brokers import Installation, Record
from tests.kafka.workers import Running
from tests.oracle.compare import compare
from tests.oracle.facts import instant_text
from tests.oracle.oracle import ranges_from, simulate

SUMS = ("members", "score", "journey", "tags", "explain")
"""What of a lead depends on no order; its id does: it is that of the identity identified first."""
SCORE = ("total", "fit", "interest", "timing", "grade")


@dataclass
class Expected:
    """The oracle's documents as of `at` (ms)."""

    document: dict[str, Any]
    at: int

    @classmethod
    def of(cls, lines: Iterable[bytes], ruleset: bytes, ranges: str, at: int) -> "Expected":
        return cls(simulate(lines, ruleset, ranges_from(ranges), at), at)

    def facts(self, leads: Iterable[str] | None = None) -> dict[str, dict[str, Any]]:
        """Return what is sent to the CRM by id, of some leads or of all."""
        wanted = None if leads is None else set(leads)
        return {fact["id"]: fact for fact in self.document["stageChanges"] if wanted is None or fact["subject"] in wanted}


def received(installation: Installation) -> list[bytes]:
    """Return what lies in `events` as lines of a recording: in the order it came, each with its receive time."""
    records = sorted(installation.read("events"), key=lambda record: (record.timestamp_ms, record.partition, record.offset))
    return [
        orjson.dumps({**orjson.loads(record.value or b""), "receivedAt": instant_text(record.timestamp_ms)}) for record in records
    ]


def told(records: Iterable[Record]) -> dict[str, bytes]:
    """Return the facts of `stage-changes` by id; an id has one content, and its subject is the key."""
    found: dict[str, bytes] = {}
    for record in records:
        fact = orjson.loads(record.value or b"")
        assert record.key == fact["subject"].encode()
        assert found.setdefault(fact["id"], record.value or b"") == record.value, f"{fact['id']} has two contents"
    return found


def facts_differ(expected: Expected, installation: Installation, leads: Iterable[str] | None = None) -> list[str]:
    """Return how the facts of leads differ, up to the oracle's instant; `freshness.offset` counts lines there."""
    wanted = expected.facts(leads)
    chosen = None if leads is None else set(leads)
    found = {
        id_: fact
        for id_, value in told(installation.read("stage-changes")).items()
        if (fact := orjson.loads(value))["time"] <= str(instant_text(expected.at))
        and (chosen is None or fact["subject"] in chosen)
    }
    problems = [f"missing: {id_} {_short(wanted[id_])}" for id_ in wanted if id_ not in found]
    problems += [f"too many: {id_} {_short(found[id_])}" for id_ in found if id_ not in wanted]
    for id_ in wanted.keys() & found.keys():
        compare(id_, _comparable(wanted[id_]), _comparable(found[id_]), problems)
    return problems


def _short(fact: dict[str, Any]) -> str:
    data = fact["data"]
    return " ".join((fact["time"], fact["type"], json.dumps(data.get("stage")), json.dumps(data.get("reason"))))


def _comparable(fact: dict[str, Any]) -> dict[str, Any]:
    data = dict(fact["data"])
    if "freshness" in data:
        data["freshness"] = {"asOf": data["freshness"]["asOf"]}
    return fact | {"source": "", "data": data}


def sums_differ(expected: Expected, running: Running, exact: Iterable[str] = ()) -> list[str]:
    """Return how visitors and leads differ when asked for by HTTP: the leads `exact` in everything, all others in their sums."""
    problems: list[str] = []
    whole = set(exact)
    for visitor in expected.document["visitors"]:
        if visitor["events"]:
            found = running.ask("visitors", visitor["id"], expected.at)
            compare(visitor["id"], visitor | {"lead": ""}, found | {"lead": ""}, problems)
    for lead in expected.document["leads"]:
        found = running.ask("leads", lead["members"][0], expected.at)
        if lead["id"] in whole:
            compare(lead["id"], lead, found, problems)
        elif not any(member.startswith("lead:") for member in lead["members"]):  # which lead an id names depends on the order
            compare(lead["id"], _sums(lead), _sums(found), problems)
    return problems


def _sums(lead: dict[str, Any]) -> dict[str, Any]:
    known = {name: lead.get(name) for name in SUMS}
    return known | {"score": {name: lead.get("score", {}).get(name) for name in SCORE}}
