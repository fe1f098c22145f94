"""What Kafka holds after a run, against the same logs replayed in one pass: this tests the engine, not the rules."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from schemas.event import Rejected
from stream.agents.headers import INTERNAL, forwarded_from, replayed_from
from stream.agents.latch import keep_flags
from stream.app import shipped_ruleset
from stream.collected import collected_by
from stream.domain import log
from stream.domain.people import People
from stream.domain.ruleset.load import load
from stream.domain.ruleset.model import Ruleset
from stream.domain.trust import doubt
from stream.domain.visitor import Visitor, apply, decode, encode, remember, wake
from stream.intake import Intake
from stream.lookups import Lookups
from stream.runtime.partstore import Merge
from stream.runtime.producer import partition_of
from stream.runtime.resume import MARK_KEY
from tests.brokers import Record

META = b"\x00log"
_BODY = 9

Held = dict[bytes, bytes]
Values = dict[tuple[str, bytes], list[bytes | None]]


class Logs(Protocol):
    """An installation's topics, or a copy of them."""

    @property
    def app(self) -> str: ...

    def read(self, topic: str) -> list[Record]: ...


@dataclass
class Verdict:
    """What was compared and what differed; `repeated` outputs are allowed, everything in `wrong` is not."""

    events: int = 0
    rows: int = 0
    snapshots: int = 0
    facts: int = 0
    repeated: int = 0
    stale: int = 0
    alone: int = 0
    """How many leads had their whole history decided by `events` alone."""
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    switches: dict[int, dict[int, int]] = field(default_factory=dict)
    """By partition of `events`: at which offset what came at a place of `people` was met first."""
    wrong: list[str] = field(default_factory=list)
    refused: list[tuple[Record, str]] = field(default_factory=list)
    """The records of `events` that cannot be processed, with the reasons why."""
    visitors: dict[bytes, Visitor] = field(default_factory=dict)
    """The rows that the logs make."""
    people: People | None = None
    """The people that the logs make, with all they told accounts."""

    def note(self, *, wrong: bool, what: str) -> None:
        """Remember what is wrong."""
        if wrong:
            self.wrong.append(what)


def verify(installation: Logs, partitions: int = 4, rules: Ruleset | None = None, lookups: Lookups | None = None) -> Verdict:
    """Compare tables and outputs with a replay of `events`, `wakes` and `people`."""
    verdict, rules = Verdict(), rules or shipped_ruleset()
    switching = Switching(rules, lookups or Lookups())
    rows = _replay_events(installation.read("events"), partitions, switching, verdict)
    verdict.switches = switching.places
    _replay_wakes(installation.read("wakes"), rows, rules)
    held = _held(installation.read(f"{installation.app}-visitors-changelog"), verdict, keep_flags)
    _compare_rows(rows, {key: row for key, row in held.items() if not key.startswith(b"\x00")}, verdict)
    records = installation.read("people")
    _compare_snapshots(records, rows, verdict)
    people = _held(installation.read(f"{installation.app}-people-changelog"), verdict)
    fold = People({}, partitions, installation.app, rules, accounts=True)
    expected = _replay_people(records, people, fold, verdict)
    verdict.visitors, verdict.people = rows, fold
    for topic in ("stage-changes", "lead-states", "wakes"):
        _compare_outputs(topic, installation.read(topic), expected, verdict)
    return verdict


def _held(records: Iterable[Record], verdict: Verdict, merge: Merge | None = None) -> Held:
    """Return what a recovery keeps, and count the rows that an older writer left behind newer ones."""
    stale: list[bytes] = []
    held = newest_rows(records, merge, stale.append)
    verdict.stale += sum(not key.startswith(MARK_KEY) for key in stale)  # each partition has its own
    return held


def newest_rows(records: Iterable[Record], merge: Merge | None = None, stale: Callable[[bytes], None] = lambda _: None) -> Held:
    """Return what a recovery keeps: the row with the greatest position; a null takes the key away."""
    held: Held = {}
    for record in records:
        key, value = record.key, record.value
        assert key is not None
        old = held.get(key)
        if value is None:
            held.pop(key, None)
        elif old is None:
            held[key] = value
        else:
            older = value[1:_BODY] < old[1:_BODY]
            counts, other = (old, value) if older else (value, old)
            held[key] = counts if merge is None else merge(key, counts, other)
            if older:
                stale(key)
    return held


class Switching:
    """The ruleset and the reader of each partition of `events`, record by record."""

    def __init__(self, first: Ruleset, lookups: Lookups) -> None:
        self._first, self._lookups = first, lookups
        self._rules: dict[int, Ruleset] = {}
        self._intakes: dict[str, Intake] = {}
        self.places: dict[int, dict[int, int]] = defaultdict(dict)
        """By partition: at which offset what came at a place of `people` was met first."""

    def rules(self, partition: int) -> Ruleset:
        return self._rules.get(partition, self._first)

    def intake(self, partition: int) -> Intake:
        rules = self.rules(partition)
        if rules.hash not in self._intakes:
            self._intakes[rules.hash] = Intake(self._lookups, None, frozenset(stage.name for stage in rules.stages))
        return self._intakes[rules.hash]

    def own(self, record: Record) -> None:
        """Switch at the first record that puts a ruleset in force; what comes again, or late, changes nothing."""
        if record.headers[INTERNAL] == b"ruleset":
            told, known = log.decode(record.value or b""), self.places[record.partition]
            assert isinstance(told, log.NewRuleset)
            if told.place > max(known, default=0):
                known[told.place] = record.offset
                self._rules[record.partition] = load(told.text)


