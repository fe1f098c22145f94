"""What the headers of a record say, read once and found again."""

from typing import Any

import pytest

from stream.agents import headers as ours
from stream.agents.headers import FORWARDED, HISTORY, INTERNAL, REPLAYED, RULESET, UNTOLD, Told, told_by
from stream.collected import TRUST, Collected

BROWSER = (TRUST, b"browser")


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> dict[Any, Told]:
    empty: dict[Any, Told] = {}
    monkeypatch.setattr(ours, "_known", empty)
    return empty


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ([], UNTOLD),
        ([("x", None), ("", b"")], UNTOLD),
        ([(HISTORY, None)], Told(history=True)),
        ([BROWSER], Told(Collected(browser=True))),
        ([("leadstream-company", b"null")], Told(Collected(company=(None,)))),
        ([RULESET], Told(internal=True, switches=True)),
        ([(INTERNAL, b"resync"), RULESET], Told(internal=True, switches=True)),
        ([(INTERNAL, b"rulesets")], Told(internal=True)),
        ([(FORWARDED, b"x"), (FORWARDED, b"3:41")], Told(forwarded=(3, 41))),
        ([(FORWARDED, b"x:41"), (REPLAYED, b"dead:x:7")], UNTOLD),
        ([(REPLAYED, b"dead:0:7"), (HISTORY, b"1")], Told(replayed=("dead", 0, 7), history=True)),
    ],
)
def test_headers_say_the_same_each_time(headers: list[tuple[str, bytes | None]], told: Told) -> None:
    assert [told_by(headers), told_by(tuple(headers))] == [told, told]


def test_only_what_comes_again_is_remembered(known: dict[Any, Told]) -> None:
    told_by([BROWSER])
    for number in range(3):
        told_by([BROWSER, (FORWARDED, f"0:{number}".encode())])
        told_by([BROWSER, (REPLAYED, f"dead:0:{number}".encode())])
        told_by([("x", b"x" * 501), ("y", bytes([number]))])
    assert list(known) == [(BROWSER,)]


def test_what_is_remembered_is_bounded(known: dict[Any, Told], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ours, "REMEMBERED", 2)
    for number in range(5):
        assert told_by([("x", bytes([number]))]) == UNTOLD
        assert len(known) <= 2


def test_an_offset_of_a_recreated_topic_is_newer() -> None:
    assert Told(forwarded=(3, 41)).placed((1 << 48) + 1).forwarded == (3, (1 << 48) + 41)
