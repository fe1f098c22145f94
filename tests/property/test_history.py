"""The same history comes out however the log is cut, restarted and repeated, and wherever ticks fall."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stream.domain import visitor
from stream.domain.event import Event
from stream.domain.log import Snapshot, Tick, decode, encode
from stream.domain.people import People
from tests.property.stories import RULES, events, logged, slow
from tests.told import DAY, START, Log, replay, without_offset

ONE = "user::1"


@slow
@given(events(back=True), st.sets(st.integers(0, 40)), st.lists(st.integers(0, 60), max_size=3))
def test_cutting_the_table_anywhere_changes_no_byte(story: list[Event], cuts: set[int], ticks: list[int]) -> None:
    log = logged(story)
    for days in ticks:
        log.tick(START + days * DAY)

    assert replay(log.records, RULES, cuts) == log.out


@slow
@given(events(back=True), st.integers(0, 40), st.data())
def test_a_log_read_again_from_any_place_on_gives_the_same_rows(story: list[Event], place: int, data: Any) -> None:
    log = logged(story)
    stored: dict[bytes, bytes] = {}
    people = People(stored, 1, "leadstream", RULES)
    for offset, record in enumerate(log.records, 1):
        people.apply(offset, record)
        if offset == place:
            people.cut()
    log.people.cut()
    people.cut()

    bodies = [{key: row[9:] for key, row in one.items()} for one in (stored, log.people.rows.stored)]
    assert bodies[0] == bodies[1]


@slow
@given(events(back=True), st.data())
def test_a_repeated_snapshot_changes_nothing(story: list[Event], data: Any) -> None:
    log = logged(story)
    records = [*log.records]
    if records:
        again = data.draw(st.integers(0, len(records) - 1))
        records.insert(data.draw(st.integers(again + 1, len(records))), records[again])

    repeated = replay(records, RULES)

    assert without_offset(repeated) == without_offset(log.out)


@slow
@given(events([ONE], linking=False), st.data(), st.booleans())
def test_ticks_anywhere_change_no_byte_for_a_lead_with_one_live_identity(story: list[Event], data: Any, restart: bool) -> None:  # noqa: FBT001
    log = logged(story)
    with_ticks: list[bytes] = []
    earliest = START
    for record in log.records:
        snapshot = decode(record)
        assert isinstance(snapshot, Snapshot)
        for _ in range(data.draw(st.integers(0, 2))):  # whatever came until then has been handed on
            until = data.draw(st.integers(START - DAY, max(earliest, snapshot.r - 1)))
            if until < snapshot.r:
                with_ticks.append(encode(Tick(0, until)))
        with_ticks.append(record)
        earliest = snapshot.r
    end = encode(Tick(0, START + 900 * DAY))

    ticked = replay([*with_ticks, end], RULES, cuts=range(0, 99, 2) if restart else ())

    assert without_offset(ticked) == without_offset(replay([*log.records, end], RULES))


@slow
@given(events(), st.integers(0, 100), st.integers(0, 100))
def test_two_ticks_do_what_one_does(story: list[Event], days: int, more: int) -> None:
    one, two = logged(story), logged(story)
    last = max(event.r for event in story)
    two.tick(last + days * DAY)
    for log in (one, two):
        log.tick(last + (days + more) * DAY)

    assert without_offset(one.out) == without_offset(two.out)


@slow
@given(events(back=True))
def test_numbers_count_up_by_one_per_lead_and_histories_are_whole(story: list[Event]) -> None:
    log = logged(story)
    log.tick(START + 900 * DAY)
    stage: dict[str, str] = {}
    numbers: dict[str, int] = {}
    ended = set()
    for fact in log.facts:
        lead = fact["subject"]
        assert lead not in ended
        assert int(fact["sequence"]) == numbers.get(lead, 0) + 1
        numbers[lead] = int(fact["sequence"])
        if fact["type"] == "lead.merged.v1":
            ended.add(lead)
        elif fact["type"] == "lead.stage_changed.v1":
            assert fact["data"]["stage"]["from"]["name"] == stage.get(lead, "visitor")
            stage[lead] = fact["data"]["stage"]["to"]["name"]


@slow
@given(events(back=True))
def test_what_changes_next_if_nothing_happens_is_what_changes(story: list[Event]) -> None:
    log = logged(story)
    leads = {p.id: p for p in log.people.rows.persons() if p.identified}
    expected = {}
    for lead, person in leads.items():
        newest = [f for f in log.facts if f["subject"] == lead and f["type"] == "lead.stage_changed.v1"]
        document = log.document(person.members[0], person.as_of)
        expected[lead] = (document["nextStageIfIdle"], document["nextCrossingAt"])
        assert document["stage"]["name"] == (newest[-1]["data"]["stage"]["to"]["name"] if newest else "visitor")
    before = len(log.facts)
    log.tick(START + 900 * DAY)

    first: dict[str, Any] = {}
    for fact in log.facts[before:]:
        first.setdefault(fact["subject"], (fact["data"]["stage"]["to"]["name"], fact["time"]))
    assert {lead: after for lead, after in expected.items() if after[0]} == first


@slow
@given(events(back=True))
def test_visitors_rows_rebuilt_from_bytes_make_the_same_log(story: list[Event]) -> None:
    log, again = logged(story), Log(RULES)
    for event in story:
        row = again.visitors.get(event.node)
        if row is not None:
            again.visitors[event.node] = visitor.decode(visitor.encode(row))
        again.add(event)

    assert again.records == log.records
