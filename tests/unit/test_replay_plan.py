"""Which dead letters a replay sends, and how it remembers them in a few bytes."""

from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest

from stream.cli.letters import Filter, Letter
from stream.cli.plan import BEFORE, CAME_BACK, EMPTY, TWIN, Plan, Seen, planned
from stream.cli.resend import _seen
from stream.cli.sent import LARGEST, Sent, Spans
from stream.errors import UsageError

_times = count(1)


def letter(
    offset: int, *, partition: int = 0, reason: str = "not_json", at: int = 0, empty: bool = False, parent: str = ""
) -> Seen:
    return Seen(partition, offset, at or next(_times), reason, empty, parent)


def plan(*letters: Seen, wanted: Filter | None = None, sent: dict[int, str] | None = None) -> Plan:
    known = {}
    for partition in range(2):
        mine = [one for one in letters if one.partition == partition]
        among = {reason: [one.offset for one in mine if one.reason == reason] for reason in {one.reason for one in mine}}
        known[partition] = Sent(among, (sent or {}).get(partition, ""))
    return planned("dead", letters, wanted or Filter(), known)


def offsets(made: Plan) -> dict[int, list[int]]:
    return {partition: [one.offset for one in letters] for partition, letters in made.letters.items()}


def test_all_letters_are_sent_in_the_order_of_each_partition() -> None:
    made = plan(letter(0, at=9), letter(1, at=5), letter(4, partition=1))

    assert offsets(made) == {0: [0, 1], 1: [4]}
    assert made.count == 3
    assert not made.skipped


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Filter(reasons=frozenset({"erased", "too_large"})), [1]),
        (Filter(since_ms=20), [1, 2]),
        (Filter(until_ms=20), [0]),
        (Filter(since_ms=20, until_ms=30), [1]),
        (Filter(limit=1), [2]),
    ],
)
def test_reason_time_and_number_say_which_are_meant(wanted: Filter, expected: list[int]) -> None:
    made = plan(letter(0, at=10), letter(1, at=20, reason="too_large"), letter(2, at=30), wanted=wanted)

    assert offsets(made) == {0: expected}


def test_a_letter_without_content_cannot_be_sent() -> None:
    made = plan(letter(0, reason="erased", empty=True))

    assert (made.letters, made.skipped) == ({}, {EMPTY: 1})


def test_a_letter_that_came_back_is_sent_through_the_newer_one() -> None:
    made = plan(letter(0), letter(1, parent="dead:0:0"), letter(2, parent="dead:0:1"))

    assert offsets(made) == {0: [2]}
    assert made.skipped == {CAME_BACK: 2}


def test_a_letter_that_was_sent_twice_and_came_back_twice_is_one_record() -> None:
    made = plan(letter(0), letter(1, parent="dead:0:0"), letter(3, partition=1, parent="dead:0:0"))

    assert offsets(made) == {0: [1]}
    assert made.skipped == {CAME_BACK: 1, TWIN: 1}


def test_a_twin_is_left_out_also_when_the_other_was_sent_and_came_back() -> None:
    made = plan(letter(0), letter(1, parent="dead:0:0"), letter(2, parent="dead:0:1"), letter(3, parent="dead:0:0"))

    assert offsets(made) == {0: [2]}


def test_what_was_sent_before_is_not_sent_again() -> None:
    made = plan(letter(0), letter(1), letter(2), sent={0: '{"not_json":[[0,1]]}'})

    assert offsets(made) == {0: [2]}
    assert made.skipped == {BEFORE: 2}


def test_the_newest_n_are_the_same_when_they_were_sent_before() -> None:
    made = plan(letter(0), letter(1), letter(2), wanted=Filter(limit=2), sent={0: '{"not_json":[[1,2]]}'})

    assert made.letters == {}


def test_the_letters_of_a_reason_from_end_to_end_are_one_span() -> None:
    spans = Spans([3, 8, 9, 20])

    for offset in (20, 3, 9, 8, 9):
        spans.add(offset)

    assert spans.spans == [[3, 20]]
    assert [offset in spans for offset in (2, 3, 12, 21)] == [False, True, True, False]


def test_a_letter_that_was_left_out_parts_two_spans() -> None:
    spans = Spans([3, 8, 9, 20])
    for offset in (3, 9, 20):
        spans.add(offset)

    assert spans.spans == [[3, 3], [9, 20]]
    assert 8 not in spans


def test_spans_of_what_was_deleted_and_of_a_topic_before_this_one_are_forgotten() -> None:
    assert Spans([50, 60], [[0, 10], [20, 50], [55, 70]]).spans == [[20, 50]]
    assert Spans([], [[0, 10]]).spans == []


def test_what_was_sent_is_read_as_it_was_written() -> None:
    sent = Sent({"not_json": [1, 2], "erased": [3]})
    sent.of("not_json").add(1)

    assert sent.text() == '{"not_json":[[1,1]]}'
    assert 1 in Sent({"not_json": [1, 2]}, sent.text()).of("not_json")


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "kept by the admin tool",
            "[]",
            "null",
            "1",
            "\x00",
            '{"not_json":"0-5"}',
            '{"not_json":[1,2]}',
            '{"not_json":null}',
        ),
        *('{"not_json":[[1]]}', '{"not_json":[[1,1e400]]}', '{"not_json":[["1","2"]]}'),
        *('{"not_json":[[-99999999999999999999,2]]}', '{"not_json":[[2,1]]}', "[" * 4_000),
    ],
)
def test_a_note_that_is_none_of_ours_says_nothing(text: str) -> None:
    sent = Sent({"not_json": [1, 2]}, text)

    assert (1 in sent.of("not_json"), sent.text()) == (False, "{}")


@pytest.mark.parametrize("name", ["leadstream-replayed", "leadstream-reason"])
def test_a_header_without_a_value_says_nothing(name: str) -> None:
    record: Any = SimpleNamespace(topic="dead", partition=0, offset=7, timestamp=5, key=None, value=b"{", headers=[(name, None)])

    assert _seen(record) == letter(7, reason="", at=5)
    assert Letter.of(record).document()["reason"] == ""


def test_what_does_not_fit_is_forgotten_from_its_old_end() -> None:
    among = list(range(100_000, 104_000))
    sent = Sent({"not_json": among, "too_large": [5]})
    sent.of("too_large").add(5)
    for offset in among[::2]:
        sent.of("not_json").add(offset)

    text = sent.text()

    assert LARGEST - 20 < len(text) <= LARGEST
    assert text.endswith("[103998,103998]]" + ',"too_large":[]}')


@pytest.mark.parametrize("option", ["--since", "--until"])
def test_a_wrong_instant_is_told_with_its_option(option: str) -> None:
    since, until = ("yesterday", None) if option == "--since" else (None, "yesterday")

    with pytest.raises(UsageError, match=f"^{option} yesterday: give an instant"):
        Filter.asked((), since, until, 0)


def test_a_duration_is_counted_back_from_now() -> None:
    wanted = Filter.asked(("erased",), "2h", "1h", 3)

    assert wanted.since_ms is not None
    assert wanted.until_ms is not None
    assert 3_599_000 < wanted.until_ms - wanted.since_ms < 3_601_000
    assert (wanted.reasons, wanted.limit) == (frozenset({"erased"}), 3)
