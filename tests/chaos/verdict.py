"""What is promised, against what lies in Kafka after a schedule."""

import json
from collections import defaultdict
from functools import cache
from pathlib import Path

from schemas.event import Rejected
from stream.agents.headers import INTERNAL
from stream.domain import documents, log, visitor
from stream.domain.ruleset.load import load
from stream.domain.ruleset.model import Ruleset
from stream.intake import Intake
from stream.lookups import Lookups
from stream.runtime.producer import partition_of
from tests.brokers import Record
from tests.chaos.logs import Copy
from tests.chaos.plain import plain_rows
from tests.kafka.replay import Verdict, verify
from tests.oracle.compare import compare
from tests.oracle.facts import visitor_document

RULESET = Path(__file__).with_name("ruleset.toml")
RANGES = Path(__file__).with_name("ranges.csv")
PARTITIONS = 4


@cache
def rules() -> Ruleset:
    """Return the ruleset of all schedules."""
    return load(RULESET.read_bytes(), RULESET.name)


def judge(copy: Copy) -> Verdict:
    """Compare everything; what is wrong is in `wrong`."""
    lookups = Lookups(RANGES)
    verdict = verify(copy, PARTITIONS, rules(), lookups)
    _counted(copy, verdict)
    _dead_letters(copy, Intake(lookups, None, frozenset(stage.name for stage in rules().stages)), verdict)
    _one_content_per_id(copy, verdict)
    _ticks(copy, verdict)
    _sums(copy, verdict)
    lookups.close()
    return verdict


def _counted(copy: Copy, verdict: Verdict) -> None:
    """Every record is one of six things, and everything was read to its end."""
    verdict.note(wrong=sum(verdict.counts.values()) != verdict.events, what=f"{verdict.events} records, counted {verdict.counts}")
    for topic, committed in copy.committed.items():
        ends = _ends(copy.read(topic))
        behind = {n: (committed.get(n), end) for n, end in ends.items() if committed.get(n) != end}
        if topic == "people":  # ticks that came while the worker stopped
            behind = {n: at for n, at in behind.items() if _snapshots_from(copy.read(topic), at[0] or 0)}
        verdict.note(wrong=bool(behind), what=f"{topic}: committed, not the end: {behind}")


def _ends(records: list[Record]) -> dict[int, int]:
    return {record.partition: record.offset + 1 for record in records}


def _snapshots_from(records: list[Record], offset: int) -> bool:
    return any(isinstance(log.decode(r.value or b""), log.Snapshot) for r in records if r.offset >= offset)


def _dead_letters(copy: Copy, intake: Intake, verdict: Verdict) -> None:
    """Each poison has its dead letter, bytes and reason, and nothing else has one; repeats are the same."""
    wanted: dict[tuple[str, ...], tuple[bytes | None, bytes | None, str]] = {}
    for record in copy.read("events"):
        if INTERNAL in record.headers:
            continue
        read = intake.read(record.value, record.timestamp_ms, list(record.headers.items()))
        if isinstance(read, Rejected):
            wanted[copy.topic("events"), str(record.partition), str(record.offset)] = (record.key, record.value, read.reason)
    seen = set()
    for letter in copy.read("dead-letters"):
        told = {name: value.decode() for name, value in letter.headers.items() if name.startswith("leadstream-")}
        place = tuple(told[f"leadstream-{name}"] for name in ("topic", "partition", "offset"))
        verdict.repeated += place in seen
        seen.add(place)
        what = (letter.key, letter.value, told["leadstream-reason"])
        verdict.note(wrong=wanted.get(place) != what, what=f"dead letter of {place}: {what} should be {wanted.get(place)}")
    for place in wanted.keys() - seen:
        verdict.note(wrong=True, what=f"no dead letter of {place}")


def _one_content_per_id(copy: Copy, verdict: Verdict) -> None:
    contents: dict[str, bytes] = {}
    for record in copy.read("stage-changes"):
        value = record.value or b""
        id_ = json.loads(value)["id"]
        verdict.note(wrong=contents.setdefault(id_, value) != value, what=f"{id_} has two contents")


def _ticks(copy: Copy, verdict: Verdict) -> None:
    """No record stands in `people` behind a tick that says it had been handed on."""
    ticks: dict[int, int] = {}
    known: dict[str, int] = defaultdict(lambda: -1)
    for record in copy.read("people"):
        told = log.decode(record.value or b"")
        if isinstance(told, log.Tick):
            ticks[told.partition] = told.until
        elif isinstance(told, log.Snapshot) and told.version > known[told.node]:
            known[told.node] = told.version
            newest = ticks.get(partition_of(told.node.encode(), PARTITIONS), -1)
            what = f"people {record.offset}: {told.node} {told.version} stands {newest - told.r} ms behind its tick"
            verdict.note(wrong=not told.wake and told.r <= newest, what=what)


def _sums(copy: Copy, verdict: Verdict) -> None:
    """Each visitor's sums are those of a plain recomputation that shares no code with the engine."""
    plain, oracle_rules = plain_rows(copy.read("events"), RULESET.read_bytes(), RANGES.read_text(), PARTITIONS)
    held: dict[str, visitor.Visitor] = {}
    for record in copy.read(f"{copy.app}-visitors-changelog"):
        if record.key and not record.key.startswith(b"\x00") and record.value:
            row, node = visitor.decode(record.value), record.key.decode()
            if node not in held or row.position >= held[node].position:
                held[node] = row
    at = max((row.state.as_of for row in held.values()), default=0)
    for node in plain.keys() | {node for node, row in held.items() if row.state.events}:
        if node not in plain or node not in held:
            verdict.note(wrong=True, what=f"{node}: only {'plainly' if node in plain else 'in the table'}")
            continue
        found: list[str] = []
        ours = documents.visitor(node, held[node].state, rules(), None, at, at)
        compare(node, visitor_document(plain[node], None, oracle_rules, at), ours, found)
        verdict.wrong += found
