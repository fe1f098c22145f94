"""The oracle's reading of the logs, which shares no code with the engine, and what it says of tables and outputs."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from stream.domain import documents, visitor
from stream.domain.people import People
from stream.domain.ruleset.model import Ruleset
from stream.intake import Intake
from stream.lookups import Lookups
from stream.simulation import Simulation
from tests.brokers import Record
from tests.chaos.logs import Copy
from tests.chaos.plain import Deed
from tests.chaos.told import Told
from tests.kafka.replay import Held
from tests.oracle.compare import compare
from tests.oracle.facts import account as named_account
from tests.oracle.facts import instant_text, lead_document, visitor_document
from tests.oracle.people import Person

PROMPT_MS = 1000
"""Within so long of its receive time a record must have reached its partition: then no tick is ahead of it."""


def wrong_visitors(told: Told, held: Held, rules: Ruleset) -> Iterator[str]:
    """Compare each visitor's sums with those of a plain recomputation."""
    rows = {key.decode(): visitor.decode(row) for key, row in held.items() if not key.startswith(b"\x00")}
    at = max((row.state.as_of for row in rows.values()), default=0)
    plain = {name: row for name, row in told.rows.items() if row.now.events}
    for node in plain.keys() | {node for node, row in rows.items() if row.state.events}:
        if node not in plain or node not in rows:
            yield f"{node}: only {'plainly' if node in plain else 'in the table'}"
            continue
        found: list[str] = []
        ours = documents.visitor(node, rows[node].state, rules, None, at, at)
        compare(node, visitor_document(plain[node], None, told.rules, at), ours, found)
        yield from found


def wrong_facts(told: Told, stage_changes: Iterable[Record]) -> Iterator[str]:
    """Compare what came out with what the oracle decided, id by id; none missing, none beyond."""
    there = {fact["id"]: fact for fact in (orjson.loads(record.value or b"{}") for record in stage_changes)}
    wanted = {str(fact["id"]): fact for fact in told.facts}
    for id_ in wanted.keys() | there.keys():
        if id_ not in there or id_ not in wanted:
            yield f"{id_}: only {'in stage-changes' if id_ in there else 'the oracle'} has it"
            continue
        found: list[str] = []
        free = id_ in told.between and there[id_]["data"]["reason"]["code"] == "ruleset_change"
        compare(f"fact {id_}", _fixed(wanted[id_], free=free), _fixed(there[id_], free=free), found)
        yield from found


def _fixed(fact: dict[str, Any], *, free: bool) -> dict[str, Any]:
    """Return a fact without the place in the log that woke it: the engine's fold is compared by its bytes."""
    left = {"freshness", "reason"} if free else {"freshness"}
    return fact | {"data": {name: value for name, value in fact["data"].items() if name not in left}}


def wrong_people(told: Told, people: People, at: int) -> Iterator[str]:
    """Compare each lead that the rows of `people` hold with the oracle's, as of `at` (ms)."""
    ours = {person.id: person for person in people.rows.persons() if person.identified}
    theirs = {person.lead.id: (person, person.lead) for person in told.distinct() if person.lead is not None}
    for id_ in ours.keys() | theirs.keys():
        if id_ not in ours or id_ not in theirs:
            yield f"{id_}: only {'in the table' if id_ in ours else 'the oracle'} has it"
            continue
        person, lead = theirs[id_]
        yield from _wrong_place(told, person, ours[id_].account)
        told.due(person, at)
        people.leads.advance(ours[id_], at, 0)
        found: list[str] = []
        document = documents.lead(people.leads, ours[id_], at, at, decided=False)
        compare(f"lead {id_}", lead_document(person, lead, told.rules, at), orjson.loads(orjson.dumps(document)), found)
        yield from found


def _wrong_place(told: Told, person: Person, account: str) -> Iterator[str]:
    """Compare the account that a lead is counted in with who is named when it was looked at last, or by the clock since."""
    lead = person.lead
    assert lead is not None
    named = named_account(person, told.rules, max(told.known_at(lead), told.clock_since(person)))
    wanted = "" if named is None else named["id"]
    if account != wanted:
        yield f"lead {lead.id} counts for {account or 'no account'}, should for {wanted or 'none'}"


@dataclass(frozen=True)
class Alone:
    """A lead whose whole history `events` decide: one identity, always prompt; `until` is how far the clock brought it."""

    done: list[Deed]
    until: int


def lonely(told: Told) -> dict[str, Alone]:
    """Return such leads by id, those that lived under one ruleset."""
    found = {}
    in_conflict = {node for pair in told.conflicts for node in pair}
    for person in told.distinct():
        if person.lead is None or len(person.members) > 1 or person.lead.previous or person.members[0].id in in_conflict:
            continue
        node = person.members[0].id
        done = told.deeds[node]
        if told.born[node] >= told.place and all(one.late_ms <= PROMPT_MS and one.rules is told.rules for one in done):
            found[person.lead.id] = Alone(done, told.clock_since(person))
    return found


def wrong_alone(copy: Copy, alone: Mapping[str, Alone], rules: Ruleset, lookups: Lookups) -> Iterator[str]:
    """Compare the stage changes of such leads, byte for byte, with those of one undisturbed pass over their events."""
    intake = Intake(lookups, None, frozenset(stage.name for stage in rules.stages))
    there: dict[str, dict[str, bytes]] = {id_: {} for id_ in alone}
    for record in copy.read("stage-changes"):
        fact = orjson.loads(record.value or b"{}")
        if fact["subject"] in alone:
            there[fact["subject"]][fact["id"]] = _but_its_place(fact)
    for id_, lead in alone.items():
        calm = Simulation(rules, intake, copy.app)
        for deed in lead.done:
            calm.feed(orjson.dumps(deed.event.body | {"receivedAt": instant_text(deed.event.r)}))
        calm.finish(max(lead.until, calm.clock))
        wanted = {fact["id"]: _but_its_place(fact) for fact in calm.changes}
        if wanted != there[id_]:
            yield f"{id_} has one identity: {there[id_]} should be {wanted}"


def _but_its_place(fact: dict[str, Any]) -> bytes:
    fact["data"].get("freshness", {}).pop("offset", None)
    return orjson.dumps(fact)
