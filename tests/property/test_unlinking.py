"""Links, an operator's words and events in any order give what a projection of all of them from scratch gives."""

from collections.abc import Iterator
from itertools import combinations, count

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.stage_change import lead_events
from stream.domain.ids import class_of, kind_of, lead_id
from stream.domain.log import Linking, Unlinking
from stream.domain.ruleset.model import Ruleset
from tests.told import BEHAVIOURS, DAY, HOUR, LADDER, START, Log, happened, replay, rules

NODES = ["user::1", "user::2", "crm::9", "email::x@acme.example", "email::y@acme.example", "anon::a", "anon::b", "anon::c"]
FEW = rules(BEHAVIOURS + LADDER + "[identity]\nmax_members = 4\n")
MANY = rules()

nodes = st.sampled_from(NODES)
happening = st.tuples(st.just("event"), nodes, st.lists(nodes, max_size=3))
said = st.tuples(st.sampled_from(["link", "unlink", "unlink"]), nodes, st.lists(nodes, min_size=1, max_size=1))
stories = st.lists(st.one_of(happening, happening, said), min_size=3, max_size=25)
many = settings(deadline=None, max_examples=150)
Story = list[tuple[str, str, list[str]]]


class Projection:
    """The slow model: a list of links that hold, pairs that must not meet, and devices that are nobody's."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.links: list[tuple[str, str]] = []
        self.apart: set[frozenset[str]] = set()
        self.shared: set[str] = set()
        self.awake: set[str] = set()
        self.did: dict[str, list[tuple[float, int]]] = {node: [] for node in NODES}
        self.known: dict[str, int] = dict.fromkeys(NODES, 0)

    def person(self, node: str, without: str = "") -> set[str]:
        """Return who is linked to whom, over any number of links, none of them through `without`."""
        found = {node}
        while True:
            more = {end for link in self.links if without not in link and found & set(link) for end in link}
            if more <= found:
                return found
            found |= more

    def clashes(self, one: set[str], other: set[str]) -> bool:
        """Tell whether both together have two registrations of one kind."""
        kinds = [kind_of(node) for node in one | other if class_of(kind_of(node)) == "A"]
        return len(kinds) != len(set(kinds))

    def event(self, key: str, others: list[str], points: float, t: int) -> None:
        """Let something happen; a key that nobody listens to is not heard of."""
        others = [other for other in dict.fromkeys(others) if other != key]
        self.did[key].append((points, t))
        if others or class_of(kind_of(key)) != "C":
            self.awake.add(key)
        if key in self.awake and key not in self.shared:
            self.known[key] = len(self.did[key])
        for other in others:
            self.name(key, other)

    def name(self, key: str, other: str) -> None:
        """Let an event's key name another."""
        one, two = self.person(key), self.person(other)
        if one != two:
            if frozenset((key, other)) in self.apart:
                return
            if self.clashes(one, two):
                self.shared |= {node for node in (key, other) if class_of(kind_of(node)) == "C"}
                return
            if any(frozenset((a, b)) in self.apart for a in one for b in two) or len(one) + len(two) > self.most:
                return
        if not {key, other} & self.shared:
            self.links.append((key, other))
            self.wake(other)

    def wake(self, node: str) -> None:
        self.awake.add(node)
        if node not in self.shared:
            self.known[node] = len(self.did[node])

    def link(self, a: str, b: str) -> bool:
        """Let an operator link two; tell whether anything is done."""
        one, two = self.person(a), self.person(b)
        unknown = any(class_of(kind_of(node)) != "C" and node not in self.awake for node in (a, b))
        same = a in two and not {a, b} & self.shared
        if a == b or unknown or same or (a not in two and (self.clashes(one, two) or len(one) + len(two) > self.most)):
            return False
        self.apart -= {frozenset((c, d)) for c in one for d in two if one != two}
        self.shared -= {a, b}
        self.links.append((a, b))
        self.wake(a)
        self.wake(b)
        return True

    def unlink(self, a: str, b: str) -> bool:
        """Let an operator unlink two; tell whether anything is done."""
        whole = self.person(a)
        if a == b or b not in whole:
            return False
        stay = self.person(a, without=b)
        self.links = [link for link in self.links if len(stay & set(link)) != 1]
        self.apart |= {frozenset((c, d)) for c in stay for d in whole - stay}
        return True


def told(story: Story, ruleset: Ruleset) -> Iterator[tuple[Log, Projection]]:
    """Let a story happen to the engine and to the model; yields both after each step."""
    log, model, word = Log(ruleset), Projection(ruleset.max_members), count()
    for hour, (what, one, others) in enumerate(story):
        now = START + hour * HOUR
        if what == "event":
            name, points = ("Asked", 80.0) if hour % 3 else ("page", 10.0)
            log.add(happened(name, one, now, links=[o for o in dict.fromkeys(others) if o != one]))
            model.event(one, others, points, now)
        else:
            log.tick(now)
            name = str(next(word))
            log.append((Linking if what == "link" else Unlinking)(name, one, others[0]))
            done = model.link(one, others[0]) if what == "link" else model.unlink(one, others[0])
            assert orjson.loads(log.people.log.words[name])["done"] is done, (what, one, others[0])
        yield log, model


