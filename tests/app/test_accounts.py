"""The agents around accounts on a flow that sends nothing: what visitors and people hand on, and what becomes of it."""

import asyncio
import json
from typing import Any

import msgspec
import pytest
from faust.types import TP

from stream.agents.accounts import AccountsLog
from stream.agents.anonymous import AT_ONCE, Anonymous, Waiting, counted_in
from stream.agents.to_accounts import ToAccounts
from stream.app import shipped_ruleset
from stream.domain import log, visitor
from stream.domain.accounts.fold import Accounts
from stream.domain.accounts.member import visitor_id
from stream.domain.event import Company
from stream.domain.people import People
from stream.domain.state import State
from stream.domain.visitor import Visitor
from stream.runtime.atomic import AtomicPart, AtomicTable
from stream.runtime.fatal import Misfit
from stream.runtime.rows import RowPart
from stream.runtime.ticks import Progress
from tests.app.test_agents import NOW, PARTITIONS, TOPICS, Bench, Flow, record
from tests.app.test_partstore import store
from tests.told import DAY, rules

ACME = Company("Acme", "acme.example", "business", 1.0, "ranges", "192.0.2.0/24", "")
OTHER = Company("Other", "other.example", "business", 1.0, "ranges", "198.51.100.0/24", "")
RULES = rules('[[accounts.stages]]\nname = "seen"\nenter = { people = 1 }\n')


