"""Whatever people do, an account is worth what its leads, and the visitors who are nobody's, are by their own documents."""

from collections import defaultdict
from typing import Any

import pytest
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from stream.agents.anonymous import Anonymous, counted_in
from stream.domain import decay, documents, visitor
from stream.domain.accounts.document import account
from stream.domain.accounts.fold import Accounts
from stream.domain.accounts.member import account_of
from stream.domain.event import Company, Event
from stream.domain.log import Erasing, Linking, Unlinking
from stream.domain.people import People
from stream.domain.state import State
from stream.runtime.lanes import Message
from stream.runtime.rows import RowPart
from tests.property.stories import ACME, NODES, RULES, events, slow
from tests.told import DAY, START, Log


class Done:
    """An acknowledgement that came at once."""

    def done(self) -> bool:
        return True


class World(Log):
    """A people log, one partition of visitors and one of accounts; who is anonymous is handed on when it is asked for."""

    def __init__(self) -> None:
        super().__init__(RULES)
        self.stored: dict[bytes, bytes] = {}
        self.people = People(self.stored, 1, "leadstream", RULES, accounts=True)
        self.accounts = Accounts({}, "leadstream", RULES)
        self.heard = self.position = 0
        self.counts = {"members": 1}
        self.outbox = self
        self.part: RowPart[Any] = RowPart(TP("visitors", 0), {}, set(), visitor.decode, visitor.encode)
        flow: Any = self
        self.anonymous = Anonymous(flow, "members", lambda _: RULES.floor)
        self.anonymous.open(self.part)

    def put(self, _topic: str, _partition: int, messages: list[Message]) -> Done:
        for message in messages:
            self.hear(message.value or b"")
        return Done()

    def hear(self, value: bytes) -> None:
        self.accounts.apply(self.heard, value)
        self.heard += 1

    def happen(self, event: Event) -> None:
        key, row = event.node.encode(), self.visitors.get(event.node)
        was = counted_in(row)
        self.position += 1
        outcome = visitor.apply(row, event, self.position, self.rules)
        self.visitors[event.node] = outcome.row
        self.part.put(key, outcome.row)
        self.anonymous.note(self.part, key, was, outcome.row)
        if outcome.snapshot is not None:
            self.append(outcome.snapshot)

    def append(self, record: Any) -> None:
        super().append(record)
        assert self.people.membership is not None
        for out in self.people.membership.out:
            self.hear(out.value or b"")
        self.people.membership.out.clear()

    def cut(self) -> None:
        self.people.cut()
        self.people = People(self.stored, 1, "leadstream", RULES, accounts=True)

    def say(self, what: str, one: str, other: str) -> None:
        """Let an operator say something."""
        word = f"w{len(self.records)}"
        if what == "erase":
            self.append(Erasing(word, one, b"salt"))
        else:
            self.append((Linking if what == "link" else Unlinking)(word, one, other))

    def expected(self, at: int) -> dict[str, float]:
        """Return the score of each account, from the documents of whom it is made of."""
        found: dict[str, float] = defaultdict(float)
        for person in self.people.rows.persons():
            if person.identified:
                shown = documents.lead(self.people.leads, person, at, at, decided=False)
                if shown["account"] is not None:
                    found[shown["account"]["id"]] += shown["score"]["total"]
        for node, row in self.visitors.items():
            state = self.alone(node, row)
            if state is not None and account_of(state):
                found[account_of(state)] += RULES.accounts.anonymous * self.interest(node, state, at)
        return found

    def alone(self, node: str, row: visitor.Visitor) -> State | None:
        """Return what a visitor did who is nobody's."""
        identity = self.people.rows.identity(node)
        if not row.listened:
            return row.state
        if identity is None or node.startswith("lead:"):
            return None
        owner = self.people.rows.person(identity.person) if identity.person and not identity.shared else None
        return None if owner is not None and owner.identified else row.state

    def interest(self, node: str, state: State, at: int) -> float:
        identity = self.people.rows.identity(node)
        points = sum(decay.worth(state.points, state.landmark, at).values())
        if identity is not None and identity.shared:
            points -= sum(decay.worth(identity.state.points, identity.state.landmark, at).values())
        return max(RULES.floor, points)


def is_told(world: World, node: str) -> bool:
    """Tell whether a shared device has done something since it is shared: what it brings is told by its next snapshot."""
    identity = world.people.rows.identity(node)
    return identity is None or not identity.shared or bool(identity.counted)


OTHER = Company("Other", "", "business", 0.9, "ranges", "198.51.100.0/24", "")
seen = st.lists(st.sampled_from([None, ACME, ACME, OTHER]), min_size=14, max_size=14)
said = st.tuples(st.sampled_from(["link", "unlink"]), st.sampled_from(NODES[:7]), st.sampled_from(NODES[:7]))


@slow
@given(events(), seen, st.lists(st.one_of(st.none(), said), max_size=14), st.integers(0, 1 << 14), st.integers(0, 60 * DAY))
def test_an_account_is_worth_what_its_people_are(
    story: list[Event], companies: list[Company | None], words: list[Any], pauses: int, later: int
) -> None:
    world = World()
    for index, event in enumerate(story):
        if not event.bot and companies[index] is not None:
            event.company = companies[index]
        world.happen(event)
        word = words[index] if index < len(words) else None
        if word is not None and word[1] != word[2]:
            world.tick(event.r)
            world.say(*word)
        if pauses >> index & 1:
            world.anonymous.tick(world.part, event.r)
            world.cut()
    world.anonymous.tick(world.part, START)
    at = max(event.r for event in story) + later
    wanted = world.expected(at)

    for id_ in {*wanted, *world.accounts.rows.ids()}:
        document = account(world.accounts, id_, at)
        score = 0.0 if document is None else document["score"]
        silent = sum(
            RULES.accounts.anonymous * world.interest(node, row.state, at)
            for node, row in world.visitors.items()
            if account_of(row.state) == id_ and not is_told(world, node)
        )
        assert score == pytest.approx(wanted.get(id_, 0.0) - silent, rel=1e-9, abs=1e-6), id_
