"""Whatever order members are heard in, how often, with whatever cuts between: an account is the sum of the newest of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.domain.accounts.document import account
from stream.domain.accounts.fold import Accounts
from stream.domain.curves import value
from stream.domain.instants import parse
from stream.domain.leads import Out
from stream.domain.log import Member, Members, NewRuleset, Record, Tick, encode
from stream.domain.state import NEVER
from tests.property.stories import slow
from tests.told import DAY, HOUR, START, rules

ID = "account::acme.example"
ENTER, LEAVE, WEIGHT = 100.0, 60.0, 0.5
LADDER = f"""
[accounts]
anonymous = {WEIGHT}
[[accounts.stages]]
name = "seen"
enter = {{ people = 1 }}
exit = {{ people = 0.5 }}
[[accounts.stages]]
name = "engaged"
enter = {{ score = {ENTER} }}
exit = {{ score = {LEAVE} }}
dwell = "1h"
"""
RULES = rules(LADDER)
OTHERS = [rules(LADDER.replace("60.0", "90.0")), rules(LADDER.replace("engaged", "hot")), rules("[accounts]\nanonymous = 0.1\n")]
LIVES = [5.0 * DAY, 10.0 * DAY, 0.25 * DAY]
points = st.sampled_from([0.0, 5.0, 40.0, 80.0, 300.0, -20.0, -50.0])
curves = st.dictionaries(st.sampled_from(LIVES), points, max_size=2)
LEADS, VISITORS = ["lead_a", "lead_b", "lead_c"], ["v_1", "v_2", "~v_1"]


@st.composite
def snapshots(draw: Any, id_: str, version: int, at: int) -> Member:
    """Draw what a member brings."""
    if draw(st.integers(0, 9)) == 0:
        return Member(id_, version, left=True, final=id_ == "v_2" and draw(st.booleans()))
    lead = id_ in LEADS
    idle: dict[str, Any] = {"idle_ms": 2 * DAY, "idle_points": -15.0} if lead and draw(st.booleans()) else {}
    role: dict[str, Any] = {}
    if draw(st.booleans()):
        role = {"role": "user", "role_until": at + draw(st.sampled_from([HOUR, 9 * DAY, 1 << 62]))}
    fit: dict[str, Any] = {"fit": draw(points), "timing": draw(curves), **role} if lead else {}
    return Member(
        id_, version, lead=lead, base=at, interest=draw(curves), floor=draw(st.sampled_from([0.0, 0.0, -10.0, 5.0])),
        active=draw(st.sampled_from([NEVER, at])), evidence=[("address", draw(st.sampled_from(["192.0.2.0/24", "::/64"])))],
        told=("Acme", "acme.example", "business", 1.0), **idle, **fit,
    )  # fmt: skip


@st.composite
def logs(draw: Any, *, ticking: bool = True) -> list[Record]:
    """Draw the log of one account: members in the order of their versions, then a few again, ticks and rulesets between."""
    made: list[Record] = []
    now, versions = START, dict.fromkeys([*LEADS, *VISITORS], 0)
    for _ in range(draw(st.integers(1, 12))):
        now += draw(st.sampled_from([0, 1, HOUR, DAY, 5 * DAY, 30 * DAY]))
        changed = []
        for id_ in draw(st.lists(st.sampled_from([*LEADS, *VISITORS]), min_size=1, max_size=2, unique=True)):
            versions[id_] += 1
            changed.append(draw(snapshots(id_, versions[id_], now)))
        made.append(Members(ID, now, changed, draw(st.sampled_from(["", "", "", "merge"]))))
        if ticking and draw(st.booleans()):
            now += draw(st.sampled_from([HOUR, 3 * DAY, 20 * DAY]))
            made.append(Tick(0, now))
        if ticking and draw(st.integers(0, 9)) == 0:
            made.append(NewRuleset(len(made) + 1, draw(st.sampled_from(OTHERS)).text))
    return made


@dataclass
class Replayed:
    """What a log made, and the fold."""

    fold: Accounts
    out: list[Out]
    stored: dict[bytes, bytes]


def replayed(log: Sequence[Record], cuts: set[int] = frozenset()) -> Replayed:  # type: ignore[assignment]  # no one changes it
    stored: dict[bytes, bytes] = {}
    fold = Accounts(stored, "leadstream", RULES)
    out: list[Out] = []
    for offset, record in enumerate(log):
        if offset in cuts:
            fold.cut()
            fold = Accounts(stored, "leadstream", RULES)
        fold.apply(offset, encode(record))
        out += fold.out
        fold.out.clear()
    fold.cut()
    return Replayed(fold, out, stored)


def newest(log: Sequence[Record]) -> dict[str, Member]:
    """Return the members there are, from scratch."""
    known: dict[str, Member] = {}
    for record in log:
        for member in record.changed if isinstance(record, Members) else ():
            old = known.get(member.id)
            if old is None or (not old.final and (member.final or member.version > old.version)):
                known[member.id] = member
    return {id_: member for id_, member in known.items() if not member.left}


def interest(member: Member, at: int) -> float:
    idle = member.idle_points * max(0, (at - member.active) // member.idle_ms) if member.idle_ms and member.active >= 0 else 0
    return max(member.floor, value(member.interest, member.base, at) + idle)


def score(members: dict[str, Member], at: int, weight: float = WEIGHT) -> float:
    """Return an account's score from scratch."""
    total = 0.0
    for member in members.values():
        if member.lead:
            total += interest(member, at) + value(member.timing, member.base, at) + member.fit
        else:
            total += interest(member, at) * weight
    return total


