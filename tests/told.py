"""Short ways to say what happens to visitors and people: rulesets, events, and a people log of one's own."""

from collections.abc import Collection, Iterable, Sequence
from itertools import count
from typing import Any

import msgspec
import orjson

from stream.domain import decay, documents, visitor
from stream.domain.event import Event, Link
from stream.domain.ids import lead_id
from stream.domain.instants import parse
from stream.domain.leads import Out
from stream.domain.log import Deployment, Record, Said, Tick, Wake, decode, encode
from stream.domain.people import People
from stream.domain.person import Person
from stream.domain.ruleset.load import load
from stream.domain.ruleset.model import Ruleset
from stream.domain.visitor import Outcome, Visitor

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
START = 1_767_571_200_000
"""2026-01-05T00:00:00Z in ms."""

BEHAVIOURS = """
[decay]
half_life = "10d"
[behaviours.asked]
match = { event = "Asked" }
points = 80
intent = "direct"
journey = "decision"
[behaviours.met]
match = { event = "Met" }
points = 30
half_life = "5d"
journey = "consideration"
[behaviours.left]
match = { event = "Left" }
points = -50
[behaviours.moved]
match = { event = "Lead Stage Changed" }
points = 1
[behaviours.viewed]
match = { type = "page" }
points = 10
[tags.pricing]
match = { url = "*pricing*" }
[tags.topics]
from = "properties.topics"
"""
LADDER = """
[[stages]]
name = "lead"
enter = { identified = true }
[[stages]]
name = "mql"
enter = { interest = 60 }
exit = { interest = 40 }
[[stages]]
name = "sql"
enter = { total = 120 }
exit = { total = 90 }
[[stages]]
name = "customer"
owner = "crm"
[[stages]]
name = "star"
enter = { total = 1000 }
exit = { total = 900 }
"""

_messages = count(1)


def rules(text: str = BEHAVIOURS + LADDER) -> Ruleset:
    """Load a ruleset from its text."""
    return load(text.encode())


def happened(name: str, node: str, t: int, **more: Any) -> Event:
    """Return an event: a `page`, or a track of that name, at `t`, received then unless `r` says otherwise."""
    links = tuple(Link(one) if isinstance(one, str) else one for one in more.pop("links", ()))
    what = {"type": "page"} if name == "page" else {"type": "track", "event": name}
    message = next(_messages).to_bytes(6, "big")
    return Event(**{"node": node, "t": t, "r": t, "message": message, "links": links, **what, **more})


def row_after(*events: Event, ruleset: Ruleset | None = None) -> Visitor:
    """Return the row that a visitor's events leave."""
    row: Visitor | None = None
    ruleset = ruleset or rules()
    for position, event in enumerate(events, 1):
        row = visitor.apply(row, event, position, ruleset).row
    assert row is not None
    return row


def worth(row: Visitor, at: int, sums: str = "points") -> dict[str, float]:
    """Return what each name in a row's sums is worth."""
    return decay.worth(getattr(row.state, sums), row.state.landmark, at)


class Log:
    """Visitors' rows and the people log that their snapshots make; wakes are answered at once."""

    def __init__(self, ruleset: Ruleset | None = None, partitions: int = 1) -> None:
        self.rules = ruleset or rules()
        self.people = People({}, partitions, "leadstream", self.rules)
        self.visitors: dict[str, Visitor] = {}
        self.records: list[bytes] = []
        self.out: list[Out] = []

    def add(self, *events: Event) -> Outcome:
        """Let events happen; returns what became of the last one."""
        for event in events:
            outcome = visitor.apply(self.visitors.get(event.node), event, len(self.records) + 1, self.rules)
            self.visitors[event.node] = outcome.row
            if outcome.snapshot is not None:
                self.append(outcome.snapshot)
        return outcome

    def tick(self, until: int, partition: int = 0) -> None:
        """Let the clock of a partition run."""
        self.append(Tick(partition, until))

    def deploy(self, ruleset: Ruleset) -> None:
        """Let a ruleset come into force, for visitors too."""
        self.rules = ruleset
        self.append(Deployment(ruleset.text))

    def append(self, record: Record) -> None:
        """Put a record into the log, apply it, and answer the wakes it causes."""
        self.records.append(encode(record))
        self.people.apply(len(self.records), self.records[-1])
        made = self.people.take_out()
        self.out += made
        for wake in [decode(out.value) for out in made if out.topic == "wakes" and out.value is not None]:
            if isinstance(wake, Said):
                visitor.remember(self.visitors.setdefault(wake.node, Visitor()), wake)
                continue
            assert isinstance(wake, Wake)
            self.visitors[wake.node], snapshot = visitor.wake(self.visitors.get(wake.node), wake.node, wake.r, self.rules)
            self.append(snapshot)

    @property
    def facts(self) -> list[dict[str, Any]]:
        """Return all facts so far."""
        return facts_in(self.out)

    def moves(self, lead: str | None = None) -> list[tuple[str, str, str, int]]:
        """Return (from, to, reason, time after START in ms) of every stage change."""
        return moves_in(self.facts, lead)

    def person(self, node: str) -> Person:
        """Return the person an identity belongs to."""
        identity = self.people.rows.identity(node)
        assert identity is not None
        person = self.people.rows.person(identity.person)
        assert person is not None
        return person

    def document(self, node: str, at: int) -> dict[str, Any]:
        """Return the lead document of an identity's person as of `at`."""
        return documents.lead(self.people.leads, self.person(node), at, at, decided=False)


def facts_in(out: Iterable[Out]) -> list[dict[str, Any]]:
    """Return the facts among outputs."""
    return [orjson.loads(o.value) for o in out if o.topic == "stage-changes" and o.value is not None]


def moves_in(facts: Iterable[dict[str, Any]], lead: str | None = None) -> list[tuple[str, str, str, int]]:
    """Return (from, to, reason, time after START in ms) of every stage change, of one lead if it is named."""
    return [
        (stage["from"]["name"], stage["to"]["name"], f["data"]["reason"]["code"], parse(f["time"]) - START)
        for f in facts
        if (stage := f["data"].get("stage")) and lead in (None, f["subject"])
    ]


def replay(records: Sequence[bytes], ruleset: Ruleset, cuts: Collection[int] = (), partitions: int = 1) -> list[Out]:
    """Return what a log makes when the table is cut, and read anew from its bytes, before the records at `cuts`."""
    stored: dict[bytes, bytes] = {}
    people = People(stored, partitions, "leadstream", ruleset)
    out: list[Out] = []
    for index, record in enumerate(records):
        if index in cuts:
            people.cut()
            people = People(stored, partitions, "leadstream", ruleset)
        people.apply(index + 1, record)
        out += people.take_out()
    return out


def without_offset(out: Iterable[Out]) -> list[bytes]:
    """Return the facts' bytes, what was read of the log aside."""
    facts = facts_in(out)
    for fact in facts:
        fact["data"].get("freshness", {}).pop("offset", None)
    return [orjson.dumps(fact) for fact in facts]


def copied(row: Any) -> Any:
    """Return a row as it comes back from its bytes."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=type(row))


LEAD_1, LEAD_2 = lead_id("user::1"), lead_id("user::2")
