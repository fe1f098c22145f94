"""What an operator says before all sums of lost people are back waits for them; and which resync it is that brings them."""

from typing import Any

import msgspec
import orjson

from stream.domain import words
from stream.domain.ids import lead_id
from stream.domain.log import Deployment, Erase, Erasing, Linking, Record, Settled, Settling, Unlinking, decode, encode
from stream.domain.people import People
from stream.domain.waiting import FULL, ROOM
from tests.told import BEHAVIOURS, DAY, HOUR, LADDER, START, Log, happened, rules
from tests.unit.test_restoring import COOKIE, MAIL, USER, asked, lost, say_all

ERASE = Erasing("w1", USER, b"0123456789abcdef")
NOW = START + 2 * HOUR


def known() -> Log:
    """Return a lead that was told of before a device became its own."""
    log = Log()
    log.add(asked(), happened("page", COOKIE, START), happened("page", USER, START + HOUR, links=[COOKIE]))
    log.tick(NOW)
    return log


def settle(log: Log, *runs: str) -> None:
    say_all(log)
    for run in runs or ("run",):
        log.append(Settled(run, 0))


def decided(log: Log, word: str) -> Any:
    told = words.told(log.people.log, word)
    return None if told is None else orjson.loads(told)


def erased(log: Log) -> list[Erase]:
    """Return what the partitions of `events` were told."""
    return [one for out in log.out if out.topic == "events" and isinstance(one := decode(out.value or b""), Erase)]


def test_an_erasure_waits_for_the_sums_and_meets_all_that_the_person_is_by_then() -> None:
    again = lost(known())
    again.append(ERASE)
    again.tick(NOW)
    settle(again)
    assert erased(again) == []
    behind = len(again.records) + 1
    again.tick(NOW)
    (told,) = erased(again)
    assert set(told.nodes) >= {USER, COOKIE}
    assert told.place == behind + 1, "rows written since the word was said are from before the erasure, too"
    assert [fact["type"] for fact in again.facts] == ["lead.erased.v1"]
    assert again.people.rows.person(lead_id(USER)) is None


def test_words_are_decided_in_their_order_one_a_tick_and_a_cut_forgets_none() -> None:
    again = lost(known())
    said: list[Record] = [Unlinking("w2", USER, COOKIE), Linking("w3", USER, COOKIE), ERASE, ERASE]
    for word in said:
        again.append(word)
    again.people.cut()
    again.people = People(again.people.rows.stored, 1, "leadstream", again.rules)
    settle(again)
    done = []
    for _ in range(5):
        again.tick(NOW)
        done.append([word for word in ("w2", "w3", "w1") if decided(again, word) or erased(again)])
    assert [len(one) for one in done] == [1, 2, 3, 3, 3]
    assert decided(again, "w2")["done"]
    assert decided(again, "w3")["done"]
    assert len(erased(again)) == 1
    assert not again.people.waiting


def test_who_speaks_behind_words_that_wait_waits_too() -> None:
    again = lost(known())
    again.append(Unlinking("w2", USER, COOKIE))
    settle(again)
    again.append(Linking("w3", USER, COOKIE))
    assert decided(again, "w3") is None
    again.tick(NOW)
    assert (decided(again, "w2")["done"], decided(again, "w3")) == (True, None)
    again.tick(NOW)
    assert decided(again, "w3")["done"]
    again.append(Unlinking("w4", USER, COOKIE))
    assert decided(again, "w4")["done"]


def test_words_wait_for_the_clock_too() -> None:
    again = lost(known(), partitions=2)
    again.append(ERASE)
    say_all(again)
    again.append(Settled("run", 0))
    again.append(Settled("run", 1))
    again.tick(NOW, 0)
    assert erased(again) == []
    again.tick(NOW, 1)
    assert len(erased(again)) == 2


def test_what_is_due_waits_for_the_words_and_not_longer() -> None:
    again = lost(known())
    again.append(Unlinking("w2", MAIL, "email::nobody@b.example"))
    settle(again)
    again.tick(NOW + 99 * DAY)
    assert again.moves() == []
    again.tick(NOW + 99 * DAY)
    assert [move[:2] for move in again.moves()] == [("mql", "lead")]


def test_more_words_than_there_is_room_for_are_answered_at_once() -> None:
    again = lost(known())
    again.append(Linking("w2", USER, COOKIE, "x" * ROOM))
    assert decided(again, "w2") == {"done": False, "text": FULL}
    assert not again.people.waiting


def test_a_ruleset_comes_into_force_though_sums_are_missing() -> None:
    again = lost(known())
    other = rules(BEHAVIOURS + LADDER + "# other\n")
    again.append(Deployment(other.text))
    assert again.people.rules.text == other.text


# -- which resync


def test_a_later_resync_takes_the_place_of_one_whose_sums_never_come() -> None:
    again = lost(known(), partitions=2)
    again.append(Settled("run", 0))
    again.append(Settling("later", anew=False))
    for run, partition in (("run", 0), ("run", 1), ("later", 1), ("run", 0)):
        again.append(Settled(run, partition))
        assert again.people.leads.settling, "the older run ends nothing"
    again.append(Settled("later", 0))
    assert not again.people.leads.settling


def test_a_later_resync_changes_nothing_where_no_sums_are_missing() -> None:
    log = known()
    log.append(Settling("later", anew=False))
    assert (log.people.log.run, log.people.leads.settling) == ("", False)
    log.tick(NOW + 99 * DAY)
    assert log.moves()[-1][:2] == ("mql", "lead")


def test_settling_of_the_release_before_is_anew() -> None:
    old = encode(Settling("a"))
    assert msgspec.msgpack.decode(old[1:]) == ["settling", "a", True]
    assert decode(old[:1] + msgspec.msgpack.encode(["settling", "a"])) == Settling("a")
