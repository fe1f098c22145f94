"""What the people log decides about an erasure, and what a restored table keeps of it."""

import json
from typing import Any

import msgspec
import pytest

from stream.domain import erasing, exporting, graves, visitor, words
from stream.domain.event import Event, Link
from stream.domain.ids import lead_id
from stream.domain.log import Buried, Disowned, Erase, Erasing, Linking, Remembered, Snapshot, Tick, Unlinking, decode
from stream.domain.people import People
from stream.domain.person import Cut, Person
from stream.domain.state import State
from tests.told import BEHAVIOURS, DAY, HOUR, LADDER, LEAD_1, LEAD_2, START, Log, copied, happened, rules

SALT = b"0123456789abcdef"
TOLD = "; the CRM is told by lead.erased.v1"
USER, OTHER, COOKIE, WEIBO, MAIL = "user::1", "user::2", "anon::a", "weibo::w", "email::x@acme.example"


def erased(log: Log, id_: str, word: str = "w", *, until: int = START + HOUR, confirmed: bool = True) -> dict[str, Any] | None:
    """Let a word be said, and the one partition of `events` answer; return what was decided."""
    log.append(Tick(0, until))
    log.append(Erasing(word, id_, SALT))
    if confirmed:
        log.append(Buried(len(log.records) + 1, 0, 0))
    told = words.told(log.people.log, word)
    return None if told is None else json.loads(told)


def numbers(log: Log, lead: str) -> list[tuple[str, str]]:
    return [(fact["sequence"][-2:], fact["type"].split(".")[1]) for fact in log.facts if fact["subject"] == lead]


def erasures(log: Log) -> list[Erase]:
    told = [decode(out.value) for out in log.out if out.topic == "events" and out.value is not None and out.own == b"erase"]
    return [one for one in told if isinstance(one, Erase)]


# -- who goes


def test_a_word_that_is_said_twice_is_decided_once() -> None:
    log = Log()
    log.add(happened("page", USER, START))
    erased(log, USER, confirmed=False)
    log.append(Erasing("w", USER, SALT))
    place = erasures(log)[0].place
    log.append(Buried(place, 0, 1))
    log.append(Buried(place, 0, 1))
    log.append(Erasing("w", USER, SALT))

    assert json.loads(words.told(log.people.log, "w") or "")["visitors"] == 1
    assert len(erasures(log)) == 1
    assert [type_ for _, type_ in numbers(log, LEAD_1)] == ["stage_changed", "erased"]


def test_no_more_erasures_wait_for_partitions_than_their_row_has_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasing, "GOING", 1)
    log = Log()
    log.add(happened("page", USER, START), happened("page", OTHER, START))
    assert erased(log, USER, "w1", confirmed=False) is None
    refused = erased(log, OTHER, "w2", confirmed=False)
    assert refused is not None
    assert (refused["done"], refused["text"][:43]) == (False, "1 erasures wait for partitions of events th")
    assert log.people.rows.person(lead_id(OTHER)) is not None

    log.append(Buried(erasures(log)[0].place, 0, 1))
    assert erased(log, OTHER, "w3", confirmed=False) is None
    assert log.people.rows.person(lead_id(OTHER)) is None


def test_devices_that_belong_together_go_together_and_no_lead_is_told() -> None:
    log = Log()
    log.add(happened("page", COOKIE, START, links=[WEIBO]), happened("page", COOKIE, START))
    erased(log, WEIBO)

    assert erasures(log)[0].nodes == [COOKIE, WEIBO]
    assert log.facts == []
    assert [log.people.rows.identity(node) for node in (COOKIE, WEIBO)] == [None, None]


def test_a_lead_that_another_one_was_merged_into_goes_with_both_ids_and_both_are_numbered_on() -> None:
    log = Log()
    log.add(happened("page", USER, START), happened("page", MAIL, START), happened("page", USER, START, links=[MAIL]))
    merged = lead_id(MAIL)
    assert numbers(log, merged)[-1] == ("02", "merged")
    erased(log, merged)
    for node in (MAIL, USER):
        log.visitors.pop(node)
        log.append(Snapshot(node, 100, START + DAY, START + DAY, State(START + DAY), erased=10**6))

    assert set(erasures(log)[0].nodes) == {USER, MAIL, f"lead::{LEAD_1}", f"lead::{merged}"}
    assert numbers(log, merged)[-1] == ("03", "stage_changed")
    assert numbers(log, LEAD_1)[-2:] == [("02", "erased"), ("03", "stage_changed")]


