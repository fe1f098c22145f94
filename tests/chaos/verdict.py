"""What is promised, against what lies in Kafka after a schedule."""

from collections import defaultdict
from functools import cache
from pathlib import Path

import orjson

from stream.agents.latch import keep_flags
from stream.domain import log
from stream.domain.people import People
from stream.domain.ruleset.load import load
from stream.domain.ruleset.model import Ruleset
from stream.lookups import Lookups
from stream.runtime.producer import partition_of
from stream.runtime.resume import MARK_KEY
from tests.chaos.independent import lonely, wrong_alone, wrong_facts, wrong_people, wrong_visitors
from tests.chaos.logs import Copy
from tests.chaos.offsets import beyond
from tests.chaos.plain import deeds, rules_of
from tests.chaos.told import Told
from tests.kafka.members import verify_accounts
from tests.kafka.replay import Verdict, newest_rows, verify

RULESET = Path(__file__).with_name("ruleset.toml")
CHANGES = {
    'id = "chaos"': 'id = "chaos-next"',
    "points = 50": "points = 40",
    "points = 3\n": "points = 4\n",
    "enter = { interest = 60 }": "enter = { interest = 50 }",
    "exit = { interest = 40 }": "exit = { interest = 35 }",
    'dwell = "1s"': 'dwell = "2s"',
    "enter = { total = 100,": "enter = { total = 90,",
    "points = -10": "points = -8",
}
"""How the ruleset that is deployed in the middle differs."""
RANGES = Path(__file__).with_name("ranges.csv")
PARTITIONS = 4


@cache
def rules() -> Ruleset:
    """Return the ruleset of all schedules."""
    return load(RULESET.read_bytes(), RULESET.name)


@cache
def lookups() -> Lookups:
    """Return the look-ups of all schedules."""
    return Lookups(RANGES)


@cache
def next_ruleset() -> str:
    """Return the ruleset that is deployed in the middle."""
    text = RULESET.read_text()
    for old, new in CHANGES.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def judge(copy: Copy) -> Verdict:
    """Compare everything; what is wrong is in `wrong`."""
    verdict = verify(copy, PARTITIONS, rules(), lookups())
    verdict.note(wrong=sum(verdict.counts.values()) != verdict.events, what=f"{verdict.events} records, counted {verdict.counts}")
    verdict.wrong += beyond(copy, PARTITIONS)
    verify_accounts(copy, PARTITIONS, rules(), verdict)
    _dead_letters(copy, verdict)
    _one_content_per_id(copy, verdict)
    _ticks(copy, verdict)
    _oracle(copy, verdict)
    return verdict


def _oracle(copy: Copy, verdict: Verdict) -> None:
    """Let the oracle read the logs, and compare."""
    plain = rules_of(RULESET.read_bytes())
    done = deeds(copy.read("events"), plain, RANGES.read_text(), PARTITIONS, copy.delays)
    folded = copy.committed["people"].get(0, 0)  # a tick may come after the last checkpoint
    told = Told(plain, copy.app, PARTITIONS, done).read(r for r in copy.read("people") if r.offset < folded)
    alone = lonely(told)
    verdict.alone = len(alone)
    visitors = newest_rows(copy.read(f"{copy.app}-visitors-changelog"), keep_flags)
    in_force = load(next_ruleset().encode()) if told.place else rules()
    verdict.wrong += wrong_visitors(told, visitors, in_force)
    verdict.wrong += wrong_facts(told, copy.read("stage-changes"))
    verdict.wrong += wrong_alone(copy, alone, in_force, lookups())
    rows = newest_rows(copy.read(f"{copy.app}-people-changelog"))
    stored = {key: row for key, row in rows.items() if not key.startswith(MARK_KEY)}
    people = People(stored, PARTITIONS, copy.app, rules())
    verdict.wrong += wrong_people(told, people, max((person.as_of for person in people.rows.persons()), default=0))


def _dead_letters(copy: Copy, verdict: Verdict) -> None:
    """Each poison has its dead letter, bytes and reason, and nothing else has one; repeats are the same."""
    wanted: dict[tuple[str, ...], tuple[bytes | None, bytes | None, str]] = {}
    for record, reason in verdict.refused:
        wanted[copy.topic("events"), str(record.partition), str(record.offset)] = (record.key, record.value, reason)
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
        id_ = orjson.loads(value)["id"]
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
