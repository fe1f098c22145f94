"""What Kafka holds after a run, against the same logs replayed in one pass: this tests the engine, not the rules."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from schemas.event import Rejected
from stream.agents.headers import INTERNAL, forwarded_from, replayed_from
from stream.agents.latch import keep_flags
from stream.app import shipped_ruleset
from stream.domain import log
from stream.domain.people import People
from stream.domain.ruleset.model import Ruleset
from stream.domain.visitor import Visitor, apply, decode, encode, wake
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
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    wrong: list[str] = field(default_factory=list)

    def note(self, *, wrong: bool, what: str) -> None:
        """Remember what is wrong."""
        if wrong:
            self.wrong.append(what)


def verify(installation: Logs, partitions: int = 4, rules: Ruleset | None = None, lookups: Lookups | None = None) -> Verdict:
    """Compare tables and outputs with a replay of `events`, `wakes` and `people`."""
    verdict, rules = Verdict(), rules or shipped_ruleset()
    intake = Intake(lookups or Lookups(), None, frozenset(stage.name for stage in rules.stages))
    rows = _replay_events(installation.read("events"), partitions, rules, intake, verdict)
    _replay_wakes(installation.read("wakes"), rows)
    held = _held(installation.read(f"{installation.app}-visitors-changelog"), verdict, keep_flags)
    _compare_rows(rows, {key: row for key, row in held.items() if not key.startswith(b"\x00")}, verdict)
    records = installation.read("people")
    _compare_snapshots(records, rows, verdict)
    people = _held(installation.read(f"{installation.app}-people-changelog"), verdict)
    expected = _replay_people(records, people, People({}, partitions, installation.app, rules), verdict)
    for topic in ("stage-changes", "lead-states", "wakes"):
        _compare_outputs(topic, installation.read(topic), expected, verdict)
    return verdict


def _held(records: Iterable[Record], verdict: Verdict, merge: Merge = lambda _, counts, __: counts) -> Held:
    """Return what a recovery keeps: the row with the greatest position."""
    held: Held = {}
    for record in records:
        assert record.key is not None
        assert record.value is not None
        old = held.get(record.key)
        if old is None:
            held[record.key] = record.value
        elif record.value[1:_BODY] < old[1:_BODY]:
            verdict.stale += not record.key.startswith(MARK_KEY)  # each partition has its own
            held[record.key] = merge(record.key, old, record.value)
        else:
            held[record.key] = merge(record.key, record.value, old)
    return held


def _replay_events(
    records: Iterable[Record], partitions: int, rules: Ruleset, intake: Intake, verdict: Verdict
) -> dict[bytes, Visitor]:
    rows: dict[bytes, Visitor] = {}
    for record in records:
        verdict.events += 1
        headers = list(record.headers.items())
        event = intake.read(record.value, record.timestamp_ms, headers)
        if INTERNAL in record.headers:
            verdict.counts["own"] += 1
        elif isinstance(event, Rejected):
            verdict.counts["dead letter"] += 1
        elif event.echo:
            verdict.counts["echo"] += 1
        elif partition_of(event.node.encode(), partitions) != record.partition:
            verdict.counts["forwarded"] += 1
        else:
            key = event.node.encode()
            outcome = apply(rows.get(key), event, record.offset + 1, rules, forwarded_from(headers), replayed_from(headers))
            verdict.counts[outcome.verdict] += 1
            assert outcome.row is not None
            rows[key] = outcome.row
    return rows


def _replay_wakes(records: Iterable[Record], rows: dict[bytes, Visitor]) -> None:
    for record in records:
        told = log.decode(record.value or b"")
        assert isinstance(told, log.Wake)
        rows[told.node.encode()], _ = wake(rows.get(told.node.encode()), told.node, told.r)


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
        wanted, found = folded.get(key, b"")[_BODY:], there.get(key, b"")[_BODY:]  # a row's position is that of its cut
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
        verdict.note(wrong=there[: len(wanted)] != wanted, what=f"{topic} {key!r}: lost, or other content or order")