def test_an_id_of_a_lead_that_does_not_exist_any_more_is_refused_from_then_on_too() -> None:
    log = Log()
    log.add(happened("page", USER, START))
    erased(log, USER)
    erased(log, f"lead::{LEAD_1}", "again")

    assert erasures(log)[1].nodes == [f"lead::{LEAD_1}"]
    grave = log.people.erasures.grave(f"lead::{LEAD_1}")
    assert grave is not None
    assert grave.sequence == 2


def test_a_device_that_is_shared_by_nobody_any_more_goes_alone() -> None:
    log = Log()
    for user in (USER, OTHER):
        log.add(happened("page", user, START, links=[COOKIE]))
    erased(log, USER)  # who has its past, and the device with it
    erased(log, COOKIE, "again")

    assert erasures(log)[0].nodes == [USER, COOKIE, f"lead::{LEAD_1}"]
    assert erasures(log)[1].nodes == [COOKIE]
    assert log.person(OTHER).members == [OTHER]


def test_a_shared_device_leaves_a_lead_that_never_told_a_stage_in_silence() -> None:
    log = Log(rules(BEHAVIOURS + LADDER.replace("enter = { identified = true }", "enter = { interest = 50 }")))
    for user in (USER, OTHER):
        log.add(happened("page", user, START, links=[COOKIE]))
    told = len(log.facts)
    erased(log, COOKIE)

    assert log.person(USER).members == [USER]
    assert len(log.facts) == told


def test_a_shared_device_may_leave_who_was_never_a_lead() -> None:
    log = Log()
    log.add(happened("page", COOKIE, START, links=[WEIBO]))
    identity = log.people.rows.identity(WEIBO)
    assert identity is not None
    identity.shared = True
    erased(log, WEIBO)

    assert log.person(COOKIE).members == [COOKIE]


def alias(node: str, before: str, t: int) -> Event:
    """Return an event that links two devices."""
    return happened("page", node, t, links=[before])


def test_what_a_lead_told_while_it_had_a_shared_device_is_told_again_when_that_is_erased() -> None:
    log = Log()
    for t, user in enumerate((USER, OTHER)):  # COOKIE gave its past to the first, and is shared since the second
        log.add(happened("page", user, START + t, links=[COOKIE]))
    log.append(Unlinking("cut", USER, COOKIE, ""))
    erased(log, COOKIE)

    newest = [fact for fact in log.facts if fact["subject"] == LEAD_1][-1]
    assert (newest["type"], newest["data"]["lead"]["anonymousIds"]) == ("lead.stage_changed.v1", [])
    assert newest["data"]["reason"]["text"] == "an identity that it had was erased"


def test_whom_a_shared_device_held_together_stay_one_person_under_another_id() -> None:
    """They say who they are later, and an operator takes somebody else's device from them, with nobody of theirs."""
    log = Log()
    log.add(happened("page", USER, START, links=[COOKIE]), alias(WEIBO, COOKIE, START), alias("weibo::v", COOKIE, START))
    log.add(happened("page", OTHER, START, links=[COOKIE]))  # COOKIE is shared
    log.append(Unlinking("cut", USER, COOKIE, ""))
    assert log.person(WEIBO).id == f"~{COOKIE}"
    erased(log, COOKIE)

    assert log.person(WEIBO).id == f"~{WEIBO}"
    assert log.person(WEIBO).members == [WEIBO, "weibo::v"]
    log.append(Linking("on", WEIBO, "anon::stranger", ""))
    log.append(Unlinking("off", "anon::stranger", WEIBO, ""))
    log.add(happened("page", WEIBO, START + HOUR, links=[MAIL]))
    assert log.person(WEIBO).members == [WEIBO, "weibo::v", MAIL]
    assert log.person(WEIBO).identified


