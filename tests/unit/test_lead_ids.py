"""An id of a lead that is none means nobody: `~node`, under which people keep who is no lead yet, is no name for outside."""

import json

import pytest

from stream.domain import asking, exporting, words
from stream.domain.log import Erase, Erasing, Linking, Told, Unlinking, decode
from stream.domain.state import NEVER
from tests.told import HOUR, LEAD_1, START, Log, happened

USER, COOKIE, OTHER = "user::1", "anon::a", "anon::b"
INSIDE = f"lead::~{COOKIE}"
DEVICES = happened("page", COOKIE, START, links=[OTHER])
REGISTERED = happened("page", USER, START + 2, links=[COOKIE])
BY_ITS_ID = happened("Asked", INSIDE, START + 1)


@pytest.fixture(params=["no lead yet", "a lead by now"])
def log(request: pytest.FixtureRequest) -> Log:
    """Return a log of two devices that are one person, kept as `~anon::a` at first."""
    log = Log()
    log.add(DEVICES)
    if request.param == "a lead by now":
        log.add(REGISTERED)
    log.tick(START + HOUR)
    return log


def test_what_is_keyed_by_it_belongs_to_nobody(log: Log) -> None:
    log.add(BY_ITS_ID, REGISTERED)

    assert set(log.person(USER).members) == {USER, COOKIE, OTHER}
    known = log.people.rows.identity(INSIDE)
    assert known is not None
    assert known.person == ""
    assert log.document(USER, START + HOUR)["score"]["total"] < 80


def test_nobody_answers_under_it(log: Log) -> None:
    assert asking.lead(log.people, INSIDE, START) is None
    assert asking.lead_of(log.people, INSIDE) is None
    assert exporting.person(log.people, INSIDE, START) is None


def test_nobody_is_erased_by_it(log: Log) -> None:
    log.append(Erasing("w", INSIDE, b"salt"))

    told = [decode(out.value) for out in log.out if out.own == b"erase" and out.value is not None]
    assert [one.nodes for one in told if isinstance(one, Erase)] == [[INSIDE]]
    assert {COOKIE, OTHER} <= set(log.person(COOKIE).members)


@pytest.mark.parametrize("what", [Linking, Unlinking])
@pytest.mark.parametrize("pair", [(INSIDE, OTHER), (OTHER, INSIDE)])
def test_an_operators_word_on_it_does_nothing(log: Log, what: type[Linking | Unlinking], pair: tuple[str, str]) -> None:
    log.add(BY_ITS_ID)
    before = list(log.person(COOKIE).members)
    log.append(what("w", *pair))

    assert not json.loads(words.told(log.people.log, "w") or "")["done"]
    assert log.person(COOKIE).members == before


def test_the_crm_moved_nobody_under_it(log: Log) -> None:
    log.append(Told(INSIDE, "mql", START, START))

    assert (log.person(COOKIE).crm_t, log.person(COOKIE).hold_until) == (NEVER, NEVER)


def test_who_is_no_lead_is_exported_without_that_of_an_identity_of_this_name() -> None:
    log = Log()
    log.add(DEVICES, happened("page", USER, START, links=[f"~{COOKIE}"]))

    assert asking.lead_of(log.people, f"~{COOKIE}") == LEAD_1
    known = exporting.person(log.people, COOKIE, START)
    assert known is not None
    assert known["lead"] is None
    assert [one["id"] for one in known["identities"]] == [COOKIE, OTHER]
