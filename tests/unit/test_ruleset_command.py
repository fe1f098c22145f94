"""`leadstream ruleset` as a person at a terminal sees it."""

from pathlib import Path

import pytest

from stream.cli import main
from stream.rulesets import default_text


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert isinstance(end.value.code, int)
    return end.value.code


def test_a_good_file_is_told_on_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "rules.toml"
    file.write_bytes(default_text())

    assert run("ruleset", "check", str(file)) == 0
    told = capsys.readouterr()
    assert told.out.startswith(f"{file}: no mistakes; b2b-default (")
    assert told.out.count("\n") == 1
    assert told.err == ""


def test_every_mistake_is_told_on_a_line_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "rules.toml"
    file.write_text('[decay]\nmax_tags = 0\n[crm]\nhold = "x"\n')

    assert run("ruleset", "check", str(file)) == 2
    told = capsys.readouterr()
    assert told.out == ""
    first, second = told.err.splitlines()
    assert first == f"{file}:2: decay.max_tags: a whole number from 1 to 1000"
    assert second.startswith(f"{file}:4: crm.hold: a duration")


@pytest.mark.parametrize("name", ["missing.toml", "."])
def test_a_file_that_cannot_be_read_is_one_line(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("ruleset", "check", str(tmp_path / name)) == 2
    told = capsys.readouterr()
    assert str(tmp_path) in told.err
    assert told.err.count("\n") == 1


def test_show_prints_the_file_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LEADSTREAM_RULESET", raising=False)

    assert run("ruleset", "show") == 0
    assert capsysbinary.readouterr().out == default_text()
