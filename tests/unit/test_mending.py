"""An operator's `link`, and what either word answers that does nothing."""

from itertools import count
from typing import Any

import orjson
import pytest

from stream.domain.event import Event, Link
from stream.domain.ids import lead_id
from stream.domain.log import Linking, Unlinking
from tests.told import BEHAVIOURS, DAY, HOUR, LADDER, LEAD_1, LEAD_2, START, Log, happened, rules

MAIL, COOKIE = "email::x@acme.example", "anon::a"
MAIL_LEAD = lead_id(MAIL)
_words = count()


def page(node: str, t: int = START, *links: str | Link) -> Event:
    return happened("page", node, t, links=links)


def asked(node: str, t: int = START, *links: str) -> Event:
    return happened("Asked", node, t, links=links)


def says(log: Log, what: type[Linking | Unlinking], one: str, other: str, word: str = "") -> dict[str, Any]:
    word = word or str(next(_words))
    log.append(what(word, one, other))
    decided: dict[str, Any] = orjson.loads(log.people.log.words[word])
    return decided


def kiosk() -> Log:
    """Return a device that two people used: it is the first one's, and shared."""
    log = Log()
    log.add(asked(COOKIE), page("user::1", START + HOUR, COOKIE), page("user::2", START + 2 * HOUR, COOKIE))
    log.add(asked(COOKIE, START + 3 * HOUR))
    log.tick(START + DAY)
    return log


def points(log: Log, node: str) -> float:
    rows = log.document(node, START + DAY)["explain"]
    return sum(float(row["points"]) for row in rows)


# -- link


def test_two_leads_become_one_at_the_peoples_clock() -> None:
    log = Log()
    log.add(page("user::1"), asked(MAIL, START + HOUR))
    log.tick(START + 2 * DAY)
    decided = says(log, Linking, MAIL, "user::1")

    assert decided == {"done": True, "text": f"they are one person now, lead {LEAD_1}; {MAIL_LEAD} was merged into it"}
    assert log.person(MAIL).members == ["user::1", MAIL]
    assert [(fact["type"], fact["time"]) for fact in log.facts[-2:]] == [
        ("lead.merged.v1", "2026-01-07T00:00:00.000Z"),
        ("lead.stage_changed.v1", "2026-01-07T00:00:00.000Z"),
    ]
    assert log.moves(LEAD_1)[-1] == ("lead", "mql", "merge", 2 * DAY)


def test_what_two_leads_did_lifts_the_one_they_become_at_the_word_itself() -> None:
    log = Log()
    log.add(*(page("user::1") for _ in range(4)), *(page(MAIL, START + HOUR) for _ in range(4)))
    log.tick(START + DAY)
    says(log, Linking, MAIL, "user::1")

    assert log.moves(LEAD_1)[-1] == ("lead", "mql", "merge", DAY)


def test_a_word_from_before_what_a_lead_has_applied_turns_no_clock_back() -> None:
    log = Log()
    log.add(page("user::1", START + HOUR), page(MAIL))
    log.tick(START)
    says(log, Linking, MAIL, "user::1")

    assert log.person(MAIL).as_of == START + HOUR


def test_as_long_as_the_clock_does_not_run_it_is_that_of_who_is_meant() -> None:
    log = Log(partitions=2)
    log.add(page("user::1"), page(MAIL, START + HOUR))
    log.tick(START + 2 * DAY)
    says(log, Linking, MAIL, "user::1")

    assert log.facts[-1]["time"] == "2026-01-05T01:00:00.000Z"


@pytest.mark.parametrize(
    ("one", "other"), [("user::1", COOKIE), (COOKIE, "user::1"), (LEAD_1, COOKIE), (f"lead::{LEAD_1}", COOKIE)]
)
def test_a_device_that_nobody_heard_of_joins_and_is_asked_what_it_did(one: str, other: str) -> None:
    log = Log()
    log.add(page("user::1"), asked(COOKIE))
    log.tick(START + DAY)
    decided = says(log, Linking, one, other)

    assert decided["text"] == f"they are one person now, lead {LEAD_1}"
    assert log.person(COOKIE).members == ["user::1", COOKIE]
    assert log.moves(LEAD_1)[-1][1] == "mql"
    log.tick(START + 30 * DAY)
    assert log.moves(LEAD_1)[-1][:3] == ("mql", "lead", "decay"), "it is looked after"


def test_two_devices_may_be_one_visitors() -> None:
    log = Log()
    log.add(asked("anon::a"), asked("anon::b"))
    assert says(log, Linking, "anon::a", "anon::b") == {"done": True, "text": "they are one person now, no lead"}

    assert log.person("anon::a").members == ["anon::a", "anon::b"]
    log.add(page("user::1", START + DAY, "anon::b"))
    assert set(log.person("user::1").members) == {"user::1", "anon::a", "anon::b"}
    assert log.moves(LEAD_1)[-1][1] == "sql"


def test_a_lead_is_meant_by_any_id_it_ever_had() -> None:
    log = Log()
    log.add(page("user::1"), page(MAIL), page("user::1", START, MAIL))
    assert says(log, Unlinking, LEAD_1, MAIL_LEAD)["done"]
    assert says(log, Linking, MAIL_LEAD, LEAD_1)["done"]
    assert log.person(MAIL).id == LEAD_1


