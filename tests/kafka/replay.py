"""What Kafka holds after a run, against the same logs replayed in one pass: this tests the engine, not the rules."""

from collections import defaultdict
from dataclasses import dataclass, field

from schemas.event import Rejected
from stream.agents.headers import INTERNAL, forwarded_from, replayed_from
from stream.app import shipped_ruleset
from stream.domain import log
from stream.domain.people import People
from stream.domain.visitor import Visitor, apply, decode, encode, wake
from stream.intake import Intake
from stream.lookups import Lookups
from stream.runtime.producer import partition_of
from stream.runtime.resume import MARK_KEY
from tests.brokers import Installation, Record

_BODY = 9
META = b"\x00log"


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


def verify(installation: Installation, partitions: int = 4) -> Verdict:
    """Compare tables and outputs with a replay of `events`, `wakes` and `people`."""
    verdict = Verdict()
    rows = _visitors(installation, partitions, verdict)
    _people(installation, partitions, rows, verdict)
    return verdict


def _held(records: list[Record], verdict: Verdict) -> dict[bytes, bytes]:
    """Return what a recovery keeps: the row with the greatest position."""
    held: dict[bytes, bytes] = {}
    for record in records:
        assert record.key is not None
        if record.value is None:
            held.pop(record.key, None)
        elif record.key in held and record.value[1:9] < held[record.key][1:9]:
            verdict.stale += 1
        else:
            held[record.key] = record.value
    return held


def _visitors(installation: Installation, partitions: int, verdict: Verdict) -> dict[bytes, Visitor]:
    rules = shipped_ruleset()
    intake = Intake(Lookups(), None, frozenset(stage.name for stage in rules.stages))
    rows: dict[bytes, Visitor] = {}
    for record in installation.read("events"):
        verdict.events += 1
        headers = list(record.headers.items())
        if INTERNAL in record.headers:
            verdict.counts["own"] += 1
            continue
        event = intake.read(record.value, record.timestamp_ms, headers)
        if isinstance(event, Rejected):
            verdict.counts["dead letter"] += 1
            continue
        key = event.node.encode()
        if event.echo or partition_of(key, partitions) != record.partition:
            verdict.counts["echo" if event.echo else "forwarded"] += 1
            continue
        outcome = apply(rows.get(key), event, record.offset + 1, rules, forwarded_from(headers), replayed_from(headers))
        verdict.counts[outcome.verdict] += 1
        if outcome.row is not None:
            rows[key] = outcome.row
    for record in installation.read("wakes"):
        told = log.decode(record.value or b"")
        assert isinstance(told, log.Wake)
        rows[told.node.encode()], _ = wake(rows.get(told.node.encode()), told.node, told.r)
    held = _held(installation.read(f"{installation.app}-visitors-changelog"), verdict)
    held = {key: row for key, row in held.items() if not key.startswith(b"\x00")}
    verdict.rows = len(held)
    for key in rows.keys() | held.keys():
        if key not in held:
            verdict.wrong.append(f"visitor {key!r} has no row")
        elif key not in rows:
            verdict.wrong.append(f"visitor {key!r} never was")
        elif encode(rows[key]) != encode(decode(held[key])):
            verdict.wrong.append(f"visitor {key!r}: {decode(held[key])} should be {rows[key]}")
    return rows


def _people(installation: Installation, partitions: int, rows: dict[bytes, Visitor], verdict: Verdict) -> None:
    held = _held(installation.read(f"{installation.app}-people-changelog"), verdict)
    until = int.from_bytes(held[META][1:9], "big") if META in held else 0
    people = People({}, partitions, installation.app, shipped_ruleset())
    expected: dict[tuple[str, bytes], list[bytes | None]] = defaultdict(list)
    newest: dict[str, tuple[int, log.Snapshot]] = {}
    versions: dict[tuple[str, int], bytes] = {}
    for record in installation.read("people"):
        told = log.decode(record.value or b"")
        if isinstance(told, log.Snapshot):
            verdict.snapshots += 1
            if not told.wake:
                known = versions.setdefault((told.node, told.version), record.value or b"")
                if known != record.value:
                    verdict.wrong.append(f"snapshot {told.node} {told.version} has two contents")
            if told.node not in newest or told.version >= newest[told.node][0]:
                newest[told.node] = (told.version, told)
        if record.offset < until:
            people.apply(record.offset, record.value or b"")
            for out in people.out:
                expected[out.topic, out.key].append(out.value)
            people.out.clear()
    people.log.next = until
    folded = dict(people.cut())
    held = {key: row for key, row in held.items() if not key.startswith(MARK_KEY)}
    for key in folded.keys() | held.keys():
        if folded.get(key, b"")[_BODY:] != held.get(key, b"")[_BODY:]:  # a row's position is that of the cut it was in
            verdict.wrong.append(f"people {key!r}: {held.get(key)!r} should be {folded.get(key)!r}")
    for key, row in rows.items():
        if row.listened and (key.decode() not in newest or newest[key.decode()][0] < row.position):
            verdict.wrong.append(f"the newest snapshot of {key!r} is not in people")
    for topic in ("stage-changes", "lead-states", "wakes"):
        _outputs(installation, topic, {key: values for (name, key), values in expected.items() if name == topic}, verdict)


def _outputs(installation: Installation, topic: str, expected: dict[bytes, list[bytes | None]], verdict: Verdict) -> None:
    """Each expected value is there, in this order; what is repeated repeats a whole run of them."""
    found: dict[bytes, list[bytes | None]] = defaultdict(list)
    for record in installation.read(topic):
        found[record.key or b""].append(record.value)
    for key in expected.keys() | found.keys():
        wanted, there = expected.get(key, []), found.get(key, [])
        firsts = list(dict.fromkeys(there))
        verdict.facts += len(wanted)
        verdict.repeated += len(there) - len(firsts)
        if set(wanted) - set(there):
            verdict.wrong.append(f"{topic} {key!r}: {len(set(wanted) - set(there))} lost")
        elif firsts[: len(dict.fromkeys(wanted))] != list(dict.fromkeys(wanted)):
            verdict.wrong.append(f"{topic} {key!r}: other content or order")
