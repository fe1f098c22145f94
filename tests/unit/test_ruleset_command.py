"""`leadstream ruleset` as a person at a terminal sees it."""

from pathlib import Path

import pytest

from stream.cli import main
from stream.cli.rulesets import Commits, offset_of
from stream.domain.editions import MAX_TEXT, Edition
from stream.domain.head import EPOCH_BITS
from stream.domain.ruleset.load import load
from stream.rulesets import default_text
from stream.runtime.resume import Mark


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


def test_a_name_with_a_line_break_is_told_on_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "rules.toml"
    file.write_text('[ruleset]\nid = "acme\\n2026"\n')

    assert run("ruleset", "check", str(file)) == 0
    assert capsys.readouterr().out.startswith(f"{file}: no mistakes; acme 2026 (")


def test_every_mistake_is_told_on_a_line_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "rules.toml"
    file.write_text('[decay]\nmax_tags = 0\n[crm]\nhold = "x"\n')

    assert run("ruleset", "check", str(file)) == 2
    told = capsys.readouterr()
    assert told.out == ""
    first, second = told.err.splitlines()
    assert first == f"{file}:2: decay.max_tags: a whole number from 1 to 1000"
    assert second.startswith(f"{file}:4: crm.hold: a duration")


def test_what_may_be_meant_otherwise_is_asked_about_beside_the_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "rules.toml"
    file.write_text('[where.a]\nmatch = { url = "*/pricing?x=1" }\n')

    assert run("ruleset", "check", str(file)) == 0
    told = capsys.readouterr()
    assert told.out.startswith(f"{file}: no mistakes; ")
    assert told.err.startswith(f"{file}:2: where.a.match.url: ")
    assert told.err.count("\n") == 1


@pytest.mark.parametrize("name", ["missing.toml", "."])
def test_a_file_that_cannot_be_read_is_one_line(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("ruleset", "check", str(tmp_path / name)) == 2
    told = capsys.readouterr()
    assert str(tmp_path) in told.err
    assert told.err.count("\n") == 1


def test_without_kafka_nothing_can_be_said_of_what_is_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEADSTREAM_KAFKA", "127.0.0.1:1")
    (tmp_path / "rules.toml").write_bytes(default_text())

    for words in (["show"], ["deploy", "rules.toml"]):
        assert run("ruleset", *words) == 3
        told = capsys.readouterr()
        assert (told.out, told.err.count("\n")) == ("", 1)


def test_a_text_that_is_too_long_for_the_log_is_not_deployed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "rules.toml"
    file.write_bytes(default_text() + b"#" * MAX_TEXT)

    assert run("ruleset", "deploy", str(file)) == 2
    assert f"a ruleset may have {MAX_TEXT}" in capsys.readouterr().err


@pytest.mark.parametrize("text", [b"", b"\n# nothing yet\n", b"\xef\xbb\xbf\r\n"], ids=["no byte", "a comment", "a mark"])
def test_an_empty_file_is_not_deployed(text: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "rules.toml"
    file.write_bytes(text)  # as `ruleset show > rules.toml` leaves it while Kafka is away

    assert run("ruleset", "deploy", str(file)) == 2
    assert f"{file} is empty, and would take every lead out of its stage" in capsys.readouterr().err


# -- what is to be done

RULES = load(default_text())
MINE, OTHER = Mark(rules=RULES.hash, place=7), Mark(rules="another", place=7)


@pytest.mark.parametrize(
    ("commits", "coming", "place"),
    [
        pytest.param(Commits(None, {}, 2), None, None, id="nobody has begun"),
        pytest.param(Commits((9, OTHER), {}, 2), None, None, id="another one is in force"),
        pytest.param(Commits((9, MINE), {0: (3, MINE)}, 2), None, 7, id="it is in force, or on its way"),
        pytest.param(Commits((9, MINE), {0: (3, Mark(rules="old", place=2))}, 2), None, 7, id="a partition is behind"),
        pytest.param(Commits((9, MINE), {0: (3, OTHER)}, 2), None, None, id="a partition began with another file"),
        pytest.param(Commits((9, MINE), {0: (3, Mark())}, 2, frozenset({1})), None, 7, id="a partition that has more to read"),
        pytest.param(Commits((9, MINE), {0: (3, Mark())}, 2, frozenset({0})), None, None, id="a partition lost it"),
        pytest.param(Commits((9, MINE), {0: (3, MINE)}, 2, frozenset({0})), None, 7, id="all is read"),
        pytest.param(Commits((9, OTHER), {}, 2), Edition(12, 0, RULES.text), 12, id="it waits in the log"),
        pytest.param(Commits((9, MINE), {}, 2), Edition(12, 0, b"other"), None, id="another one waits in the log"),
    ],
)
def test_a_ruleset_is_appended_only_where_it_is_not_the_last_in_the_log(
    commits: Commits, coming: Edition | None, place: int | None
) -> None:
    assert commits.place_of(RULES, coming) == place


@pytest.mark.parametrize(
    ("commits", "behind"),
    [
        pytest.param(Commits(None, {}, 2), {"people": -1, "events 0": -1, "events 1": -1}, id="nobody has begun"),
        pytest.param(Commits((6, OTHER), {0: (3, MINE), 1: (1, MINE)}, 2), {"people": 6}, id="people have not come to it"),
        pytest.param(Commits((7, MINE), {0: (3, MINE), 1: (1, Mark(place=6))}, 2), {"events 1": 1}, id="one has not come to it"),
        pytest.param(Commits((7, MINE), {0: (3, MINE), 1: (1, Mark(place=9))}, 2), {}, id="all have, one went on"),
    ],
)
def test_it_is_in_force_where_the_commit_says_so(commits: Commits, behind: dict[str, int]) -> None:
    assert commits.behind(7) == behind


def test_an_offset_is_told_without_the_epoch_of_its_log() -> None:
    assert [offset_of(place) for place in (0, 1, 18, (3 << EPOCH_BITS) + 18)] == [None, 0, 17, 17]