def together(log: Log) -> set[frozenset[str]]:
    return {frozenset(person.members) for person in log.people.rows.persons() if person.members}


@many
@given(stories, st.sampled_from([FEW, MANY]))
def test_who_is_one_person_is_a_projection_of_all_that_was_said(story: Story, ruleset: Ruleset) -> None:
    for log, model in told(story, ruleset):
        expected = {frozenset(model.person(node)) for node in model.awake}
        assert together(log) == expected
        shared = {node for node in NODES if (known := log.people.rows.identity(node)) is not None and known.shared}
        assert shared == model.shared


@many
@given(stories, st.sampled_from([FEW, MANY]))
def test_a_person_sums_what_its_identities_did(story: Story, ruleset: Ruleset) -> None:
    *_, (log, model) = told(story, ruleset)
    at = START + 30 * DAY
    for person in log.people.rows.persons():
        if not person.identified:
            continue
        expected = sum(
            points * 2 ** (-(at - t) / (10 * DAY))
            for node in person.members
            for points, t in model.did[node][: model.known[node]]
        )
        rows = log.document(person.members[0], at)["explain"]
        points = sum(row["points"] for row in rows if row["ruleId"].startswith("behaviours."))
        assert points == pytest.approx(expected, rel=1e-9, abs=1e-9)


@many
@given(stories, st.sampled_from([FEW, MANY]))
def test_a_lead_answers_under_an_id_of_its_own_members_and_every_old_one_still_answers(story: Story, ruleset: Ruleset) -> None:
    *_, (log, _) = told(story, ruleset)
    for person in log.people.rows.persons():
        assert person.identified or not any(class_of(kind_of(node)) in ("A", "B") for node in person.members)
        if person.identified:
            assert person.id in {lead_id(node) for node in person.members}
            for old in person.previous:
                survivor = log.people.rows.person(old)
                assert survivor is not None
                assert survivor.id == person.id
                assert old in {lead_id(node) for node in person.members}


@many
@given(stories, st.sampled_from([FEW, MANY]))
def test_what_the_crm_reads_is_in_order_and_can_be_followed(story: Story, ruleset: Ruleset) -> None:
    *_, (log, _) = told(story, ruleset)
    log.tick(START + 60 * DAY)
    stages: dict[str, str] = {}
    numbers: dict[str, int] = {}
    ended: dict[str, str] = {}
    newest: dict[str, bytes | None] = {out.key.decode(): out.value for out in log.out if out.topic == "lead-states"}
    changes: dict[str, bytes] = {}
    for out in log.out:
        if out.topic != "stage-changes" or out.value is None:
            continue
        lead_events.validate_json(out.value)
        fact = orjson.loads(out.value)
        subject, data = fact["subject"], fact["data"]
        numbers[subject] = numbers.get(subject, 0) + 1
        assert fact["sequence"] == f"{numbers[subject]:010d}"
        match fact["type"]:
            case "lead.stage_changed.v1":
                assert subject not in ended, "one that ended moves no more"
                assert data["stage"]["from"]["name"] == stages.get(subject, "visitor")
                stages[subject] = data["stage"]["to"]["name"]
                changes[subject] = out.value
            case "lead.merged.v1":
                ended[subject] = data["into"]
            case "lead.unmerged.v1":
                assert data["lead"]["id"] == subject
                ended.pop(subject, None)
    live = {person.id: person for person in log.people.rows.persons() if person.identified}
    assert {id_: value for id_, value in newest.items() if value is not None} == {
        id_: value for id_, value in changes.items() if id_ not in ended
    }
    assert stages.keys() - ended.keys() <= live.keys()
    assert all(live[id_].stage == stage for id_, stage in stages.items() if id_ not in ended)
    assert not ended.keys() & live.keys()


@many
@given(stories, st.sets(st.integers(0, 30), max_size=6))
def test_a_table_cut_and_read_again_anywhere_says_the_same(story: Story, cuts: set[int]) -> None:
    *_, (log, _) = told(story, MANY)
    whole = replay(log.records, MANY)
    assert replay(log.records, MANY, cuts) == whole


@many
@given(stories)
def test_to_unmerge_and_merge_again_leads_back(story: Story) -> None:
    *_, (log, model) = told(story, MANY)
    now = START + len(story) * HOUR
    log.tick(now)
    for person in list(log.people.rows.persons()):
        if len(person.members) < 2 or not person.identified or model.shared & set(person.members):
            continue  # a device that is linked again is shared no more, and brings what it did meanwhile
        before, id_ = log.document(person.members[0], now), person.id
        one, other = next(combinations(person.members, 2))
        log.append(Unlinking("apart", one, other))
        log.append(Linking("again", one, other))
        words = log.people.log.words
        assert orjson.loads(words["apart"])["done"]
        assert orjson.loads(words["again"])["done"]
        after = log.document(one, now)
        assert (after["id"], after["members"]) == (id_, before["members"])
        assert after["score"]["total"] == pytest.approx(before["score"]["total"], rel=1e-9, abs=1e-9)
        return
