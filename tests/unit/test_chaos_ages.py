"""The verdict of the chaos suite by the clock that goes back: what time took from a lead, an older word does not give back."""

import msgspec
import orjson

from stream.domain.accounts.fold import Accounts
from stream.domain.event import Company
from stream.domain.people import People
from tests.brokers import Record
from tests.chaos.plain import Deed, rules_of
from tests.chaos.told import Told
from tests.kafka.members import compare_worth
from tests.kafka.replay import Verdict
from tests.oracle.facts import account, instant_text
from tests.oracle.reading import read
from tests.told import BEHAVIOURS, DAY, LADDER, START, Log, happened, rules

TEXT = BEHAVIOURS + LADDER + '[freshness]\nhalf_life = "100d"\nmin_confidence = 0.5\n'
RULES = rules_of(TEXT.encode())


def done(version: int, day: int, **traits: str) -> Deed:
    at = START + day * DAY
    body = {"type": "identify", "userId": "1", "messageId": str(version), "traits": traits, "timestamp": instant_text(at)}
    event = read(orjson.dumps(body | {"receivedAt": instant_text(at)}), version, at, set(), [])
    return Deed(version, event, 0, RULES)


def record(offset: int, *fields: object) -> Record:
    return Record("people", 0, offset, 0, None, b"\x01" + msgspec.msgpack.encode(fields), {})


def snapshot(offset: int, deed: Deed) -> Record:
    return record(offset, "snapshot", "user::1", deed.version, deed.event.r, None, None, None, None, None, False)


def tick(offset: int, day: int) -> Record:
    return record(offset, "tick", 0, START + day * DAY)


def test_what_grew_too_old_by_the_clock_stays_so_for_what_is_told_late() -> None:
    first, late, again = done(1, 0, email="a@old.example"), done(2, 60), done(3, 61, email="a@old.example")
    log = [snapshot(0, first), tick(1, 101), tick(2, 50), snapshot(3, late), snapshot(4, again)]
    for length, named, known in ((1, True, 0), (4, False, 100 * DAY + 1), (5, True, 100 * DAY + 1)):
        told = Told(RULES, "leadstream", 1, {"user::1": [first, late, again]}).read(log[:length])
        (person,) = told.distinct()
        assert person.lead is not None
        at = told.known_at(person.lead)
        assert (account(person, RULES, at) is not None, at - START) == (named, known)


def test_what_accounts_are_worth_is_compared_as_of_the_latest_that_the_clock_showed() -> None:
    log = Log(rules(TEXT))
    log.people = People({}, 1, "leadstream", log.rules, accounts=True)
    log.add(happened("Asked", "user::1", START, company=Company("Acme", "acme.example", "business", 1.0, "ranges", "", "")))
    for day in (101, 50):
        log.tick(START + day * DAY)
        assert _wrong(log) == []
    log.person("user::1").aged = log.person("user::1").as_of
    assert len(_wrong(log)) == 1  # the clock shows 50 days, and the account lost its lead


def _wrong(log: Log) -> list[str]:
    accounts, verdict = Accounts({}, "leadstream", log.rules), Verdict()
    assert log.people.membership is not None
    for place, out in enumerate(log.people.membership.out):
        accounts.apply(place, out.value or b"")
    compare_worth([accounts], {}, log.people, verdict)
    return verdict.wrong
