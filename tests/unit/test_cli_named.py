"""Ids as they are typed: `lead` and `visitor` ask for what is kept, as `link` and `erase` do."""

from typing import Any

import pytest

from stream.cli import main
from stream.domain import asking
from stream.errors import UsageError
from stream.named import named

TYPED = [
    ("email::Buyer@ACME.example", "email::buyer@acme.example"),
    ("phone::030 901820", "phone::+4930901820"),
    ("user::Foo", "user::Foo"),
    ("lead_0687587883fab020", "lead_0687587883fab020"),
    ("user::null", "user::null"),
    ("nobody", "nobody"),
]


@pytest.mark.parametrize(("typed", "kept"), TYPED, ids=[typed for typed, _ in TYPED])
@pytest.mark.parametrize("command", ["lead", "visitor"])
def test_an_id_is_asked_for_as_it_is_kept(
    command: str, typed: str, kept: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def asked(_: Any, what: str, id_: str, *_how: Any) -> list[str]:
        return [what, id_]

    monkeypatch.setattr("stream.web.client.ask", asked)
    monkeypatch.setenv("LEADSTREAM_PHONE_REGION", "DE")
    with pytest.raises(SystemExit) as end:
        main([command, typed, "--json"])
    assert (end.value.code, capsys.readouterr().out) == (0, f'["{command}","{kept}"]\n')


def test_who_cut_a_leads_id_short_while_copying_is_told_what_one_looks_like() -> None:
    for read in (asking.named, lambda id_: named(id_, None)):
        with pytest.raises((ValueError, UsageError), match="or a lead's id, lead_ and 16 hexadecimal digits"):
            read("lead_0687587883fab02")
