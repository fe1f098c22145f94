"""The schema that editors use accepts what the loader accepts, and sees the mistakes that one table shows."""

import tomllib
from pathlib import Path

import jsonschema
import pytest

from schemas import ruleset
from stream.rulesets import default_text
from tests.unit.test_ruleset_load import EXAMPLE
from tests.unit.test_ruleset_mistakes import MISTAKES

VALIDATOR = jsonschema.Draft7Validator(ruleset.schema())
ACROSS_TABLES = {
    *("a sequence of unknown behaviours", "a grade that is not defined", "a route by an unknown stage"),
    *("exit at enter", "exit above enter", "exit by what enter does not ask", "exit by a better grade"),
    *("half-life on negative points", "retention on negative points", "half-life on a negative sequence"),
    *("two stages of one name", "dwell steps that fall", "dwell steps twice the same", "a range upside down"),
    *("an unknown time zone", "a time zone that is a folder", "a time zone outside", "a type that no event has"),
    *("an unknown kind of e-mail", "tags from nowhere", "an empty id", "a half-life of nothing"),
    *(
        "another comparison, no quotes",
        "a range of texts",
        "a range to nowhere",
        "no TOML",
        "no end",
        "a section twice",
    ),
    *(
        "a range of numbers that no event can hold",
        "a floor that no lead could reach",
        "a horizon nearer than a duplicate",
        "a horizon before all has faded",
    ),
    *("a stage of accounts that everybody has", "a wanted role that nobody can have", "a title of signs only"),
    *("too deep", "tables in tables", "a number as long as a book", "points that are no number", "a weight without end"),
}


def test_the_published_file_is_current() -> None:
    assert ruleset.FILE.read_text("utf-8") == ruleset.text(), "run python -m schemas.ruleset"


def test_the_command_writes_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ruleset, "FILE", tmp_path / "ruleset.schema.json")

    ruleset.main()

    assert ruleset.FILE.read_text("utf-8") == ruleset.text()


def test_it_is_a_schema() -> None:
    jsonschema.Draft7Validator.check_schema(ruleset.schema())


@pytest.mark.parametrize("text", [EXAMPLE, default_text().decode(), ""], ids=["the example", "the shipped one", "nothing"])
def test_a_good_ruleset_is_accepted(text: str) -> None:
    assert list(VALIDATOR.iter_errors(tomllib.loads(text))) == []


@pytest.mark.parametrize("name", sorted(MISTAKES.keys() - ACROSS_TABLES))
def test_a_mistake_inside_one_table_is_seen_in_the_editor(name: str) -> None:
    assert list(VALIDATOR.iter_errors(tomllib.loads(MISTAKES[name][0]))) != []