def test_no_row_of_people_names_a_shared_device_that_was_erased() -> None:
    """The persons that it once stood for are others by now."""
    log = Log()
    log.add(alias(COOKIE, "anon::d", START), alias("anon::b", "anon::c", START), alias("anon::c", COOKIE, START))
    log.add(happened("page", OTHER, START, links=["anon::c"]), happened("page", USER, START, links=[COOKIE]))
    erased(log, COOKIE)
    log.people.cut()

    assert log.person("anon::b").members == [OTHER, "anon::d", "anon::b", "anon::c"]
    named = [key for key, row in log.people.rows.stored.items() if COOKIE.encode() in key + row]
    assert named == []


def test_no_row_names_it_that_an_earlier_release_wrote() -> None:
    """It kept whom a person had become who was no lead yet."""
    log = Log()
    for t, user in enumerate((USER, OTHER)):
        log.add(happened("page", user, START + t, links=[COOKIE, WEIBO]))
    log.people.rows.keep(Person(f"~{WEIBO}", into=f"~{COOKIE}"))
    erased(log, COOKIE)
    log.people.cut()
    assert [key for key, row in log.people.rows.stored.items() if COOKIE.encode() in key + row] == []


def test_only_an_erasure_takes_rows_away() -> None:
    """A null has no place in the log: that of a worker that froze takes a newer row away, and behind a grave none counts."""
    log = Log()
    log.add(alias(COOKIE, WEIBO, START), happened("page", USER, START, links=[COOKIE]))
    rows = dict(log.people.cut())
    assert None not in rows.values()
    assert WEIBO.encode() not in (rows[b"p:~" + COOKIE.encode()] or b"")


def test_a_device_that_others_named_and_that_did_nothing_is_erased_all_the_same() -> None:
    log = Log()
    for user in (USER, OTHER):
        log.add(happened("page", user, START, links=[COOKIE]))
    done = erased(log, COOKIE)

    assert done is not None
    assert (done["done"], done["text"]) == (True, "erased; 0 visitors gone")


def test_who_was_one_with_somebody_long_gone_goes_without_more_ado() -> None:
    log = Log()
    log.add(happened("page", USER, START))
    identity = log.people.rows.identity(USER)
    assert identity is not None
    identity.apart = [Cut(1, left=True, size=2, other=LEAD_2), Cut(2, left=True, size=2)]
    erased(log, USER)

    assert numbers(log, LEAD_1)[-1] == ("02", "erased")


# -- what comes later


def test_what_is_swept_is_told_again_unless_it_lives_again() -> None:
    log = Log()
    for user in (USER, OTHER):
        log.add(happened("page", user, START))
        erased(log, user, f"w{user}")
    log.append(Snapshot(OTHER, 100, START + DAY, START + DAY, State(START + DAY), erased=10**6))
    log.out = []
    log.append(Tick(0, START + 3 * DAY))

    swept = [out.key.decode() for out in log.out if out.topic == "lead-states" and out.value is None]
    assert swept == [LEAD_1]
    assert LEAD_2 != LEAD_1


def test_a_refused_link_to_who_lives_again_is_told_again() -> None:
    log = Log()
    log.add(happened("page", OTHER, START, links=[MAIL]))
    for _ in range(2):
        log.add(happened("page", USER, START, links=[MAIL]))
    told = [fact["subject"] for fact in log.facts if fact["type"] == "identity.conflict.v1"]
    assert sorted(told) == sorted([LEAD_1, LEAD_2])
    erased(log, OTHER)
    t = START + DAY
    log.append(Snapshot(OTHER, 100, t, t, State(t), [Link(MAIL)], erased=10**6))
    log.add(happened("page", USER, t, links=[MAIL]))

    again = [fact["subject"] for fact in log.facts if fact["type"] == "identity.conflict.v1"][2:]
    assert sorted(again) == sorted([LEAD_1, LEAD_2])


def test_graves_come_back_from_the_visitors_and_the_newer_one_counts() -> None:
    log, key = Log(), graves.key_of(SALT, USER.encode())
    log.append(Remembered(SALT, key, 7, START))
    log.append(Remembered(SALT, key, 5, START - DAY))
    log.append(Remembered(b"another of 16 b.", key, 9, START + DAY))

    assert log.people.erasures.grave(USER) == graves.Grave(7, START)
    assert log.people.erasures.made_since([Link(USER), Link(OTHER)], START - 1) == [Link(OTHER)]
    assert log.people.erasures.made_since([Link(USER)], START) == [Link(USER)]


