"""The people table: rows in memory, and as bytes that go out whole."""

import pytest

from stream.domain.log import Unreadable
from stream.domain.ownrows import META, RULESET, LogRow
from stream.domain.person import Identity, Person
from stream.domain.rows import Rows
from stream.domain.state import State


def table() -> tuple[dict[bytes, bytes], Rows]:
    stored: dict[bytes, bytes] = {}
    return stored, Rows(stored)


def test_what_is_kept_is_found_before_and_after_the_cut() -> None:
    stored, rows = table()
    identity, person = Identity("user::1", 7, "lead_1"), Person("lead_1", 1, members=["user::1"], identified=1)
    rows.keep(identity, person)

    assert rows.identity("user::1") is identity
    assert rows.person("lead_1") is person
    rows.cut(LogRow(8))
    for again in (rows, Rows(stored)):
        assert again.identity("user::1") == identity
        assert again.person("lead_1") == person
        assert again.identity("user::1") is again.identity("user::1")


def test_a_cut_holds_what_changed_and_the_log_last_all_at_one_position() -> None:
    stored, rows = table()
    rows.keep(Identity("user::1"), Person("lead_1"))
    rows.cut(LogRow(8))
    rows.keep(Identity("user::2"))

    cut = rows.cut(LogRow(9, {0: 5}))

    assert [key for key, _ in cut] == [b"i:user::2", META]
    assert {(value or b"")[:9] for _, value in cut} == {b"\x01" + (9).to_bytes(8, "big")}
    assert set(stored) == {b"i:user::1", b"p:lead_1", b"i:user::2", META}
    assert Rows(stored).log() == LogRow(9, {0: 5})


def test_sums_are_a_row_of_their_own_that_a_change_of_person_does_not_write_again() -> None:
    stored, rows = table()
    identity = Identity("user::1", state=State(events=3))
    rows.keep_sums(identity)
    assert [key for key, _ in rows.cut(LogRow())] == [b"i:user::1", b"s:user::1", META]

    read = rows.identity("user::1")
    assert read == identity
    read.person = "lead_1"
    rows.keep(read)

    assert [key for key, _ in rows.cut(LogRow())] == [b"i:user::1", META]
    assert Rows(stored).identity("user::1") == Identity("user::1", person="lead_1", state=State(events=3))


def test_an_empty_table_takes_the_ruleset_and_keeps_it() -> None:
    stored, rows = table()
    assert rows.editions(b"first").newest.text == b"first"
    assert [key for key, _ in rows.cut(LogRow())] == [RULESET, META]

    again = Rows(stored)
    assert again.editions(b"second").newest.text == b"first"
    assert [key for key, _ in again.cut(LogRow())] == [META]


def test_an_empty_table_begins_a_new_log() -> None:
    _, rows = table()

    assert rows.log() == LogRow()
    assert (rows.identity("user::1"), rows.person("lead_1"), list(rows.persons())) == (None, None, [])


def test_the_size_grows_with_rows_that_changed_once_each_until_the_cut() -> None:
    _, rows = table()
    rows.keep(Identity("user::1"))
    once = rows.size
    rows.keep(Identity("user::1"))

    assert once > 0
    assert rows.size == once
    rows.cut(LogRow())
    assert rows.size == 0


def test_rows_stay_decoded_behind_a_cut_until_they_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    _, rows = table()
    one, lead = Identity("user::1"), Person("lead_1")
    rows.keep(one, lead)
    rows.cut(LogRow())
    assert (rows.identity("user::1"), rows.person("lead_1")) == (one, lead)
    assert rows.identity("user::1") is one
    assert not rows.keeps_too_much

    monkeypatch.setattr("stream.domain.rows.KEPT_BYTES", 80)
    assert rows.keeps_too_much
    rows.forget()
    assert not rows.keeps_too_much
    assert rows.identity("user::1") is not one
    assert not rows.keeps_too_much, "one row of sixty bytes"
    assert rows.person("lead_1") is not lead
    assert rows.keeps_too_much, "what is read counts, too"


def test_one_that_was_merged_away_is_its_survivor() -> None:
    _, rows = table()
    rows.keep(Person("lead_1", into="lead_2"), Person("lead_2", into="lead_3"), Person("lead_3"))

    assert rows.person("lead_1") is rows.person("lead_3")
    assert [person.id for person in rows.persons()] == ["lead_3"]
    rows.cut(LogRow())
    assert [person.id for person in rows.persons()] == ["lead_3"]


def test_forgetting_drops_what_was_read_and_keeps_what_changed() -> None:
    _, rows = table()
    rows.keep(Identity("user::1"), Person("lead_1"))
    rows.cut(LogRow())
    read = rows.identity("user::1")
    changed = Person("lead_1", sequence=5)
    rows.keep(changed)

    rows.forget()

    assert rows.identity("user::1") is not read
    assert rows.person("lead_1") is changed
    assert [key for key, _ in rows.cut(LogRow())] == [b"p:lead_1", META]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(b"", "format none", id="nothing"),
        pytest.param(b"\x05" + bytes(20), "format 05", id="a newer release's"),
        pytest.param(b"\x01" + bytes(8) + b"\xff", "cannot be read", id="no msgpack"),
    ],
)
def test_a_row_that_cannot_be_read_says_why(data: bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        Rows({b"i:user::1": data}).identity("user::1")
