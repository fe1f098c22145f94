"""Two leads that become one are the sum of both, whoever names whom; rows come back from their bytes."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stream.domain import decay
from stream.domain.event import Event
from stream.domain.ids import lead_id
from tests.property.stories import events, logged, slow
from tests.told import DAY, LEAD_1, Log, copied, happened

FIRST, SECOND = "user::1", "crm::9"
NAMES = ["Asked", "Met", "Left", "page"]


def sums(log: Log, node: str, at: int) -> dict[str, dict[str, float]]:
    state = log.visitors[node].state
    return {part: decay.worth(getattr(state, part), state.landmark, at) for part in ("points", "timing", "tags")}


def added(one: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    return {name: one.get(name, 0.0) + other.get(name, 0.0) for name in {*one, *other}}


def plain(story: list[Event]) -> list[Event]:
    """Return what is no word of the CRM: that one depends on what else was said."""
    return [event for event in story if event.crm_stage is None]


both = events([FIRST, SECOND], linking=False)


@slow
@given(both, st.sampled_from([(FIRST, SECOND), (SECOND, FIRST)]), st.integers(0, 40 * DAY))
def test_a_merged_pair_is_the_sum(story: list[Event], pair: tuple[str, str], later: int) -> None:
    log = logged(story)
    t = max(event.r for event in story)
    log.add(happened("Nothing", pair[0], t, links=[pair[1]]))
    at = t + later
    document = log.document(FIRST, at)
    parts = [sums(log, node, at) for node in pair if node in log.visitors]
    joined = parts[0] if len(parts) == 1 else {key: added(parts[0][key], parts[1][key]) for key in parts[0]}

    rows = {row["ruleId"]: row["points"] for row in document["explain"]}
    for prefix, part in (("behaviours", "points"), ("timing", "timing")):
        shown = {name.partition(".")[2]: v for name, v in rows.items() if name.startswith(prefix)}
        expected = {name: v for name, v in joined[part].items() if abs(v) > 1e-9}
        assert shown == pytest.approx(expected, rel=1e-9, abs=1e-12)
    tags = {tag["tag"]: tag["weight"] for tag in document["tags"]}
    assert tags == pytest.approx({name: v for name, v in joined["tags"].items() if v}, rel=1e-9, abs=1e-12)
    assert document["members"] == sorted(pair)


@slow
@given(both)
def test_two_leads_merge_to_the_same_either_way(story: list[Event]) -> None:
    t = max(event.r for event in story)
    documents = []
    for pair in ((FIRST, SECOND), (SECOND, FIRST)):
        log = logged(story)
        assume({FIRST, SECOND} <= {p.members[0] for p in log.people.rows.persons() if p.identified})
        log.add(happened("Nothing", pair[0], t, links=[pair[1]]))
        documents.append((log.document(FIRST, t + DAY), log.facts))

    (one, facts), (other, other_facts) = documents
    assert one["id"] == other["id"]
    assert one["id"] in {LEAD_1, lead_id(SECOND)}
    assert (one["stage"], one["members"], one["route"]) == (other["stage"], other["members"], other["route"])
    assert one["score"].pop("grade") == other["score"].pop("grade")
    assert one["score"] == pytest.approx(other["score"], rel=1e-9)
    assert [(f["subject"], f["type"], f["time"]) for f in facts] == [(f["subject"], f["type"], f["time"]) for f in other_facts]


@slow
@given(both)
def test_the_lead_identified_first_goes_on(story: list[Event]) -> None:
    log = logged(story)
    first = next((event.node for event in story if not event.bot), None)
    assume(first is not None)
    log.add(happened("Nothing", FIRST, max(event.r for event in story), links=[SECOND]))

    assert log.person(SECOND).id == lead_id(str(first))


@slow
@given(both, st.lists(st.tuples(st.sampled_from([FIRST, SECOND]), st.sampled_from(NAMES)), max_size=5))
def test_linking_early_or_late_gives_the_same_sums(story: list[Event], more: list[tuple[str, str]]) -> None:
    story = plain(story)
    assume(story)
    t = max(event.r for event in story)
    after = [happened(name, node, t + DAY) for node, name in more]
    link = happened("Nothing", FIRST, story[0].t, r=story[0].r, links=[SECOND])
    early, late = logged([link, *story, *after]), logged([*story, *after, link])
    at = t + 3 * DAY

    rows = [
        {row["ruleId"]: (row["count"], pytest.approx(row["points"], rel=1e-9)) for row in log.document(FIRST, at)["explain"]}
        for log in (early, late)
    ]
    for one in rows:  # a bonus is dated at the first completed chain that was seen
        one.pop("sequences.read-met", None)
        one.pop("floor", None)
    assert rows[0].keys() == rows[1].keys()
    plain_rows = [{row["ruleId"]: row["points"] for row in log.document(FIRST, at)["explain"]} for log in (early, late)]
    for name in rows[0]:
        assert plain_rows[0][name] == pytest.approx(plain_rows[1][name], rel=1e-9)


@slow
@given(events(back=True), st.data())
def test_a_person_rebuilt_from_bytes_equals(story: list[Event], data: Any) -> None:
    log = logged(story)
    for person in log.people.rows.persons():
        assert copied(person) == person
        for node in person.members:
            identity = log.people.rows.identity(node)
            assert identity is not None
            assert copied(identity) == identity