def test_an_erasure_that_goes_on_survives_a_restart() -> None:
    log = Log()
    log.add(happened("page", USER, START))
    erased(log, USER, confirmed=False)
    place = erasures(log)[0].place
    log.people.cut()
    again = People(log.people.rows.stored, 1, "leadstream", log.rules)
    again.erasures.buried(Buried(place, 0, 1))

    assert json.loads(words.told(again.log, "w") or "")["done"]
    assert again.erasures.salt == SALT
    assert not any(b"user::1" in key + row for key, row in log.people.rows.stored.items())


@pytest.mark.parametrize(
    ("going", "said"),
    [
        (
            erasing.Going("w", LEAD_1, 3, [], 1),
            f"{LEAD_1} is erased, with 3 ids; 1 visitor gone{TOLD}",
        ),
        (erasing.Going("w", "", 1, [], 2), "erased; 2 visitors gone"),
        (erasing.Going("w", "", 1, [], 0, known=True), "erased; 0 visitors gone"),
        (erasing.Going("w", "", 1, [], 0), "nothing was known of it; what happened under it until now is refused from now on"),
    ],
)
def test_what_was_done_is_said_without_naming_whom(going: erasing.Going, said: str) -> None:
    log = Log()
    log.people.erasures._book.going[1] = going
    going.left = [0]
    log.append(Buried(1, 0, 0))

    told = json.loads(words.told(log.people.log, "w") or "")
    assert (told["text"], told["done"]) == (said, bool(going.lead or going.found or going.known))


# -- what a restored partition keeps


def row(position: int, body: bytes = b"") -> bytes:
    return b"\x01" + position.to_bytes(8, "big") + b"\x00" + body


def sifted(rows: dict[bytes, bytes], undone: dict[bytes, bytes]) -> tuple[set[bytes], set[bytes]]:
    """Return the keys that are left, graves aside, and those that were put right."""
    rows = {graves.SALT: b"\x01" + bytes(8) + SALT, graves.key_of(SALT, b"user::1"): row(10), **rows}
    changed = graves.SIFTS["visitors"](rows, undone)
    return {key for key in rows if key[0]}, changed


@pytest.mark.parametrize(
    ("rows", "undone", "left", "changed"),
    [
        pytest.param({b"user::1": row(9)}, {}, set(), {b"user::1"}, id="a row from before"),
        pytest.param({b"user::1": row(11)}, {}, {b"user::1"}, set(), id="a new life"),
        pytest.param({b"user::2": row(9)}, {}, {b"user::2"}, set(), id="somebody else"),
        pytest.param({}, {b"user::1": row(11)}, {b"user::1"}, {b"user::1"}, id="a new life that an old null took"),
        pytest.param({}, {b"user::1": row(9)}, set(), set(), id="a null that stands"),
        pytest.param({}, {b"user::2": row(9)}, set(), set(), id="a null that is no erasure's"),
        pytest.param({b"user::1": row(9)}, {b"user::1": row(11)}, {b"user::1"}, {b"user::1"}, id="an old row behind that null"),
        pytest.param({b"user::1": row(12)}, {b"user::1": row(11)}, {b"user::1"}, set(), id="a newer row behind it"),
    ],
)
def test_rows_count_by_the_position_of_the_grave(
    rows: dict[bytes, bytes], undone: dict[bytes, bytes], left: set[bytes], changed: set[bytes]
) -> None:
    assert sifted(rows, undone) == (left, changed)


@pytest.mark.parametrize(("position", "stays"), [(6, False), (7, True)])
def test_rows_of_people_count_from_the_place_of_the_word_on_however_late_the_grave_was_written(
    position: int, *, stays: bool
) -> None:
    grave = row(90)[:9] + msgspec.msgpack.encode(graves.Grave(7, START))
    rows = {graves.SALT: b"\x01" + bytes(8) + SALT, graves.key_of(SALT, b"user::1"): grave, b"i:user::1": row(position)}
    graves.SIFTS["people"](rows, {})
    assert (b"i:user::1" in rows) is stays


@pytest.mark.parametrize(
    ("key", "node"),
    [
        (b"i:user::1", b"user::1"),
        (b"s:user::1", b"user::1"),
        (b"p:~user::1", b"user::1"),
        (b"p:lead_0123456789abcdef", b"lead::lead_0123456789abcdef"),
        (b"\x00log", None),
    ],
)
def test_every_row_of_people_is_somebodys(key: bytes, node: bytes | None) -> None:
    assert graves.identity_of(key) == node


