"""The documents say what is so: examples are valid, links lead somewhere, every promise names a test that exists."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from schemas.documents import LeadDocument, LeadOutcomes
from schemas.event import Rejected, decode, partition_key
from schemas.stage_change import lead_events
from stream.cli import demo, main
from stream.cli.screen import Screen
from stream.domain.ruleset import load
from stream.rulesets import default_text
from stream.runtime.restoring import Restoring
from stream.settings import Settings

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
LENT = "LEADSTREAM" + "_SHARED_DATA"
"""Stands in the tests that are skipped where data from outside is not at hand."""
TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def examples(name: str) -> list[str]:
    return re.findall(r"```json\n(.*?)```", (ROOT / "docs" / name).read_text("utf-8"), re.DOTALL)


def named_tests(path: Path) -> Iterator[tuple[str, str]]:
    yield from TEST.findall(path.read_text("utf-8"))


@pytest.mark.parametrize("text", [*examples("for-trackers.md"), *examples("for-crm.md")[1].splitlines()])
def test_every_event_shown_is_accepted_and_has_a_key(text: str) -> None:
    assert not isinstance(decode(text.encode()), Rejected)
    assert partition_key(text.encode()) is not None


def test_the_fact_shown_to_the_crm_is_of_the_contract() -> None:
    lead_events.validate_json(examples("for-crm.md")[0])


def test_every_fact_of_a_lead_is_told_to_the_crm_with_its_schema() -> None:
    page = (ROOT / "docs/for-crm.md").read_text("utf-8")
    kinds = re.findall(r"\"const\": ?\"([a-z_.]+\.v1)\"", json.dumps(lead_events.json_schema()))

    assert len(kinds) == 5
    for kind in kinds:
        assert f"`{kind}`" in page or kind in examples("for-crm.md")[0]
    for name in ("stage-change", "lead-merged", "lead-unmerged", "lead-erased", "identity-conflict"):
        assert f"../schemas/generated/{name}.schema.json" in page


def test_the_runbook_names_what_health_says_of_restoring() -> None:
    page = (ROOT / "docs/runbook/LeadstreamWorkerNotReady.md").read_text("utf-8")
    told = re.search(r"`restoring` \(([^)]*)\)", page)

    assert told is not None
    assert re.findall(r"`(\w+)`", told[1]) == list(Restoring(1, lambda: 0).document())


def test_the_output_of_the_demo_begins_as_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "README.md").read_text("utf-8")
    shown = page[page.index("Kafka           ") : page.index("times are UTC")]
    demo._introduce(Screen(markup=True, width=200), Settings(), demo.Sample([], 1.0, once=True, run=""))

    told = capsys.readouterr().out.partition("times are UTC")[0]
    assert [line[:16] for line in shown.splitlines()] == [line[:16] for line in told.splitlines()]


def test_the_outcomes_shown_to_the_crm_are_of_the_contract() -> None:
    shown = json.loads(examples("for-crm.md")[2])
    LeadOutcomes.model_validate(shown["outcomes"])
    assert {"owner", *shown} <= set(LeadDocument.model_fields)


def test_what_the_crm_is_told_to_try_does_what_is_said(tmp_path: Path) -> None:
    file = tmp_path / "words.ndjson"
    file.write_text(examples("for-crm.md")[1])
    done = CliRunner().invoke(main, ["simulate", str(file), "--json"])
    (lead,) = json.loads(done.output)["leads"]
    assert (lead["id"], lead["stage"]["name"]) == ("lead_0687587883fab020", "opportunity")
    assert {"owner": lead["owner"], "outcomes": lead["outcomes"]} == json.loads(examples("for-crm.md")[2])


def test_the_reasons_told_to_trackers_are_those_of_dead_letters() -> None:
    schema = json.loads((ROOT / "schemas/generated/dead-letter.schema.json").read_text("utf-8"))
    page = (ROOT / "docs/for-trackers.md").read_text("utf-8")

    for reason in schema["properties"]["leadstream-reason"]["enum"]:
        assert f"`{reason}`" in page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8"))

    assert [target for target in targets if "://" not in target and not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_test_that_is_named_exists(page: Path) -> None:
    for file, name in named_tests(page):
        tree = ast.parse((ROOT / file).read_text("utf-8"))
        functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert not name or name in functions, f"{file}::{name}"


def test_every_promise_names_a_test() -> None:
    rows = re.findall(r"^\|(.*)\|$", (ROOT / "docs/guarantees.md").read_text("utf-8"), re.MULTILINE)
    promises = [row for row in rows if not row.startswith((" promise", "---"))]

    assert promises
    assert [row for row in promises if not TEST.search(row)] == []


def test_no_promise_rests_on_data_that_lies_outside_of_the_repository_alone() -> None:
    rows = re.findall(r"^\|(.*)\|$", (ROOT / "docs/guarantees.md").read_text("utf-8"), re.MULTILINE)
    skipped = {str(file.relative_to(ROOT)) for file in (ROOT / "tests").rglob("test_*.py") if LENT in file.read_text("utf-8")}

    assert skipped == {"tests/unit/test_lookups_maxmind.py", "tests/kafka/test_journeys_of_real_input.py"}
    assert [row for row in rows if (tests := TEST.findall(row)) and {file for file, _ in tests} <= skipped] == []


def test_the_ruleset_that_the_readme_shows_is_the_shipped_one() -> None:
    shown = re.findall(r"b2b-default \((\w+)\)", (ROOT / "README.md").read_text("utf-8"))
    assert set(shown) == {load(default_text()).hash}
