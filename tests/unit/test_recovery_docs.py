"""The page about recovery shows the lines that a worker ends with, all of them and no others."""

import re
from pathlib import Path

import pytest

from stream.runtime.misfits import LINES
from stream.runtime.restoring import Restoring

PAGE = Path("docs/recovery.md").read_text()


def shown() -> list[str]:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ")][1:]
    return [row.split(" | ")[1] for row in rows]


@pytest.mark.parametrize("kind", LINES)
def test_each_line_stands_on_the_page_with_its_way_on(kind: str) -> None:
    assert re.sub(r"\{[a-z]+\}", "…", LINES[kind]) in shown()


def test_no_other_line_stands_there() -> None:
    assert len(shown()) == len(LINES)


def test_progress_is_shown_as_it_is_told() -> None:
    def member(name: str) -> bool:
        return f'"{name}":' in PAGE

    assert all(member(name) for name in Restoring(2, lambda: 1).document())