# -- rows of visitors


def test_a_grave_keeps_what_makes_repeats_repeats_and_a_life_from_it_changes_it_not() -> None:
    log = Log()
    log.add(happened("page", USER, START))
    known = log.visitors[USER]
    known.forwarded, known.replayed = {1: 7}, {"dead-letters:0": [3]}
    grave = visitor.bury(known, 9, START + HOUR, 77)
    life = visitor.rise(grave)
    life.forwarded[2], life.replayed["dead-letters:0"] = 1, [3, 4]

    assert (grave.state, grave.links, grave.caps) == (State(START + HOUR), None, {})
    assert (grave.recent, grave.listened, grave.position, grave.erased) == (known.recent, True, 77, (9, START + HOUR))
    assert (grave.forwarded, grave.replayed) == ({1: 7}, {"dead-letters:0": [3]})
    assert [visitor.is_erased(life, START + HOUR + t) for t in (-1, 0)] == [True, False]
    assert not visitor.is_erased(known, 0)
    assert copied(grave) == msg_of(grave)
    assert visitor.bury(None, 9, START, 1).recent == b""


def msg_of(row: visitor.Visitor) -> visitor.Visitor:
    return visitor.decode(visitor.encode(row))


def test_a_registered_person_keeps_what_was_told_of_it_when_it_named_who_is_erased() -> None:
    log = Log()
    log.add(happened("page", USER, START, links=[MAIL], traits={"name": "x"}))
    log.add(happened("page", COOKIE, START, links=[MAIL], traits={"name": "x"}))

    assert not visitor.disown(USER, log.visitors[USER], {OTHER}, 99)
    for node, traits in ((USER, {"name"}), (COOKIE, set())):
        known = log.visitors[node]
        assert visitor.disown(node, known, {MAIL}, 99)
        assert (known.links, known.position, set(known.state.traits)) == ({}, 99, traits)


def test_what_a_device_forgot_leaves_its_lead_once_and_what_is_told_on_it_since_stays() -> None:
    log = Log()
    log.add(happened("page", USER, START, links=[COOKIE]), happened("page", COOKIE, START + HOUR, traits={"title": "head"}))
    forgot = Disowned(COOKIE, log.visitors[COOKIE].position + 1, START + 2 * HOUR)
    log.append(forgot)
    assert [fact["data"]["lead"]["traits"] for fact in log.facts[-1:]] == [{}]

    log.visitors[COOKIE].state.traits = {}
    log.add(happened("page", COOKIE, START + 3 * HOUR, traits={"title": "boss"}))
    told = len(log.facts)
    log.append(forgot)
    log.add(happened("Asked", USER, START + 4 * HOUR))
    assert [fact["data"]["lead"]["traits"] for fact in log.facts[told:]] == [{"title": "boss"}]


# -- export


def test_everything_the_tables_know_is_exported_and_nothing_of_who_is_gone() -> None:
    log = Log()
    log.add(happened("Asked", USER, START, links=[COOKIE], traits={"name": "Ada", "title": "head"}))
    known = exporting.person(log.people, COOKIE, START)
    assert known is not None
    assert (known["lead"]["id"], known["person"]["stage"]) == (LEAD_1, "mql")
    assert [one["id"] for one in known["identities"]] == [USER, COOKIE]
    assert known["identities"][0]["traits"]["name"] == {"value": "Ada", "told": "2026-01-05T00:00:00.000Z"}
    shown = exporting.visitor(USER, log.visitors[USER], log.rules, START)
    assert (shown["named"], shown["events"], shown["traits"].keys()) == ({COOKIE: ""}, 1, {"name", "title"})
    assert (len(shown["messageHashes"]), shown["erasedBefore"], shown["listened"]) == (1, None, True)
    erased(log, USER)
    assert exporting.person(log.people, COOKIE, START) is None
    grave = visitor.rise(visitor.bury(log.visitors[USER], 9, START, 9))
    assert exporting.visitor(USER, grave, log.rules, START)["erasedBefore"] == "2026-01-05T00:00:00.000Z"