def _replay_events(
    records: Iterable[Record], partitions: int, switching: Switching, verdict: Verdict
) -> dict[bytes, Visitor]:  # fmt: skip
    rows: dict[bytes, Visitor] = {}
    for record in records:
        verdict.events += 1
        headers = list(record.headers.items())
        rules = switching.rules(record.partition)
        event = switching.intake(record.partition).read(record.value, record.timestamp_ms, collected_by(headers))
        if INTERNAL in record.headers:
            verdict.counts["own"] += 1
            switching.own(record)
        elif isinstance(event, Rejected):
            verdict.counts["dead letter"] += 1
            verdict.refused.append((record, event.reason))
        elif event.echo:
            verdict.counts["echo"] += 1
        elif partition_of(event.node.encode(), partitions) != record.partition:
            verdict.counts["forwarded"] += 1
        else:
            key = event.node.encode()
            if event.browser:
                doubt(event, rules)
            outcome = apply(rows.get(key), event, record.offset + 1, rules, forwarded_from(headers), replayed_from(headers))
            verdict.counts[outcome.verdict] += 1
            rows[key] = outcome.row
    return rows


def _replay_wakes(records: Iterable[Record], rows: dict[bytes, Visitor], rules: Ruleset) -> None:
    for record in records:
        told = log.decode(record.value or b"")
        if isinstance(told, log.Said):
            remember(rows.setdefault(told.node.encode(), Visitor()), told)
            continue
        assert isinstance(told, log.Wake)
        rows[told.node.encode()], _ = wake(rows.get(told.node.encode()), told.node, told.r, rules)


def _compare_rows(rows: dict[bytes, Visitor], held: Held, verdict: Verdict) -> None:
    verdict.rows = len(held)
    for key in rows.keys() | held.keys():
        there = encode(decode(held[key])) if key in held else None
        wanted = encode(rows[key]) if key in rows else None
        verdict.note(wrong=there != wanted, what=f"visitor {key!r}: {there!r} should be {wanted!r}")


def _compare_snapshots(records: Iterable[Record], rows: dict[bytes, Visitor], verdict: Verdict) -> None:
    """Each version of an identity has one content, and its newest is there."""
    versions: dict[tuple[str, int], bytes] = {}
    newest: dict[str, int] = {}
    for record in records:
        told = log.decode(record.value or b"")
        if isinstance(told, log.Snapshot):
            verdict.snapshots += 1
            newest[told.node] = max(told.version, newest.get(told.node, -1))
            if not told.wake:
                known = versions.setdefault((told.node, told.version), record.value or b"")
                verdict.note(wrong=known != record.value, what=f"snapshot {told.node} {told.version} has two contents")
    for key, row in rows.items():
        behind = row.listened and newest.get(key.decode(), -1) < row.position
        verdict.note(wrong=behind, what=f"the newest snapshot of {key!r} is not in people")


def _replay_people(records: Iterable[Record], held: Held, people: People, verdict: Verdict) -> Values:
    """Fold the log up to where the newest batch says that the table stands; return the outputs."""
    until = int.from_bytes(held[META][1:_BODY], "big") if META in held else 0
    expected: Values = defaultdict(list)
    for record in records:
        if record.offset < until:
            people.apply(record.offset, record.value or b"")
            for out in people.out:
                expected[out.topic, out.key].append(out.value)
            people.out.clear()
    people.log.next = until
    folded, there = dict(people.cut()), {key: row for key, row in held.items() if not key.startswith(MARK_KEY)}
    for key in folded.keys() | there.keys():
        wanted, found = (folded.get(key) or b"")[_BODY:], there.get(key, b"")[_BODY:]  # a row's position is that of its cut
        verdict.note(wrong=wanted != found, what=f"people {key!r}: {found!r} should be {wanted!r}")
    return expected


def _compare_outputs(topic: str, records: Iterable[Record], expected: Values, verdict: Verdict) -> None:
    """Each expected value is there and in this order; what comes again has come before."""
    found: dict[bytes, list[bytes | None]] = defaultdict(list)
    for record in records:
        found[record.key or b""].append(record.value)
    for key in {key for name, key in expected if name == topic} | found.keys():
        wanted = list(dict.fromkeys(expected.get((topic, key), [])))
        there = list(dict.fromkeys(found.get(key, [])))
        verdict.facts += len(wanted)
        verdict.repeated += len(found.get(key, [])) - len(there)
        verdict.note(wrong=there != wanted, what=f"{topic} {key!r}: lost, beyond the end, or other content or order")
        newest = found.get(key, [None])[-1] == expected.get((topic, key), [None])[-1] or topic != "lead-states"
        verdict.note(wrong=not newest, what=f"lead-states {key!r}: an older state lies behind the newest")
