"""`leadstream erase` asks, says its word, and tells what was decided."""

from typing import Any

import pytest

from stream.cli import main, words
from stream.domain.log import Erasing

DONE = {"done": True, "text": "lead_1 is erased", "lead": "lead_1", "identities": 3, "visitors": 2}
NOTHING = {"done": False, "text": "nothing was known of it"}


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[Erasing]:
    heard: list[Erasing] = []

    def say(_: Any, record: Erasing, *_how: Any) -> dict[str, Any]:
        heard.append(record)
        return DONE

    monkeypatch.setattr(words, "say", say)
    return heard


def run(*how: str) -> Any:
    with pytest.raises(SystemExit) as end:
        main(["erase", *how])
    return end.value.code


def test_it_says_what_is_done_and_names_the_word_and_a_salt_of_its_own(
    said: list[Erasing], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("email::Buyer@Acme.example", "--yes") == 0
    assert run("lead_0687587883fab020", "--yes", "--json") == 0
    assert capsys.readouterr().out.splitlines() == [
        "email::buyer@acme.example: lead_1 is erased",
        '{"done":true,"text":"lead_1 is erased","lead":"lead_1","identities":3,"visitors":2}',
    ]
    assert [record.id for record in said] == ["email::buyer@acme.example", "lead_0687587883fab020"]
    assert len({record.word for record in said} | {record.salt.hex() for record in said}) == 4


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 1), ("", 130)], ids=["yes", "no", "Ctrl-D"])
def test_it_asks_first_who_sits_at_a_terminal(
    said: list[Erasing], monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    answers = iter(answer.splitlines())

    def typed(*_: Any, **__: Any) -> str:
        try:
            return next(answers)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("click.termui.visible_prompt_func", typed)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    assert run("anon::9f2c") == code
    assert len(said) == (code == 0)


def test_a_script_is_not_asked(said: list[Erasing], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("anon::9f2c") == 0
    monkeypatch.setattr("sys.stdin", None)
    assert run("anon::9f2c") == 0
    assert len(said) == 2


def test_who_is_unknown_or_no_id_is_told_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(words, "say", lambda *_: NOTHING)
    assert run("anon::9f2c", "--yes") == 1
    assert run("nonsense", "--yes") == 2
    assert capsys.readouterr().err.splitlines()[0] == "leadstream: anon::9f2c: nothing was known of it"
