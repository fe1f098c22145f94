"""Rulesets that come at any moment of any story: a history is still a function of its log, and no stage hangs in the air."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stream.domain.event import Event
from stream.domain.log import Deployment, encode
from stream.domain.people import People
from stream.domain.ruleset.load import load
from tests.property.stories import RULES, events, slow
from tests.told import BEHAVIOURS, DAY, LADDER, START, Log, replay, rules

TEXTS = [
    RULES,
    rules(LADDER.replace("60", "90").replace("40", "70") + BEHAVIOURS),
    rules(LADDER.replace("60", "15").replace("40", "5") + BEHAVIOURS + '[crm]\nhold = "1d"\n'),
    rules(LADDER.replace("mql", "hot").replace("customer", "client") + BEHAVIOURS + '[identity]\ntyped_email = "C"\n'),
    rules(BEHAVIOURS + '[[stages]]\nname = "sql"\nowner = "crm"\n[[stages]]\nname = "mql"\nenter = { interest = 20 }\n'),
    rules(BEHAVIOURS),
]


@st.composite
def stories(draw: Any) -> Log:
    """Draw the log of a story with ticks, and rulesets that come, perhaps the same ones again."""
    log, story = Log(RULES), draw(events(back=True))
    days = 0
    for event in story:
        happen(log, event)
        for _ in range(draw(st.integers(0, 2))):
            if draw(st.booleans()):
                days += draw(st.integers(0, 6))
                log.tick(START + days * DAY)
            else:
                log.deploy(draw(st.sampled_from(TEXTS)))
    log.tick(START + 900 * DAY)
    return log


def happen(log: Log, event: Event) -> None:
    """Let an event happen; the CRM names a stage only of those there are."""
    names = {"visitor", *(stage.name for stage in log.rules.stages)}
    if event.crm_stage is None or event.crm_stage in names:
        log.add(event)


@slow
@given(stories(), st.sets(st.integers(0, 60)))
def test_cutting_the_table_anywhere_changes_no_byte(log: Log, cuts: set[int]) -> None:
    assert replay(log.records, RULES, cuts) == log.out


@slow
@given(stories(), st.data())
def test_a_log_read_again_from_a_cut_on_gives_the_same_rows(log: Log, data: Any) -> None:
    place = data.draw(st.integers(0, len(log.records)))
    stored: dict[bytes, bytes] = {}
    for part in (log.records[:place], log.records[place:]):
        people = People(stored, 1, "leadstream", RULES)
        for record in part:
            people.apply(people.next or 1, record)
        people.cut()
    log.people.cut()

    bodies = [{key: row[9:] for key, row in one.items()} for one in (stored, log.people.rows.stored)]
    assert bodies[0] == bodies[1]


@slow
@given(stories())
def test_what_is_prepared_beforehand_changes_no_byte(log: Log) -> None:
    people, out = People({}, 1, "leadstream", RULES), []
    for offset, record in enumerate(log.records, 1):
        for _ in people.prepare(offset, record):
            pass
        people.apply(offset, record)
        out += people.take_out()

    assert out == log.out


@slow
@given(stories(), st.data())
def test_what_is_prepared_and_does_not_come_changes_no_byte(log: Log, data: Any) -> None:
    people, out = People({}, 1, "leadstream", RULES), []
    for offset, record in enumerate(log.records, 1):
        if data.draw(st.booleans()):
            people.cut()
        for _ in people.prepare(offset + 100, encode(Deployment(data.draw(st.sampled_from(TEXTS)).text))):
            pass
        people.apply(offset, record)
        out += people.take_out()

    assert out == log.out


@slow
@given(stories(), st.data())
def test_the_ruleset_in_force_again_changes_no_byte(log: Log, data: Any) -> None:
    place = data.draw(st.integers(0, len(log.records)))
    people, out = People({}, 1, "leadstream", RULES), []
    for offset, record in enumerate(log.records, 1):
        if offset == place:
            people.apply(offset, encode(Deployment(people.rules.text)))
        people.apply(offset, record)
        out += people.take_out()

    assert out == log.out


@slow
@given(stories())
def test_each_stage_one_leaves_is_the_one_it_was_told_to_stand_in(log: Log) -> None:
    stage: dict[str, str] = {}
    hashes = {ruleset.hash: {"visitor", *(s.name for s in load(ruleset.text).stages)} for ruleset in TEXTS}
    for fact in log.facts:
        if fact["type"] == "lead.stage_changed.v1":
            told = fact["data"]["stage"]
            assert told["from"]["name"] == stage.get(fact["subject"], "visitor")
            stage[fact["subject"]] = told["to"]["name"]
            if fact["data"]["reason"]["code"] not in ("merge", "crm"):
                assert told["to"]["name"] in hashes[fact["data"]["ruleset"]["hash"]]


@slow
@given(stories())
def test_in_the_end_every_lead_stands_in_a_stage_there_is_or_in_one_of_the_crms(log: Log) -> None:
    names = {"visitor", *(stage.name for stage in log.rules.stages)}
    for person in log.people.rows.persons():
        if person.identified:
            gone = log.people.rules.gone.get(person.stage)
            assert person.stage in names or (gone is not None and gone.owner == "crm")
