"""What a producer sends never makes a row, a snapshot or a cut larger than Kafka takes."""

from collections.abc import Iterable
from typing import Any

import orjson
import pytest
from faust.types import TP

from stream.domain import visitor
from stream.domain.accounts.fold import Accounts
from stream.domain.editions import KEPT, MAX_TEXT
from stream.domain.event import Event, Link
from stream.domain.log import Deployment, Member, Members, NewRuleset, Tick, encode
from stream.domain.ownrows import CUT_BYTES
from stream.domain.people import People
from stream.domain.ruleset.load import load
from stream.faust_conf import MAX_BATCH
from stream.intake import Intake
from stream.lookups import Lookups
from stream.rulesets import default_text
from stream.runtime.atomic import AtomicPart
from stream.runtime.producer import Pair
from tests.told import DAY, START, happened, rules

RECORD = 1_048_588
MERGE = 450_000
"""What one record may change beside a cut that is full already."""
HEAD = 30
"""Bytes that Kafka puts around a row, at most."""
RULES = load(default_text())
INTAKE = Intake(Lookups())
WIDE = "\U0001f600"


def read(event: dict[str, object], number: int) -> Event:
    value = orjson.dumps({"messageId": f"m{number}", "timestamp": "2026-01-01T00:00:00Z", **event})
    read_event = INTAKE.read(value, 1_800_000_000_000)
    assert isinstance(read_event, Event), read_event
    return read_event


def test_a_row_that_is_told_as_much_as_an_event_may_say_again_and_again_fits_a_record() -> None:
    row = None
    for number in range(40):
        told = {f"t{number}-{leaf}": WIDE * 60 for leaf in range(900)}
        row = visitor.apply(row, read({"type": "identify", "userId": "u", "traits": told}, number), number + 1, RULES).row
    for number in range(40, 80):
        told = {f"t{number}-{leaf}": WIDE * 60 for leaf in range(900)}
        event = read({"type": "group", "userId": "u", "groupId": f"g{number}", "traits": told}, number)
        row = visitor.apply(row, event, number + 1, RULES).row
    assert row is not None
    assert len(visitor.encode(row)) < RECORD // 2


def test_the_rows_that_one_record_changes_fit_one_batch_even_when_the_largest_persons_merge() -> None:
    people, offset = People({}, 1, "leadstream", RULES), 0
    rows: dict[str, visitor.Visitor | None] = {}
    told = {f"t{leaf}": WIDE * 60 for leaf in range(900)}

    def send(user: str, *ids: dict[str, str]) -> int:
        """Return how large the cut is that an event about these identities makes."""
        nonlocal offset
        offset += 1
        mail = {"type": "email", "id": f"{user}@acme.example"}
        happened = read({"type": "identify", "context": {"externalIds": [mail, *ids]}, "traits": told}, offset)
        outcome = visitor.apply(rows.get(happened.node), happened, offset, RULES)
        rows[happened.node] = outcome.row
        assert outcome.snapshot is not None
        people.apply(offset, encode(outcome.snapshot))
        return sum(len(key) + len(value or b"") for key, value in people.cut())

    for user, first in (("a", 0), ("b", 31)):
        for device in range(first, first + 31):
            send(user, {"type": "weibo", "id": f"{device}-{WIDE * 100}", "scope": WIDE * 120})
    assert send("a", {"type": "email", "id": "b@acme.example"}) < MERGE < MAX_BATCH - CUT_BYTES
    assert len([person for person in people.rows.persons() if person.identified]) == 1


def size(cut: list[Pair]) -> int:
    return sum(len(key or b"") + len(value or b"") + HEAD for key, value in cut)


def fold(part: AtomicPart[Any], offset: int, record: bytes) -> None:
    """Fold a record as a worker does between two checkpoints."""
    part.cut_for(len(record))
    while not part.fold.apply_part(offset, record):
        part.cut_for(len(record))


