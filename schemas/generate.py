"""Write the JSON Schemas of the models, the AsyncAPI and the OpenAPI document: `python -m schemas.generate [--check]`."""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from schemas import openapi, ruleset
from schemas.account_change import AccountChange, AccountDocument, AccountPage
from schemas.asyncapi import document
from schemas.dead_letter import DeadLetter
from schemas.documents import Lag, LeadDocument, LeadPage, Problem, Simulation, Visitor
from schemas.event_model import EventModel
from schemas.stage_change import Conflict, Erased, Merged, StageChange, Unmerged

FOLDER: Final = Path(__file__).parent / "generated"

MODELS: Final[Mapping[str, type[BaseModel]]] = {
    "event": EventModel,
    "stage-change": StageChange,
    "lead-merged": Merged,
    "lead-unmerged": Unmerged,
    "lead-erased": Erased,
    "identity-conflict": Conflict,
    "account-change": AccountChange,
    "dead-letter": DeadLetter,
    "visitor": Visitor,
    "lead": LeadDocument,
    "lead-page": LeadPage,
    "account": AccountDocument,
    "account-page": AccountPage,
    "simulation": Simulation,
    "lag": Lag,
    "problem": Problem,
}


class Plain(GenerateJsonSchema):
    """JSON Schema without the titles that only repeat a member's name, and open for members to come."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's signature
        """Leave out every title made of a name."""
        return False


def opened(schema: Any) -> Any:
    """Return the schema with every closed object opened: a reader must live with members that are added."""
    if isinstance(schema, list):
        return [opened(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: opened(part) for key, part in schema.items() if (key, part) != ("additionalProperties", False)}


def json_schema(name: str, model: type[BaseModel]) -> dict[str, Any]:
    """Return the schema of one model as it is published."""
    schema = opened(model.model_json_schema(schema_generator=Plain))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"{name}.schema.json", **schema}


def files() -> dict[Path, str]:
    """Return every generated file with the text it must have."""
    schemas = {name: json_schema(name, model) for name, model in MODELS.items()}
    texts = {FOLDER / f"{name}.schema.json": schema for name, schema in schemas.items()}
    texts[FOLDER / "asyncapi.json"] = document(schemas)
    texts[FOLDER / "openapi.json"] = openapi.document()
    written = {path: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for path, schema in texts.items()}
    return written | {ruleset.FILE: ruleset.text()}


def stale() -> list[Path]:
    """Return the files that are missing, different, or no longer made."""
    wanted = files()
    different = [path for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text]
    return different + sorted(set(FOLDER.glob("*.json")) - set(wanted))


def write() -> None:
    """Make all files current."""
    FOLDER.mkdir(exist_ok=True)
    for path in stale():
        path.unlink(missing_ok=True)
    for path, text in files().items():
        path.write_text(text, "utf-8")


def main() -> int:
    """Run the command; 1 when `--check` finds a file that is not current."""
    parser = argparse.ArgumentParser(prog="python -m schemas.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 when a file is not current")
    if not parser.parse_args().check:
        write()
        return 0
    for path in stale():
        sys.stderr.write(f"{path.name} is not current: run python -m schemas.generate\n")
    return 1 if stale() else 0


if __name__ == "__main__":
    sys.exit(main())
