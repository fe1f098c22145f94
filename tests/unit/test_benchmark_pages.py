"""`docs/benchmarks.md` as the benchmarks write it: sections replace their own part, targets stand on top."""

from pathlib import Path

import pytest

from benchmarks.report import Section, Target, all_targets, text, write

TITLES = ["First", "Second"]


def section(title: str, measured: float) -> Section:
    return Section(
        title, f"About {title}.", [[("what", "us"), ("ours", "7.0")]], [Target(f"{title} costs", measured, 0.5, "x")], when="now"
    )


@pytest.mark.parametrize(
    ("target", "cells"),
    [
        pytest.param(Target("cost", 0.54, 0.5, "x"), ("cost", "0.54 x", "at most 0.50 x", "MISSED"), id="too dear"),
        pytest.param(Target("cost", 0.5, 0.5, "x"), ("cost", "0.50 x", "at most 0.50 x", "kept"), id="the limit itself is kept"),
        pytest.param(Target("scans", 0, 0), ("scans", "0", "at most 0", "kept"), id="none at all"),
        pytest.param(
            Target("rows", 612_345.6, 500_000, "rows/s", at_least=True),
            ("rows", "612,346 rows/s", "at least 500,000 rows/s", "kept"),
            id="at least",
        ),
        pytest.param(Target("rows", 1.5, 2, at_least=True), ("rows", "1.50", "at least 2", "MISSED"), id="less than at least"),
    ],
)
def test_a_target_says_whether_it_is_kept(target: Target, cells: tuple[str, ...]) -> None:
    assert target.cells == cells


def test_a_section_that_runs_again_replaces_its_own_part_and_the_targets(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    write([section("Second", 0.9)], TITLES, page)
    write([section("First", 0.4)], TITLES, page)
    write([section("Second", 0.3)], TITLES, page)

    lines = page.read_text().splitlines()
    assert [line for line in lines if line.startswith("## ")] == ["## Targets", "## First", "## Second"]
    judged = [line for line in lines if line.endswith(("kept |", "MISSED |"))]
    assert judged[:2] == ["| First costs | 0.40 x | at most 0.50 x | kept |", "| Second costs | 0.30 x | at most 0.50 x | kept |"]
    assert sorted(judged[2:]) == judged[:2]


def test_a_terminal_sees_tables_in_columns_and_all_targets_together() -> None:
    assert "ours  7.0" in text(section("First", 0.4))
    assert [line[0] for line in all_targets([section("First", 0.4), section("Second", 0.9)])] == [
        "target",
        "First costs",
        "Second costs",
    ]
