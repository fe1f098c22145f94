"""The agents on a flow that sends nothing: what each record becomes."""

import asyncio
import json
from collections.abc import Sequence
from itertools import product
from os import urandom
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from stream.agents import people as people_agent
from stream.agents import visitors as visitors_agent
from stream.agents.dead_letters import NAMES
from stream.agents.headers import RESYNC
from stream.agents.people import PeopleLog
from stream.agents.rules import RULESET_KEY, RulesInForce
from stream.agents.topics import Topics
from stream.agents.visitors import Visitors
from stream.app import shipped_ruleset
from stream.collected import TRUST, company_header
from stream.domain import leads, log, visitor
from stream.domain.editions import Edition, read
from stream.domain.event import Company
from stream.domain.people import People
from stream.domain.ruleset.model import Ruleset
from stream.intake import Intake
from stream.lookups import Lookups
from stream.ops.metrics import Metrics
from stream.runtime.atomic import AtomicPart, AtomicTable
from stream.runtime.batches import Batch
from stream.runtime.fatal import Misfit
from stream.runtime.lanes import Message
from stream.runtime.partstore import PartStore
from stream.runtime.producer import partition_of
from stream.runtime.quota import Quota
from stream.runtime.rows import RowTable
from stream.runtime.ticks import Progress
from stream.runtime.topics import DEAD_LETTER_BYTES, RECORD_BYTES
from tests.app.test_partstore import store
from tests.told import rules

PARTITIONS = 4
NOW = 1_790_000_000_000
DEAD_LETTER_NAMES = {*NAMES, "cut", "size"}
TOPICS = Topics.of("")
LOOKUPS = Lookups()