def test_it_ends_the_sharing_of_a_device_and_what_that_did_meanwhile_counts() -> None:
    log = kiosk()
    before = points(log, "user::1")
    decided = says(log, Linking, "user::1", COOKIE)

    assert decided == {"done": True, "text": f"they are one person now, lead {LEAD_1}; shared no more"}
    assert points(log, "user::1") - before == pytest.approx(80 * 2 ** (-21 / 240))
    log.add(asked(COOKIE, START + DAY))
    assert points(log, "user::1") - before > 150


def test_a_shared_device_can_be_given_to_the_other_one() -> None:
    log = kiosk()
    refused = says(log, Linking, "user::2", COOKIE)
    assert not refused["done"]
    assert "two registrations" in refused["text"]
    assert says(log, Unlinking, "user::1", COOKIE)["done"]
    assert says(log, Linking, "user::2", COOKIE)["done"]

    assert log.person(COOKIE).id == LEAD_2
    assert points(log, "user::2") > 150
    assert points(log, "user::1") < 20


def test_a_device_that_was_taken_from_its_person_is_still_shared() -> None:
    log = kiosk()
    says(log, Unlinking, "user::1", COOKIE)
    log.add(page(COOKIE, START + DAY, "user::2"), asked(COOKIE, START + DAY))

    assert log.person(COOKIE).id == f"~{COOKIE}"
    assert log.person("user::2").members == ["user::2"]


# -- what does nothing


SAID = [
    pytest.param(Linking, "user::1", "user::1", "the same identity", id="an identity with itself"),
    pytest.param(Linking, "user::1", LEAD_1, "the same identity", id="a lead with what it was made of"),
    pytest.param(Linking, "user::1", MAIL, f"one person already, lead {LEAD_1}", id="who is linked already"),
    pytest.param(Linking, "anon::q", MAIL, f"one person already, lead {LEAD_1}", id="who is linked already, by a device"),
    pytest.param(Linking, "user::1", "user::9", "nobody is known under this user", id="a registration that never came"),
    pytest.param(Linking, "phone::+4930123456", "anon::z", "nobody is known under this phone", id="a number that never came"),
    pytest.param(Linking, "user::1", "lead_0123456789abcdef", "there is no lead of this id", id="a lead that never was"),
    pytest.param(Linking, "user::1", "user::2", "two registrations of one kind", id="two registrations"),
    pytest.param(Linking, "anon::c", MAIL, "two registrations of one kind", id="two registrations, by their devices"),
    pytest.param(Linking, "user::1", "email::info@acme.example", "role mailbox", id="a role mailbox"),
    pytest.param(Unlinking, "user::1", "user::2", "not one person", id="two persons"),
    pytest.param(Unlinking, "user::1", "anon::never", "not one person", id="somebody who never came"),
    pytest.param(Unlinking, "anon::never", "user::1", "not one person", id="somebody who never came, the other way round"),
    pytest.param(Unlinking, "lead::lead_ffffffffffffffff", MAIL, "there is no lead of this id", id="no lead, as an identity"),
    pytest.param(Unlinking, MAIL, MAIL, "the same identity", id="an identity from itself"),
]


@pytest.mark.parametrize(("what", "one", "other", "why"), SAID)
def test_a_word_that_does_nothing_says_why(what: type[Linking | Unlinking], one: str, other: str, why: str) -> None:
    log = Log()
    log.add(page("user::1", START, Link(MAIL, "business"), "anon::q"), page("user::2", START, "anon::c"))
    log.add(page("user::3", START, Link("email::info@acme.example", "role")))
    facts, rows = len(log.facts), dict(log.people.cut())
    decided = says(log, what, one, other)

    assert not decided["done"]
    assert why in decided["text"]
    assert len(log.facts) == facts
    assert [key for key, _ in log.people.cut()] == [key for key in rows if key == b"\x00log"], "nothing else is written"


def test_too_many_identities_are_refused() -> None:
    log = Log(rules(BEHAVIOURS + LADDER + "[identity]\nmax_members = 2\n"))
    log.add(page("user::1", START, "anon::a"), page(MAIL))

    assert "more than 2 identities" in says(log, Linking, "user::1", MAIL)["text"]
    assert "more than 2 identities" in says(log, Linking, "user::1", "anon::b")["text"]


def test_a_word_that_was_sent_twice_is_decided_once() -> None:
    log = Log()
    log.add(page("user::1"), page(MAIL))
    for _ in range(2):
        assert says(log, Linking, "user::1", MAIL, word="a")["done"]
    assert says(log, Unlinking, "user::1", MAIL, word="b")["done"]
    log.append(Linking("a", "user::1", MAIL))

    assert log.person(MAIL).id == MAIL_LEAD


def test_what_was_decided_names_no_identity() -> None:
    log = Log()
    log.add(page("user::1"), page(MAIL, START, "anon::a"))
    for what, one, other in (
        (Linking, "user::1", MAIL),
        (Unlinking, "user::1", MAIL),
        (Linking, "user::1", "phone::+4930123456"),
    ):
        says(log, what, one, other)

    assert all("x@acme.example" not in told and "+4930123456" not in told for told in log.people.log.words.values())
