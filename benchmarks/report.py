"""`docs/benchmarks.md`: one section a benchmark, replaced when that benchmark ran."""

import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
HEAD = """# Benchmarks

What a core does, measured by `make bench` against a real Apache Kafka on the same machine. CPU is user + system time of the
whole process, all its threads; several runs are interleaved, the median counts. A machine shared with others makes the
clock's figures worse, the CPU's less so: compare figures of one section with each other.

`python -m benchmarks.run --sections engines --events 1000000 --runs 5` runs one section, `--help` says what else there is.
"""


@dataclass(frozen=True)
class Section:
    """What a benchmark says: a table whose first line is its head, sentences before and after it, or plain output."""

    title: str
    about: str
    table: Sequence[Sequence[str]] = ()
    notes: Sequence[str] = ()
    output: str = ""


def markdown(section: Section) -> str:
    """Return a section as Markdown."""
    parts = [f"## {section.title}", section.about, f"*{when()}*"]
    if section.table:
        head, *lines = section.table
        rule = ["---", *("---:" for _ in head[1:])]
        parts.append("\n".join("| " + " | ".join(cells) + " |" for cells in (head, rule, *lines)))
    parts += ["\n".join(f"- {note}" for note in section.notes)] if section.notes else []
    parts += [f"```\n{section.output.strip()}\n```"] if section.output else []
    return "\n\n".join(parts) + "\n"


def text(section: Section) -> str:
    """Return a section for a terminal."""
    widths = [max(map(len, column)) for column in zip(*section.table, strict=True)]
    lines = ["  ".join(cell.ljust(w) if n == 0 else cell.rjust(w) for n, (cell, w) in enumerate(zip(line, widths, strict=True)))
             for line in section.table]  # fmt: skip
    return "\n".join([f"== {section.title}", *lines, *section.notes, section.output]).strip() + "\n"


def write(sections: Sequence[Section], titles: Sequence[str]) -> None:
    """Replace these sections in the file; `titles` is the order of all."""
    known: Mapping[str, str] = _stored() | {section.title: markdown(section) for section in sections}
    FILE.write_text("\n".join([HEAD, *(known[title] for title in titles if title in known)]))


def _stored() -> dict[str, str]:
    if not FILE.exists():
        return {}
    parts = ("\n" + FILE.read_text()).split("\n## ")[1:]
    return {part.partition("\n")[0]: f"## {part.strip()}\n" for part in parts}


def when() -> str:
    """Say when and on what it was measured."""
    load = os.getloadavg()[1] if hasattr(os, "getloadavg") else 0.0
    machine = f"{os.cpu_count()} cores {platform.machine()}, Python {platform.python_version()}"
    return f"{time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC, {machine}, load of the last 5 minutes {load:.1f}"