class Slow(Flow):
    """Acknowledges when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.counts |= {"members": PARTITIONS, "account-changes": PARTITIONS}
        self.waiting: list[asyncio.Future[None]] = []

    def put(self, topic: str, where: Any, what: Any) -> "asyncio.Future[None]":
        super().put(topic, where, what)
        acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append(acknowledged)
        return acknowledged

    def acknowledge(self) -> None:
        for each in self.waiting:
            each.set_result(None)
        self.waiting.clear()


@pytest.fixture
async def flow() -> Slow:
    return Slow()


@pytest.fixture
async def part(flow: Slow) -> RowPart[Visitor]:
    return RowPart(TP("visitors", 0), {}, set(), visitor.decode, visitor.encode)


@pytest.fixture
async def anonymous(flow: Slow, part: RowPart[Visitor]) -> Anonymous:
    made: Any = flow
    found = Anonymous(made, "members", lambda _: 0.0)
    found.open(part)
    return found


def came(
    part: RowPart[Visitor], anonymous: Anonymous, key: bytes = b"anon::a", company: Company = ACME, position: int = 1
) -> None:
    was = counted_in(known := part.get(key))
    row = known or Visitor()
    row.state.account, row.position, row.state.as_of = company, position, NOW
    part.put(key, row)
    anonymous.note(part, key, was, row)


def heard(flow: Slow) -> list[tuple[str, str, int, bool]]:
    """Return (account, member, version, left) of what was sent to accounts."""
    told = [log.decode(message.value or b"") for message in flow.take("members")]
    return [(one.account, m.id, m.version, m.left) for one in told if isinstance(one, log.Members) for m in one.changed]


async def test_a_visitor_is_handed_on_once_a_tick_however_often_it_came(
    flow: Slow, part: RowPart[Visitor], anonymous: Anonymous
) -> None:
    for position in (1, 2, 3):
        came(part, anonymous, position=position)
    assert heard(flow) == []

    anonymous.tick(part, NOW)
    assert heard(flow) == [("account::acme.example", visitor_id("anon::a"), 3, False)]
    anonymous.tick(part, NOW)
    assert heard(flow) == []


async def test_a_tick_says_what_is_acknowledged_and_no_more(flow: Slow, part: RowPart[Visitor], anonymous: Anonymous) -> None:
    assert anonymous.tick(part, NOW) == NOW
    came(part, anonymous)
    assert anonymous.tick(part, NOW + 1) == NOW
    came(part, anonymous, position=2)
    assert anonymous.tick(part, NOW + 2) == NOW
    flow.acknowledge()
    assert anonymous.tick(part, NOW + 3) == NOW + 3
    assert anonymous.tick(part, NOW - 9) == NOW - 9


async def test_a_checkpoint_takes_with_it_what_waits(flow: Slow, part: RowPart[Visitor], anonymous: Anonymous) -> None:
    came(part, anonymous)
    work = part.take()

    assert len(heard(flow)) == 1
    assert [sent.done() for sent in work.outputs] == [False]
    flow.acknowledge()
    assert [sent.done() for sent in work.outputs] == [True]


async def test_whoever_changes_company_leaves_the_old_one_at_that_event(
    flow: Slow, part: RowPart[Visitor], anonymous: Anonymous
) -> None:
    came(part, anonymous)
    came(part, anonymous, company=OTHER, position=2)
    came(part, anonymous, position=3)
    anonymous.tick(part, NOW)

    told = [log.decode(message.value or b"") for topic, _, message in flow.sent if topic == "members"]
    assert {one.code for one in told if isinstance(one, log.Members)} == {""}, "an event moves stages by what it says"
    found = heard(flow)
    assert ("account::acme.example", visitor_id("anon::a"), 2, True) in found
    assert ("account::other.example", visitor_id("anon::a"), 3, True) in found
    assert ("account::acme.example", visitor_id("anon::a"), 3, False) in found


async def test_the_same_company_of_another_look_up_is_no_change(flow: Slow, part: RowPart[Visitor], anonymous: Anonymous) -> None:
    came(part, anonymous)
    came(part, anonymous, company=msgspec.structs.replace(ACME, network="192.0.2.0/25"), position=2)
    anonymous.tick(part, NOW)

    assert heard(flow) == [("account::acme.example", visitor_id("anon::a"), 2, False)]


async def test_whom_somebody_listens_to_meanwhile_is_told_by_the_people(
    flow: Slow, part: RowPart[Visitor], anonymous: Anonymous
) -> None:
    came(part, anonymous)
    part.changed[b"anon::a"].listened = True
    anonymous.tick(part, NOW)

    assert heard(flow) == []


async def test_a_row_that_goes_leaves_its_account(flow: Slow, part: RowPart[Visitor], anonymous: Anonymous) -> None:
    came(part, anonymous)
    anonymous.tick(part, NOW)
    flow.take("members")
    anonymous.let_go(part, b"anon::a", NOW + DAY, log.BY_ERASURE)
    anonymous.let_go(part, b"anon::nobody", NOW + DAY, log.BY_ERASURE)
    anonymous.tick(part, NOW)

    [message] = flow.take("members")
    gone = log.Member(visitor_id("anon::a"), 1, left=True)
    assert log.decode(message.value or b"") == log.Members("account::acme.example", NOW + DAY, [gone], "erase")


async def test_a_row_goes_no_earlier_than_it_was_last_seen(flow: Slow, part: RowPart[Visitor], anonymous: Anonymous) -> None:
    came(part, anonymous)
    anonymous.let_go(part, b"anon::a", NOW - DAY, log.BY_ITSELF)
    anonymous.tick(part, NOW)

    left = [log.decode(message.value or b"") for message in flow.take("members")]
    assert next((told.r, told.code) for told in left if isinstance(told, log.Members)) == (NOW, "decay")


async def test_of_very_many_a_tick_takes_some_and_does_not_claim_the_rest(
    flow: Slow, part: RowPart[Visitor], anonymous: Anonymous
) -> None:
    for number in range(AT_ONCE + 1):
        came(part, anonymous, f"anon::{number}".encode())
    anonymous.tick(part, NOW)
    flow.acknowledge()
    assert (len(heard(flow)), anonymous.tick(part, NOW + 1)) == (AT_ONCE, -1)
    flow.acknowledge()
    assert anonymous.tick(part, NOW + 2) == NOW + 2


def test_nothing_is_known_before_the_first_acknowledgement() -> None:
    waiting = Waiting()
    waiting.visitors[b"a"] = None
    assert waiting.handed_on(NOW) == -1


# -- what people tell


def people_part(flow: Slow) -> AtomicPart[People]:
    kept = store()
    table = AtomicTable(lambda: kept, "people-changelog", lambda stored: People(stored, 1, "app", RULES, accounts=True))
    return table.open(0)


async def test_people_tell_members_and_then_the_clock_everywhere(flow: Slow) -> None:
    part, made = people_part(flow), flow
    teller = ToAccounts(made, "members")  # type: ignore[arg-type]  # all of a flow that it uses
    state = State(as_of=NOW, account=ACME, account_t=NOW, landmark=NOW, points={1e9: {"x": 3.0}})
    part.fold.apply(0, log.encode(log.Snapshot("user::1", 1, NOW, NOW, state)))
    part.fold.apply(1, log.encode(log.Tick(0, NOW, NOW - 5)))
    teller.hand_on(part)

    sent = [(partition, log.decode(message.value or b"")) for topic, partition, message in flow.sent if topic == "members"]
    assert [told for _, told in sent if isinstance(told, log.Tick)] == [log.Tick(0, NOW - 5)] * PARTITIONS
    at = next(partition for partition, told in sent if isinstance(told, log.Members))
    assert [type(told) for partition, told in sent if partition == at] == [log.Members, log.Members, log.Tick]  # all anew, once
    teller.hand_on(part)
    assert len(flow.sent) == len(sent)


async def test_people_that_tell_no_accounts_tell_nothing(flow: Slow) -> None:
    kept = store()
    table = AtomicTable(lambda: kept, "people-changelog", lambda stored: People(stored, 1, "app", RULES))
    ToAccounts(flow, "members").hand_on(table.open(0))  # type: ignore[arg-type]  # all of a flow that it uses

    assert flow.sent == []


# -- what accounts tell


async def test_an_account_tells_its_stage_and_counts_it() -> None:
    bench = Bench()
    bench.flow.counts["account-changes"] = PARTITIONS
    kept, flow = store(), bench.flow
    table = AtomicTable(lambda: kept, "accounts-changelog", lambda stored: Accounts(stored, "app", RULES))
    agent = AccountsLog(flow, table, TOPICS, bench.metrics)  # type: ignore[arg-type]  # all of a flow that it uses
    assert agent.in_force(TP("members", 0), 0) is None
    lead = log.Member("lead_a", 1, lead=True)
    batch = bench.batch("members", 0, [record(b"k", log.encode(log.Members("account::acme.example", NOW, [lead])))])
    await agent.read(batch)
    await asyncio.sleep(0)

    facts = [json.loads(message.value or b"") for message in bench.flow.take("account-changes")]
    assert [(fact["subject"], fact["data"]["stage"]["to"]["name"]) for fact in facts] == [("account::acme.example", "seen")]
    assert bench.count("leadstream_account_changes_total", **{"from": "visitor", "to": "seen", "reason": "threshold_up"}) == 1
    assert bench.count("leadstream_account_change_latency_seconds_count") == 1
    assert agent.in_force(TP("members", 0), 0) is not None


async def test_a_checkpoint_waits_for_what_an_account_tells(flow: Slow) -> None:
    bench, kept = Bench(), store()
    table = AtomicTable(lambda: kept, "accounts-changelog", lambda stored: Accounts(stored, "app", RULES))
    agent = AccountsLog(flow, table, TOPICS, bench.metrics)  # type: ignore[arg-type]  # all of a flow that it uses
    flow.progress[TP("members", 0)] = Progress(0)
    lead = log.Member("lead_a", 1, lead=True)
    told = record(b"k", log.encode(log.Members("account::acme.example", NOW, [lead])))
    part, _ = agent.take(bench.batch("members", 0, [told]))

    outputs = part.take().outputs
    assert [sent.done() for sent in outputs] == [False]
    flow.acknowledge()
    assert [sent.done() for sent in outputs] == [True]
    assert flow.progress[TP("members", 0)].applied == 1


async def test_a_long_batch_is_folded_slice_by_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.agents.accounts.SLICE_S", -1.0)
    bench, kept = Bench(), store()
    table = AtomicTable(lambda: kept, "accounts-changelog", lambda stored: Accounts(stored, "app", RULES))
    agent = AccountsLog(bench.flow, table, TOPICS, bench.metrics)  # type: ignore[arg-type]  # all of a flow that it uses
    await agent.read(bench.batch("members", 0, [record(None, log.encode(log.Tick(0, NOW))) for _ in range(3)]))

    assert table.open(0).fold.next == 3


async def test_many_that_are_due_move_before_the_next_record_and_are_written_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.domain.accounts.fold.DUE", 1)
    falling = rules('[[accounts.stages]]\nname = "warm"\nenter = { interest = 9 }\nexit = { interest = 5 }\n')
    bench, kept = Bench(), store()
    bench.flow.counts["account-changes"] = PARTITIONS
    table = AtomicTable(lambda: kept, "accounts-changelog", lambda stored: Accounts(stored, "app", falling))
    agent = AccountsLog(bench.flow, table, TOPICS, bench.metrics)  # type: ignore[arg-type]  # all of a flow that it uses
    told: list[log.Record] = [
        log.Members(f"account::{n}.example", NOW, [log.Member(f"lead_{n}", 1, lead=True, base=NOW, interest={1e6: 10.0})])
        for n in range(3)
    ]
    rest: Any = bench.batch("members", 0, [record(None, log.encode(each)) for each in (*told, log.Tick(0, NOW + 10**8))])
    places: list[tuple[int, int, int]] = []
    while rest is not None:
        part, rest = agent.take(rest)
        part.cut()
        places.append((part.fold.next, len(bench.flow.take("account-changes")), part.backlog))
    assert places == [(3, 3 + 1, 1), (3, 1, 2), (4, 1, 3)]


async def test_a_record_of_a_newer_release_ends_the_worker() -> None:
    bench, kept = Bench(), store()
    table = AtomicTable(lambda: kept, "accounts-changelog", lambda stored: Accounts(stored, "app", RULES))
    agent = AccountsLog(bench.flow, table, TOPICS, bench.metrics)  # type: ignore[arg-type]  # all of a flow that it uses
    with pytest.raises(Misfit):
        await agent.read(bench.batch("members", 0, [record(None, b"\x09")]))


async def test_the_visitors_agent_hands_on_who_has_a_company() -> None:
    bench = Bench()
    bench.flow.counts["members"] = PARTITIONS
    agent = bench.visitors
    key = b"anon::c1"
    bench.events(record(key, json.dumps({"messageId": "1", "type": "page", "anonymousId": "c1"}).encode()))
    where = next(iter(agent.table.parts))
    row = agent.table.open(where).get(key)
    assert row is not None
    row.state.account, row.state.account_t = ACME, NOW
    bench.events(record(key, json.dumps({"messageId": "2", "type": "page", "anonymousId": "c1"}).encode()))
    agent.tick(where, NOW)

    told = [log.decode(message.value or b"") for message in bench.flow.take("members")]
    assert [one.account for one in told if isinstance(one, log.Members)] == ["account::acme.example"]
    assert shipped_ruleset().accounts.anonymous == 0.5
