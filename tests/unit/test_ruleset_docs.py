"""The page for marketers shows every key, and what it shows is right."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas import ruleset
from stream.domain.ruleset import load

PAGE = (Path(__file__).parents[2] / "docs" / "ruleset.md").read_text("utf-8")
BLOCKS = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


def keys_of(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if schema.get("additionalProperties") is False:
            yield from schema["properties"]
        schema = list(schema.values())
    for part in schema if isinstance(schema, list) else ():
        yield from keys_of(part)


def test_all_examples_together_are_one_ruleset() -> None:
    stages = load("\n".join(BLOCKS).encode(), "docs/ruleset.md").stages

    assert [stage.name for stage in stages] == ["lead", "mql", "sql", "opportunity"]


@pytest.mark.parametrize("key", sorted(set(keys_of(ruleset.schema()))))
def test_every_key_is_on_the_page(key: str) -> None:
    assert re.search(rf"(?<![\w-]){key}(?![\w-])", PAGE)