class Flow:
    """Keeps what is put."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(("events", "stage-changes", "lead-states", "wakes", "dead-letters"), PARTITIONS)
        self.progress: dict[TP, Progress] = {}
        self.outbox = self
        self.sent: list[tuple[str, int, Message]] = []
        self.assigned, self.prepared, self.quota = True, 0, Quota()
        self.bases: dict[TP, int] = {}

    def base(self, tp: TP) -> int:
        return self.bases.get(tp, 0)

    def accept(self, batch: Batch) -> Batch | None:
        applied = self.progress[batch.tp].applied
        return batch.since(applied) if batch.next > applied else None

    async def room(self, part: Any, limit: int) -> None:
        """Have room."""

    def put(self, topic: str, where: Any, what: Any) -> "asyncio.Future[None]":
        partition = where if isinstance(where, int) else partition_of(where, self.counts[topic])
        self.sent += [(topic, partition, message) for message in ([what] if isinstance(what, Message) else what)]
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    def take(self, topic: str) -> list[Message]:
        found = [message for name, _, message in self.sent if name == topic]
        self.sent = [sent for sent in self.sent if sent[0] != topic]
        return found


class Bench:
    """Both agents over one fake flow."""

    def __init__(self, rules: Ruleset | None = None) -> None:
        self.flow, self.metrics, self.store = Flow(), Metrics(), store()
        flow: Any = self.flow
        self.offsets: dict[TP, int] = {}
        rules = rules or shipped_ruleset()
        table = RowTable(self._store, "visitors-changelog", visitor.decode, visitor.encode)
        kept = store()
        people = AtomicTable(lambda: kept, "people-changelog", lambda stored: People(stored, PARTITIONS, "app", rules))
        self.visitors = Visitors(
            flow, table, TOPICS, lambda stages: Intake(LOOKUPS, None, stages), RulesInForce(rules), self.metrics
        )  # fmt: skip
        self.people = PeopleLog(flow, people, TOPICS, self.metrics)

    def _store(self) -> PartStore:
        return self.store

    def batch(self, topic: str, partition: int, records: Sequence[Any]) -> Batch:
        tp = TP(topic, partition)
        start = self.offsets.get(tp, 0)
        self.flow.progress.setdefault(tp, Progress(start))
        for number, record in enumerate(records):
            record.offset = start + number
        self.offsets[tp] = start + len(records)
        return Batch(tp, start, start + len(records), list(records))

    def events(self, *records: Any, partition: int | None = None) -> None:
        where = partition_of(records[0].key, PARTITIONS) if partition is None else partition
        self.visitors.take_events(self.batch("events", where, records))

    def count(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0

    def counted(self) -> dict[str, float]:
        names = ("applied", "duplicates", "echoes", "own", "forwarded")
        counts = {name: self.count(f"leadstream_{name}_total") for name in names}
        counts["events"] = self.count("leadstream_events_total", topic="events")
        return {name: count for name, count in counts.items() if count}


def record(key: bytes | None, value: bytes | None, *headers: tuple[str, bytes], at: int = NOW) -> Any:
    return SimpleNamespace(key=key, value=value, headers=list(headers), timestamp=at, offset=0)


def told(message: str = "m", **members: Any) -> bytes:
    return json.dumps({"messageId": message, "type": "track", "event": "Demo Requested"} | members).encode()


@pytest.fixture
async def bench() -> Bench:
    return Bench()


async def test_an_anonymous_event_changes_a_row_and_nothing_else(bench: Bench) -> None:
    bench.events(record(b"anon::c1", told(anonymousId="c1")))
    assert bench.counted() == {"applied": 1, "events": 1}
    assert bench.flow.sent == []


async def test_an_event_older_than_the_newest_of_its_visitor_is_counted_as_late(bench: Bench) -> None:
    times = ("2026-09-20T10:00:00.000Z", "2026-09-20T09:59:59.999Z", "2026-09-20T10:00:00.000Z")
    bench.events(*(record(b"anon::c1", told(str(n), anonymousId="c1", timestamp=t)) for n, t in enumerate(times)))
    assert bench.count("leadstream_late_events_total") == 1


async def test_every_record_that_was_read_is_counted_once_whatever_became_of_it(bench: Bench) -> None:
    good, echo = told(anonymousId="c1"), {"event": "Lead Stage Changed", "properties": {"changedBy": "leadstream"}}
    own = ("leadstream-internal", b"wake")
    bench.events(
        record(b"anon::c1", good), record(b"anon::c1", good), record(b"anon::c1", told("e", anonymousId="c1", **echo)),
        record(b"anon::c1", b"not json"), record(b"anon::c1", None, own),
    )  # fmt: skip
    refused = bench.count("leadstream_dead_letters_total", reason="not_json")
    assert (bench.counted(), refused) == ({"applied": 1, "duplicates": 1, "echoes": 1, "own": 1, "events": 5}, 1)


@pytest.mark.parametrize(("word", "linked"), [(b"browser", []), (b"server", ["anon::c1"])])
async def test_where_only_servers_are_trusted_a_browsers_event_links_no_registration(word: bytes, linked: list[str]) -> None:
    bench = Bench(rules("[identity]\ntrusted_only = true\n"))
    bench.events(record(b"user::42", told(userId="42", anonymousId="c1"), (TRUST, word)))
    said = [log.decode(message.value or b"") for message in bench.flow.take("people")]
    assert [[link.node for link in one.links] for one in said if isinstance(one, log.Snapshot)] == [linked]


async def test_who_comes_back_as_somebody_new_and_of_no_company_leaves_the_account(bench: Bench) -> None:
    bench.flow.counts["members"] = PARTITIONS
    later = NOW + int(shipped_ruleset().idle_horizon_ms) + 1
    acme = company_header(Company("Acme", "acme.example", "business", 1.0, "ranges", "192.0.2.0/24", ""))
    bench.events(
        record(b"anon::c1", told("first", anonymousId="c1"), acme),
        record(b"anon::c1", told("second", anonymousId="c1"), company_header(None), at=later),
    )
    bench.visitors.tick(partition_of(b"anon::c1", PARTITIONS), later)
    (left,) = (log.decode(message.value or b"") for message in bench.flow.take("members"))
    assert isinstance(left, log.Members)
    assert (left.account, [member.left for member in left.changed]) == ("account::acme.example", [True])


@pytest.mark.parametrize(("beyond", "leaves"), [(0, []), (1, ["account::acme.example"])])
async def test_who_is_listened_to_when_all_is_forgotten_leaves_the_account_of_before(
    bench: Bench, beyond: int, leaves: list[str]
) -> None:
    bench.flow.counts["members"] = PARTITIONS
    acme = company_header(Company("Acme", "acme.example", "business", 1.0, "ranges", "192.0.2.0/24", ""))
    bench.events(record(b"anon::c1", told("first", anonymousId="c1"), acme))
    where = partition_of(b"anon::c1", PARTITIONS)
    bench.visitors.tick(where, NOW)
    (counted,) = (log.decode(message.value or b"") for message in bench.flow.take("members"))
    later = NOW + int(shipped_ruleset().idle_horizon_ms) + beyond
    wake = record(b"anon::c1", log.encode(log.Wake("anon::c1", later)))
    bench.visitors.take_wakes(bench.batch("wakes", where, [wake, wake]))
    bench.visitors.tick(where, later)
    left = [log.decode(message.value or b"") for message in bench.flow.take("members")]
    assert isinstance(counted, log.Members)
    assert [told.account for told in left if isinstance(told, log.Members)] == leaves
    for told_last in left:
        assert isinstance(told_last, log.Members)
        (member,) = told_last.changed
        assert (member.left, told_last.r) == (True, later)
        assert member.version >= counted.changed[0].version, "no older than what it takes back"


async def test_a_known_visitor_sends_a_snapshot_behind_a_tick_that_does_not_claim_its_time(bench: Bench) -> None:
    bench.events(record(b"user::42", told(userId="42")))
    tick, snapshot = (log.decode(message.value or b"") for message in bench.flow.take("people"))
    assert tick == log.Tick(partition_of(b"user::42", PARTITIONS), NOW - 1)
    assert isinstance(snapshot, log.Snapshot)
    assert (snapshot.node, snapshot.version, snapshot.r) == ("user::42", 1, NOW)


@pytest.mark.parametrize(
    ("second", "becomes"),
    [
        pytest.param(record(b"anon::c1", told(anonymousId="c1")), "duplicates", id="the same messageId again"),
        pytest.param(
            record(b"anon::c1", told("n", anonymousId="c1"), ("leadstream-internal", b"erase")), "own", id="a record of ours"
        ),
        pytest.param(
            record(
                b"anon::c1",
                told("n", event="Lead Stage Changed", properties={"stage": "mql", "changedBy": "leadstream"}, anonymousId="c1"),
            ),
            "echoes",
            id="our own change coming back",
        ),
        pytest.param(record(b"anon::c1", told("n", anonymousId="c1")), "applied", id="another event"),
    ],
)
async def test_a_second_record_is_exactly_one_of_the_kinds(bench: Bench, second: Any, becomes: str) -> None:
    bench.events(record(b"anon::c1", told(anonymousId="c1")), second)
    expected = {"applied": 1.0, "events": 2.0}
    expected[becomes] = expected.get(becomes, 0) + 1
    assert bench.counted() == expected


async def test_a_bad_record_becomes_a_dead_letter_with_its_own_headers_and_ours(bench: Bench) -> None:
    bench.events(record(b"k", b"{nonsense", ("trace", b"1"), ("leadstream-reason", b"forged")))
    (letter,) = bench.flow.take("dead-letters")
    headers = dict(letter.headers)
    assert (letter.key, letter.value, headers["trace"]) == (b"k", b"{nonsense", b"1")
    assert headers["leadstream-reason"] == b"not_json"
    assert headers["leadstream-first-seen"] == b"2026-09-21T14:13:20.000Z"
    assert headers["leadstream-offset"] == b"0"
    assert len([name for name, _ in letter.headers if name == "leadstream-reason"]) == 1
    assert bench.count("leadstream_dead_letters_total", reason="not_json") == 1


ODD = urandom(1_300_000)
"""More than Kafka takes, however it is compressed."""


@pytest.mark.parametrize(
    ("key", "value", "headers", "cut", "kept"),
    [
        (b"k", b"no json", [("big", bytes(3_000_000))], None, {"big", "leadstream-trust"}),
        (b"k", b"no json", [("big", ODD)], b"headers", {"leadstream-trust"}),
        (b"k", ODD, [("trace", b"1")], b"value", set()),
        (ODD, b"no json", [], b"value", set()),
        (b"k", b"no json", [("leadstream-trust", ODD)], b"value", set()),
        (b"k", bytes(17 * 1024 * 1024), [], b"value", set()),
    ],
    ids=["repeats", "headers", "value", "key", "headers of ours", "too much to compress"],
)
async def test_of_a_record_that_kafka_does_not_take_back_the_letter_keeps_what_fits(
    bench: Bench, key: bytes, value: bytes, headers: list[tuple[str, bytes]], cut: bytes | None, kept: set[str]
) -> None:
    """Step by step: the headers of others go, then all that is not ours; read again it is the same letter."""
    bad = record(key, value, ("leadstream-trust", b"browser"), *headers)
    reason = b"not_json" if value == b"no json" else b"too_large"
    for _ in range(2):
        bench.events(bad, partition=1)
        bench.offsets.clear()
        bench.flow.progress.clear()
    first, again = bench.flow.take("dead-letters")
    told = dict(first.headers)
    assert first == again
    assert first.fits(DEAD_LETTER_BYTES)
    assert (first.key, first.value) == ((None, None) if cut == b"value" else (key, value))
    assert (told["leadstream-reason"], told.get("leadstream-cut")) == (reason, cut)
    assert {name for name in told if name.removeprefix("leadstream-") not in DEAD_LETTER_NAMES} == kept
    assert cut is None or len(key) + len(value) < int(told["leadstream-size"])
    assert bench.count("leadstream_dead_letters_total", reason=reason.decode()) == 2


async def test_a_misplaced_event_that_is_too_large_for_the_header_of_a_forward_is_a_dead_letter(bench: Bench) -> None:
    """Uncompressed and a few bytes below the limit: all of it fits a dead letter, and its row stays as it was."""
    header = ("big", ODD[:1_048_390])
    good = record(b"whatever", told(userId="7"), header)
    assert Message(good.key, good.value, good.headers).fits(RECORD_BYTES)
    bench.events(good, partition=(partition_of(b"user::7", PARTITIONS) + 1) % PARTITIONS)
    ((topic, _, letter),) = bench.flow.sent
    headers = dict(letter.headers)
    assert (topic, letter.key, letter.value, headers["big"]) == ("dead-letters", b"whatever", good.value, header[1])
    assert (headers["leadstream-reason"], headers["leadstream-stage"]) == (b"too_large", b"apply")
    assert bench.counted() == {"events": 1}
    assert bench.count("leadstream_dead_letters_total", reason="too_large") == 1


async def test_what_letters_and_forwards_make_is_counted_with_keys_and_headers(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visitors_agent, "MAX_OUT_BYTES", 5_000)
    bad = [record(b"k", b"{", ("big", bytes(6_000))) for _ in range(2)]
    _, rest = bench.visitors.take_events(bench.batch("events", 0, bad))
    assert rest is not None
    assert rest.records == bad[1:]


async def test_a_misplaced_event_goes_where_its_key_belongs_and_is_applied_once(bench: Bench) -> None:
    right = partition_of(b"user::7", PARTITIONS)
    wrong = (right + 1) % PARTITIONS
    bench.events(record(b"whatever", told(userId="7"), ("trace", b"1"), at=NOW - 5), partition=wrong)
    ((topic, partition, message),) = bench.flow.sent
    assert (topic, partition, message.key, message.at_ms) == ("events", right, b"user::7", NOW - 5)
    assert dict(message.headers) == {"trace": b"1", "leadstream-forwarded-from": f"{wrong}:0".encode()}
    for _ in range(2):
        bench.events(record(message.key, message.value, *message.headers), partition=right)
    assert bench.counted() == {"forwarded": 1, "applied": 1, "duplicates": 1, "events": 3}


async def test_a_forward_out_of_a_topic_that_was_made_anew_is_none_of_those_before(bench: Bench) -> None:
    right = partition_of(b"user::7", PARTITIONS)
    bench.events(record(b"user::7", told("m1", userId="7"), ("leadstream-forwarded-from", b"3:41")), partition=right)
    bench.flow.bases[TP("events", right)] = 1 << 48
    bench.events(record(b"user::7", told("m2", userId="7"), ("leadstream-forwarded-from", b"3:0")), partition=right)
    assert bench.counted() == {"applied": 2, "events": 2}


async def test_a_record_that_the_row_has_applied_is_not_applied_again(bench: Bench) -> None:
    batch = bench.batch("events", partition_of(b"anon::c1", PARTITIONS), [record(b"anon::c1", told(anonymousId="c1"))])
    bench.visitors.take_events(batch)
    bench.visitors.take_events(batch)
    assert bench.counted() == {"applied": 1, "duplicates": 1, "events": 2}


async def test_a_wake_is_answered_with_all_that_was_before_and_again_when_it_is_repeated(bench: Bench) -> None:
    bench.events(record(b"anon::c1", told(anonymousId="c1")))
    wake = record(b"anon::c1", log.encode(log.Wake("anon::c1", NOW + 5)))
    for _ in range(2):
        bench.visitors.take_wakes(bench.batch("wakes", partition_of(b"anon::c1", PARTITIONS), [wake]))
    first, second = bench.flow.take("people")
    assert first == second
    snapshot = log.decode(first.value or b"")
    assert isinstance(snapshot, log.Snapshot)
    assert (snapshot.wake, snapshot.r, snapshot.version) == (True, NOW + 5, 1)
    bench.events(record(b"anon::c1", told("n", anonymousId="c1")))
    assert len(bench.flow.take("people")) == 2


async def test_wakes_hold_nothing_but_wakes(bench: Bench) -> None:
    with pytest.raises(Misfit, match="wakes-0 offset 0: no wake; run the release that wrote it"):
        bench.visitors.take_wakes(bench.batch("wakes", 0, [record(b"k", log.encode(log.Tick(0, 1)))]))


async def test_an_empty_partition_takes_the_ruleset_of_its_worker(bench: Bench) -> None:
    bench.events(record(b"anon::c1", told(anonymousId="c1")))
    part = bench.visitors.table.open(partition_of(b"anon::c1", PARTITIONS))
    rows = dict(part.take().rows[0])
    assert read(rows[RULESET_KEY] or b"").held == [Edition(0, 0, shipped_ruleset().text)]
    assert set(rows) == {RULESET_KEY, b"anon::c1"}


async def test_another_ruleset_in_force_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    own = shipped_ruleset()
    rules = RulesInForce(own)
    for _ in range(2):
        assert rules.noted(rules.of(Edition(1, 0, own.text + b"# another\n"))).hash != own.hash
    assert len([message for message in caplog.messages if "is in force" in message]) == 1


async def test_what_people_decide_goes_out_with_the_headers_of_its_topic(bench: Bench) -> None:
    bench.events(record(b"user::42", told(userId="42", anonymousId="c1")))
    log_records = [record(None, message.value) for message in bench.flow.take("people")]
    bench.people.take(bench.batch("people", 0, log_records))
    change = bench.flow.take("stage-changes")[0]
    headers = dict(change.headers)
    assert headers["content-type"] == b"application/cloudevents+json"
    assert int(headers["leadstream-lag-ms"]) >= 0
    assert bench.flow.take("lead-states")[0].value == change.value
    (wake,) = bench.flow.take("wakes")
    assert (wake.key, wake.headers) == (b"anon::c1", [("leadstream-internal", b"wake")])
    await asyncio.sleep(0)
    assert bench.count("leadstream_stage_change_latency_seconds_count") >= 1


@pytest.mark.parametrize(("assigned", "read"), [(True, 3), (False, 1)])
async def test_a_long_batch_of_people_is_read_in_slices_as_long_as_the_log_is_ours(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, *, assigned: bool, read: int
) -> None:
    monkeypatch.setattr(people_agent, "SLICE_S", -1.0)
    for user in ("u1", "u2", "u3"):
        bench.events(record(f"user::{user}".encode(), told(userId=user)))
    values = [message.value or b"" for message in bench.flow.take("people")]
    batch = bench.batch("people", 0, [record(None, v) for v in values if isinstance(log.decode(v), log.Snapshot)])
    bench.flow.assigned = assigned
    await bench.people.read(batch)
    assert bench.flow.progress[batch.tp].applied == read
    assert len(bench.flow.take("stage-changes")) == read


async def test_thousands_who_are_due_move_before_the_next_record_and_are_written_in_between(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leads, "DUE", 1)
    for n, m in product((1, 2, 3), (1, 2)):
        bench.events(record(f"user::{n}".encode(), told(f"m{m}", userId=str(n), event="Meeting Attended")))
    values = [message.value for message in bench.flow.take("people")]
    ticks = [log.encode(log.Tick(partition, NOW + 90 * 86_400_000)) for partition in range(PARTITIONS)]
    part = bench.people.table.open(0)
    rest: Batch | None = bench.batch("people", 0, [record(None, value) for value in [*values, *ticks, *values[:1]]])
    parts: list[tuple[int, int, int]] = []
    owed: list[tuple[int, int, int]] = []
    while rest is not None:
        _, rest = bench.people.take(rest)
        part.cut()
        fallen = [change for change in bench.flow.take("stage-changes") if b'"direction":"down"' in (change.value or b"")]
        parts.append((part.fold.next, bench.flow.progress[TP("people", 0)].applied, len(fallen)))
        at = part._positions[TP("people", 0)]
        owed.append((at.next, at.last, part.backlog))
    last = len(values) + PARTITIONS - 1
    assert parts == [(last, last, 1), (last, last, 1), (last + 2, last + 2, 1)]
    assert owed == [(last, last - 1, 1), (last, last - 1, 2), (last + 2, last + 1, 3)], "a position has its record"


async def test_a_cut_is_made_before_a_record_that_may_not_fit(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(AtomicPart, "cut_for", lambda _, record_bytes: asked.append(record_bytes))
    bench.events(record(b"user::42", told(userId="42", anonymousId="c1")))
    values = [message.value or b"" for message in bench.flow.take("people")]
    bench.people.take(bench.batch("people", 0, [record(None, value) for value in values]))
    assert asked == [len(value) for value in values]


@pytest.mark.parametrize("more", [[], [record(b"anon::c1", told("m2", anonymousId="c1", receivedAt="2026-01-01T00:00:00Z"))]])
async def test_a_history_makes_the_clock_wait_for_it(bench: Bench, more: list[Any]) -> None:
    first = told(anonymousId="c1", receivedAt="2026-01-01T00:00:00Z")
    bench.events(record(b"anon::c1", first, ("leadstream-history", b"1")), *more)
    progress = bench.flow.progress[TP("events", partition_of(b"anon::c1", PARTITIONS))]
    progress.answered(1, NOW)
    assert progress.until(NOW) == 1_767_225_600_000 - 1000


@pytest.mark.parametrize("bound", [("MAX_OUT_BYTES", 1), ("SLICE_S", 0.0)])
async def test_a_batch_that_makes_much_or_takes_long_is_handed_on_in_parts(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, bound: tuple[str, float]
) -> None:
    monkeypatch.setattr(visitors_agent, *bound)
    records = [record(b"user::42", told(f"m{number}", userId="42")) for number in range(3)]
    rest: Batch | None = bench.batch("events", partition_of(b"user::42", PARTITIONS), records)
    handed_on = []
    while rest is not None:
        rest = bench.flow.accept(rest)
        assert rest is not None
        _, rest = bench.visitors.take_events(rest)
        handed_on.append(bench.flow.progress[TP("events", partition_of(b"user::42", PARTITIONS))].applied)
    assert handed_on == [1, 2, 3]
    versions = [log.decode(message.value or b"") for message in bench.flow.take("people")]
    assert [told.version for told in versions if isinstance(told, log.Snapshot)] == [1, 2, 3]


@pytest.mark.parametrize("bad", ["letters", "forwards", "resync"])
async def test_what_a_batch_makes_besides_snapshots_of_events_counts(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, bad: str
) -> None:
    bench.events(record(b"user::42", told(userId="42")))
    monkeypatch.setattr(visitors_agent, "MAX_OUT_BYTES", 1)
    made = {
        "letters": record(b"user::42", b"no json"),
        "forwards": record(b"user::42", told(userId="7")),
        "resync": record(None, log.encode(log.Resync("r", 0, 1)), RESYNC),
    }[bad]
    records = [made, record(b"user::42", told("n", userId="42"))]
    _, rest = bench.visitors.take_events(bench.batch("events", partition_of(b"user::42", PARTITIONS), records))
    assert rest is not None
    assert [one.offset for one in rest.records] == [2]


async def test_wakes_are_answered_in_parts(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitors_agent, "MAX_OUT_BYTES", 1)
    wakes = [record(b"anon::c1", log.encode(log.Wake("anon::c1", NOW + number))) for number in range(3)]
    await bench.visitors.read_wakes(bench.batch("wakes", partition_of(b"anon::c1", PARTITIONS), wakes))
    assert len(bench.flow.take("people")) == 3
    batch = bench.batch("wakes", partition_of(b"anon::c1", PARTITIONS), wakes)
    _, rest = bench.visitors.take_wakes(batch)
    assert rest is not None
    assert len(rest.records) == 2


@pytest.mark.parametrize("header", ["leadstream-forwarded-from", "leadstream-replayed", "leadstream-company", "leadstream-trust"])
async def test_a_header_of_our_name_without_a_value_is_none_of_ours(bench: Bench, header: str) -> None:
    nothing: Any = None
    bench.events(record(b"anon::c1", told(anonymousId="c1"), (header, nothing)))
    assert bench.counted() == {"applied": 1, "events": 1}


@pytest.mark.parametrize(
    ("at", "first_seen"), [(1_790_000_000_000_000, "9999-12-31T23:59:59.999Z"), (-(1 << 62), "0001-01-01T00:00:00.000Z")]
)
@pytest.mark.parametrize("value", [b"no json", told(userId="42", timestamp="2026-01-01T00:00:00Z")])
async def test_a_kafka_timestamp_that_cannot_be_written_makes_a_dead_letter_and_moves_no_clock(
    bench: Bench, at: int, first_seen: str, value: bytes
) -> None:
    """Microseconds, say, of a producer that takes them for milliseconds."""
    bench.events(record(b"user::42", value, at=at))
    (letter,) = bench.flow.take("dead-letters")
    headers = dict(letter.headers)
    assert headers["leadstream-reason"] == (b"not_json" if value == b"no json" else b"bad_timestamp")
    assert headers["leadstream-first-seen"] == first_seen.encode()
    progress = bench.flow.progress[TP("events", partition_of(b"user::42", PARTITIONS))]
    assert progress.until(NOW) is None
