"""`leadstream link` and `unlink` as an operator at a terminal sees them."""

from typing import Any

import orjson
import pytest

from stream.cli import main, words
from stream.domain.log import Linking, Unlinking
from stream.named import named

LEAD = "lead_0687587883fab020"
DONE = {"done": True, "text": "they are one person now, lead lead_1"}
REFUSED = {"done": False, "text": "nothing is done: they are not one person"}


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The words that were said; all are decided at once."""
    records: list[Any] = []

    def say(_: Any, record: Any, word: str, url: str | None, patience_s: float) -> dict[str, Any]:
        assert record.word == word
        records.append((record, url, patience_s))
        return DONE if record.one != "user::9" else REFUSED

    monkeypatch.setattr(words, "say", say)
    return records


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert isinstance(end.value.code, int)
    return end.value.code


@pytest.mark.parametrize(("command", "record"), [("link", Linking), ("unlink", Unlinking)])
def test_a_word_is_said_with_its_reason_and_what_was_decided_is_told(
    command: str, record: type[Linking | Unlinking], said: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        run(command, "user::42", "email:: Buyer@ACME.example", "--reason", "ticket 4711", "--url", "http://w", "--wait", "3") == 0
    )

    ((told, url, patience_s),) = said
    assert told == record(told.word, "user::42", "email::buyer@acme.example", "ticket 4711")
    assert (url, patience_s) == ("http://w", 3.0)
    assert capsys.readouterr().out == f"user::42 and email::buyer@acme.example: {DONE['text']}\n"


@pytest.mark.parametrize("command", ["link", "unlink"])
def test_a_word_that_does_nothing_ends_with_one_and_says_why(
    command: str, said: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command, "user::9", LEAD) == 1
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", f"leadstream: user::9 and {LEAD}: {REFUSED['text']}\n")

    assert run(command, "user::9", LEAD, "--json") == 1
    told = capsys.readouterr()
    assert (orjson.loads(told.out), told.err) == (REFUSED, "")

    assert run(command, "user::1", LEAD, "--json") == 0
    assert orjson.loads(capsys.readouterr().out) == DONE


@pytest.mark.parametrize(
    ("id_", "why"),
    [
        ("42", "write kind:scope:value"),
        ("lead_42", "write kind:scope:value"),
        ("wechat_openid::oX", "needs its scope"),
        ("user:x:42", "a user has no scope"),
        ("user::undefined", "stands for nobody"),
        ("email::nobody", "is no email"),
        ("phone::030 901820", "is no phone"),
        (f"user::{'x' * 513}", "stands for nobody"),
    ],
)
def test_what_is_no_id_is_told_and_nothing_is_said(
    id_: str, why: str, said: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("unlink", "user::42", id_) == 2
    assert why in capsys.readouterr().err
    assert said == []


@pytest.mark.parametrize("id_", ["ip::203.0.113.77", "session:wx1:m4", "Company::acme"])
def test_what_many_share_links_nobody_and_what_an_earlier_release_joined_by_it_can_be_undone(
    id_: str, said: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    for pair in (("user::42", id_), (id_, "user::42")):
        assert run("link", *pair) == 2
        assert "links nobody: many share one" in capsys.readouterr().err
    assert said == []
    assert run("unlink", "user::42", id_) == 0
    assert said[0][0].other == id_
    assert named(id_, None) == id_  # as `erase` and `export` read it


def test_a_number_needs_no_country_where_the_settings_name_one(said: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADSTREAM_PHONE_REGION", "DE")
    assert run("link", "crm_lead_id::00Q7", "mobile::030 901820") == 0
    assert (said[0][0].one, said[0][0].other) == ("crm::00Q7", "phone::+4930901820")
