"""What a producer sends never makes a row, a snapshot or a cut larger than Kafka takes."""

import orjson

from stream.domain import visitor
from stream.domain.event import Event
from stream.domain.log import encode
from stream.domain.people import People
from stream.domain.ruleset.load import load
from stream.intake import Intake
from stream.lookups import Lookups
from stream.rulesets import default_text

RECORD = 1_048_588
CUT = 900_000
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
    assert send("a", {"type": "email", "id": "b@acme.example"}) < CUT // 2
    assert len([person for person in people.rows.persons() if person.identified]) == 1
