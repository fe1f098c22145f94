"""The generated files are current, hang together, and still accept what those of version 1 and the last commits' accepted."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from schemas import generate, ruleset
from schemas.compatibility import breaks
from stream.domain.event import Company
from stream.runtime.topics import letters_topic, topic_table
from stream.settings import Settings
from tests.told import BEHAVIOURS, LADDER, START, Log, happened, rules
from tests.unit.test_schemas_stage_change import EXAMPLE

ROOT = Path(__file__).parents[2]
RELEASED = {path.name.removesuffix(".schema.json"): path for path in Path(__file__).with_name("released").glob("*.schema.json")}
"""The schemas of version 1 as they were when it was frozen: nobody generates or edits them."""


def published(name: str) -> dict[str, Any]:
    return json.loads((generate.FOLDER / f"{name}.schema.json").read_text("utf-8"))  # type: ignore[no-any-return]


def git(*arguments: str) -> str | None:
    """Return what git prints; None where it has nothing to say."""
    if shutil.which("git") is None:
        return None
    run = subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, check=False, text=True)
    return run.stdout if run.returncode == 0 else None


def committed(revision: str) -> dict[str, dict[str, Any]]:
    """Return the schemas of a commit by name; empty where there is no such commit."""
    listed = git("ls-tree", "--name-only", revision, "schemas/generated/") or ""
    names = [Path(path).name for path in listed.split() if path.endswith(".schema.json")]
    texts = {name.removesuffix(".schema.json"): git("show", f"{revision}:schemas/generated/{name}") for name in names}
    return {name: json.loads(text) for name, text in texts.items() if text is not None}


def references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        schema = list(schema.values())
    for part in schema if isinstance(schema, list) else ():
        yield from references(part)


def asyncapi() -> dict[str, Any]:
    return json.loads((generate.FOLDER / "asyncapi.json").read_text("utf-8"))  # type: ignore[no-any-return]


def test_the_generated_files_are_current() -> None:
    assert [path.name for path in generate.stale()] == []


def test_a_changed_or_superfluous_file_is_not_current(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "FOLDER", tmp_path)
    monkeypatch.setattr(ruleset, "FILE", tmp_path / "ruleset.schema.json")
    generate.write()
    assert generate.stale() == []

    (tmp_path / "lead.schema.json").write_text("{}")
    (tmp_path / "gone.schema.json").write_text("{}")

    assert {path.name for path in generate.stale()} == {"lead.schema.json", "gone.schema.json"}


@pytest.mark.parametrize(("argument", "code"), [("--check", 1), ("", 0), ("--check", 0)])
def test_the_command_says_whether_files_are_current(
    argument: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "FOLDER", tmp_path)
    monkeypatch.setattr(ruleset, "FILE", tmp_path / "ruleset.schema.json")
    monkeypatch.setattr("sys.argv", ["generate", *filter(None, [argument])])
    if code == 0:
        generate.write()

    assert generate.main() == code
    assert ("lead.schema.json is not current" in capsys.readouterr().err) == bool(code)


@pytest.mark.parametrize("name", generate.MODELS)
def test_every_schema_is_a_valid_json_schema(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(published(name))


def test_a_reader_with_the_schema_accepts_the_example_and_members_added_later() -> None:
    schema = published("stage-change")
    later = json.loads(EXAMPLE)
    later["data"]["lead"]["added"] = True

    jsonschema.validate(json.loads(EXAMPLE), schema)
    jsonschema.validate(later, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**json.loads(EXAMPLE), "sequence": "3"}, schema)


def test_what_is_written_of_a_company_without_a_domain_and_of_names_with_a_line_break_is_as_published() -> None:
    ruleset = rules(BEHAVIOURS.replace("[behaviours.asked]", '[behaviours."as\\nked"]') + LADDER.replace('"mql"', '"m\\nql"'))
    log = Log(ruleset)
    holder = Company("Acme Ltd", "", "business", 1.0, "ranges", "192.0.2.0/24", "")
    log.add(happened("Asked", "user::1", START, company=holder))
    moved = [fact for fact in log.facts if fact["data"].get("stage")]
    assert [fact["data"]["stage"]["to"]["name"] for fact in moved] == ["m\nql"]
    assert moved[-1]["data"]["account"]["id"] == "account:name:acme ltd"
    for fact in moved:
        jsonschema.validate(fact, published("stage-change"))
    jsonschema.validate(log.document("user::1", START), published("lead"))


def test_every_schema_of_version_1_is_still_published() -> None:
    assert len(RELEASED) == 16
    assert sorted(RELEASED.keys() - generate.MODELS) == []


@pytest.mark.parametrize("name", sorted(RELEASED))
def test_the_schemas_accept_what_those_of_version_1_accepted(name: str) -> None:
    assert breaks(json.loads(RELEASED[name].read_text("utf-8")), published(name)) == []


@pytest.mark.parametrize("revision", ["HEAD", "HEAD~1"])
def test_the_schemas_accept_what_the_committed_ones_accepted(revision: str) -> None:
    before = committed(revision)
    if not before:
        pytest.skip(f"no generated schemas in {revision}: no git checkout, or none committed before")

    assert sorted(before) == sorted(before.keys() & generate.MODELS)
    assert {name: breaks(schema, published(name)) for name, schema in before.items()} == {name: [] for name in before}


def test_every_reference_in_the_asyncapi_document_leads_somewhere() -> None:
    document = asyncapi()
    for reference in references(document):
        place = document
        for step in reference.removeprefix("#/").split("/"):
            assert step in place, reference
            place = place[step]


def test_the_asyncapi_document_says_that_a_leads_state_may_be_null() -> None:
    payload = asyncapi()["components"]["messages"]["lead-state"]["payload"]
    assert payload == {"oneOf": [{"$ref": "#/components/schemas/stage-change"}, {"type": "null"}]}


def test_the_asyncapi_document_describes_the_topics_as_they_are_made() -> None:
    described = {}
    for channel in asyncapi()["channels"].values():
        kafka = channel["bindings"]["kafka"]
        config = kafka["topicConfiguration"]
        kept = config["cleanup.policy"][0], config.get("retention.ms")
        described[channel["address"].replace("{app}", "leadstream")] = *kept, kafka.get("partitions", 8)

    made = {
        topic.name: (
            topic.config["cleanup.policy"],
            int(topic.config["retention.ms"]) if "retention.ms" in topic.config else None,
            topic.partitions,
        )
        for topic in (*topic_table(Settings()), letters_topic(Settings()))
    }
    assert described == made