def largest_cut(one: People | Accounts, records: Iterable[bytes]) -> int:
    """Return the bytes of the largest cut that a worker makes of a log no checkpoint interrupts."""
    part = AtomicPart(TP("changelog", 0), {}, set(), one)
    for offset, record in enumerate(records):
        fold(part, offset, record)
    return max(map(size, part.take().rows))


def registrations(count: int, leaves: int, user: str = "u{}") -> Iterable[bytes]:
    """Yield what people hear of who was never there before, each with traits of so many leaves."""
    for number in range(count):
        told = {f"t{leaf}": WIDE * 25 for leaf in range(leaves)}
        event = read({"type": "identify", "userId": user.format(number), "traits": told}, number)
        outcome = visitor.apply(None, event, number + 1, RULES)
        assert outcome.snapshot is not None
        yield encode(outcome.snapshot)


@pytest.mark.parametrize("user", ["u{}", "{}" + WIDE * 100])
@pytest.mark.parametrize("leaves", [0, 3, 30, 300])
def test_a_crowd_that_registers_between_two_checkpoints_makes_no_cut_larger_than_a_batch(leaves: int, user: str) -> None:
    people = People({}, 1, "leadstream", RULES, accounts=True)
    assert MAX_BATCH // 8 < largest_cut(people, registrations(1000, leaves, user)) < MAX_BATCH


def test_leads_with_many_devices_that_fall_at_one_tick_make_no_cut_larger_than_a_batch() -> None:
    people = People({}, 1, "leadstream", rules(), accounts=True)
    part = AtomicPart(TP("changelog", 0), {}, set(), people)
    for number in range(700):
        links = [Link(f"weibo::{number}-{device}-{'x' * 80}") for device in range(20)]
        outcome = visitor.apply(None, happened("Asked", f"user::{number}", START + number, links=links), 1, people.rules)
        assert outcome.snapshot is not None
        people.apply(number, encode(outcome.snapshot))
        part.cut()
    part.take()
    assert len(people.leads.timers) == 700
    people.take_out()

    fold(part, 700, encode(Tick(0, START + 400 * DAY)))

    assert len(people.take_out()) == 2 * 700
    rows = part.take().rows
    assert sum(map(size, rows)) > MAX_BATCH
    assert max(map(size, rows)) < MAX_BATCH


def test_accounts_of_whom_a_crowd_is_told_make_no_cut_larger_than_a_batch() -> None:
    accounts = Accounts({}, "leadstream", RULES)
    half_lives = {1000.0 * number: 1.0 for number in range(1, 300)}
    told = (Members(f"account::{n % 7}", n, [Member(f"lead_{n:016x}", 1, interest=half_lives)]) for n in range(2000))
    assert MAX_BATCH // 8 < largest_cut(accounts, map(encode, told)) < MAX_BATCH


@pytest.mark.parametrize("table", ["people", "accounts"])
def test_the_largest_rulesets_one_behind_the_other_make_no_cut_larger_than_a_batch(table: str) -> None:
    texts = [f"# {number}\n".encode().ljust(MAX_TEXT - len(RULES.text), b"#") + b"\n" + RULES.text for number in range(KEPT + 2)]
    if table == "people":
        people = People({}, 1, "leadstream", RULES, accounts=True)
        told = [[encode(Deployment(text)), *registrations(200, 3)] for text in texts]
        assert MAX_BATCH // 2 < largest_cut(people, [record for some in told for record in some]) < MAX_BATCH
    else:
        accounts = Accounts({}, "leadstream", RULES)
        passed = [encode(NewRuleset(place, text)) for place, text in enumerate(texts, 1)]
        member = [encode(Members(f"account::{n}", n, [Member("lead_1", 1, interest={1000.0: 1.0})])) for n in range(300)]
        assert MAX_BATCH // 2 < largest_cut(accounts, [one for text in passed for one in (text, *member)]) < MAX_BATCH