def last(log: Sequence[Record]) -> int:
    return max(record.until if isinstance(record, Tick) else record.r for record in log if isinstance(record, Tick | Members))


@slow
@given(logs(ticking=False), st.data(), st.integers(0, 90 * DAY))
def test_any_order_and_repetition_gives_the_sum(log: list[Record], data: Any, later: int) -> None:
    mixed = data.draw(st.permutations(log))
    mixed += data.draw(st.lists(st.sampled_from(log), max_size=5))
    at, weight = last(log) + later, RULES.accounts.anonymous
    present = newest(mixed)
    document = account(replayed(mixed).fold, ID, at)
    if document is None:
        assert not present
        return

    assert document["score"] == pytest.approx(score(present, at, weight), rel=1e-9, abs=1e-6)
    assert document["people"] == sorted(id_ for id_ in present if id_ in LEADS)
    assert document["anonymous"] == sum(id_ in VISITORS for id_ in present)
    counted = sum(each["people"] + each["visitors"] for each in document["evidence"])
    assert counted == len(present)


@slow
@given(logs(), st.sets(st.integers(0, 40)))
def test_cutting_the_table_anywhere_changes_no_byte(log: list[Record], cuts: set[int]) -> None:
    whole, parted = replayed(log), replayed(log, cuts)

    assert [one.value for one in parted.out] == [one.value for one in whole.out]
    assert rows(parted.stored) == rows(whole.stored)


def rows(stored: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """Return what rows hold; their positions are those of cuts."""
    return {key: row[9:] for key, row in stored.items()}


@slow
@given(logs(), st.integers(1, 60 * DAY))
def test_looking_ahead_is_the_clock_run_there(log: list[Record], later: int) -> None:
    at = last(log) + later
    ahead = account(replayed(log).fold, ID, at, at)
    ran = account(replayed([*log, *[Tick(0, at)] * 3]).fold, ID, at, at)

    assert ahead == ran


@slow
@given(logs())
def test_a_timed_demotion_stands_at_the_very_millisecond(log: list[Record]) -> None:
    log = [record for record in log if not isinstance(record, NewRuleset)]
    for fact in (orjson.loads(one.value or b"") for one in replayed([*log, Tick(0, last(log) + 400 * DAY)]).out):
        data, at = fact["data"], parse(fact["time"])
        if data["stage"]["from"]["name"] != "engaged" or data["reason"]["code"] not in ("decay", "idle"):
            continue
        read = newest(log[: data["freshness"]["offset"]])

        assert data["score"] == pytest.approx(score(read, at), abs=1e-6)
        assert data["score"] < LEAVE
        assert score(read, at - 1) >= LEAVE - 1e-6 or data["stage"]["timeInPreviousMs"] == HOUR


@slow
@given(logs())
def test_facts_are_numbered_and_follow_each_other(log: list[Record]) -> None:
    facts = [orjson.loads(one.value or b"") for one in replayed(log).out]

    assert [fact["id"] for fact in facts] == [f"{ID}-{number:010d}" for number in range(1, len(facts) + 1)]
    stages = [fact["data"]["stage"] for fact in facts]
    assert [stage["to"] for stage in stages[:-1]] == [stage["from"] for stage in stages[1:]] or len(log) != len(
        [record for record in log if not isinstance(record, NewRuleset)]
    )
    assert all(msgspec.json.decode(one.value or b"")["time"] for one in replayed(log).out)
