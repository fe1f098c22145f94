"""`docs/benchmarks.md`: one section a benchmark, replaced when that benchmark ran, and all targets on top."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
HEAD = """# Benchmarks

What a core does, measured by `make bench` against a real Apache Kafka on the same machine. CPU is user + system time of the
whole process, all its threads; where there are several runs they are interleaved, and the median counts. A machine shared with
others makes the clock's figures worse, the CPU's less so: compare figures of one section with each other.

`python -m benchmarks.run --sections engines` runs one section again and replaces its part of this page, `--scale 0.1` makes all
sizes a tenth, `--help` says what else there is.
"""
TARGETS = "Targets"
_HEAD_OF_TARGETS = ("target", "measured", "wanted", "")
_VERDICTS = ("kept", "MISSED")

Table = Sequence[Sequence[str]]


@dataclass(frozen=True)
class Target:
    """What is to be reached: `measured` is at most `wanted`, or at least that."""

    what: str
    measured: float
    wanted: float
    unit: str = ""
    at_least: bool = False

    @property
    def kept(self) -> bool:
        return self.measured >= self.wanted if self.at_least else self.measured <= self.wanted

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """Return what it is, what was measured, what was wanted, and whether that is kept."""
        side = "at least" if self.at_least else "at most"
        measured, wanted = _figure(self.measured, self.unit), _figure(self.wanted, self.unit)
        return self.what, measured, f"{side} {wanted}", _VERDICTS[0] if self.kept else _VERDICTS[1]


@dataclass(frozen=True)
class Section:
    """What a benchmark says: sentences, tables whose first line is the head, notes, plain output, and the targets."""

    title: str
    about: str
    tables: Sequence[Table] = ()
    targets: Sequence[Target] = ()
    notes: Sequence[str] = ()
    output: str = ""
    when: str = ""

    @property
    def judged(self) -> Table:
        """Return the targets as a table; empty where there are none."""
        return [_HEAD_OF_TARGETS, *(target.cells for target in self.targets)] if self.targets else []


def _figure(value: float, unit: str) -> str:
    digits = 0 if value >= 100 or value == int(value) else 2
    return f"{value:,.{digits}f} {unit}".strip()


def markdown(section: Section) -> str:
    """Return a section as Markdown."""
    parts = [f"## {section.title}", section.about, f"*{section.when}*"]
    parts += [_markdown_table(table) for table in (*section.tables, section.judged) if table]
    parts += ["\n".join(f"- {note}" for note in section.notes)] if section.notes else []
    parts += [f"```\n{section.output.strip()}\n```"] if section.output else []
    return "\n\n".join(parts) + "\n"


def _markdown_table(table: Table) -> str:
    head, *lines = table
    rule = ["---", *("---:" for _ in head[1:])]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, rule, *lines))


def text(section: Section) -> str:
    """Return a section for a terminal."""
    tables = [text_table(table) for table in (*section.tables, section.judged) if table]
    parts = [f"== {section.title}", *tables, "\n".join(section.notes), section.output.strip(), section.when]
    return "\n\n".join(part for part in parts if part) + "\n"


def text_table(table: Table) -> str:
    """Return a table for a terminal."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = (
        [cell.rjust(w) if n else cell.ljust(w) for n, (cell, w) in enumerate(zip(line, widths, strict=True))] for line in table
    )
    return "\n".join("  ".join(line).rstrip() for line in lines)


def all_targets(sections: Iterable[Section]) -> Table:
    """Return the targets of several sections as one table."""
    return [_HEAD_OF_TARGETS, *(line for section in sections for line in section.judged[1:])]


def write(sections: Sequence[Section], titles: Sequence[str], file: Path = FILE) -> None:
    """Replace these sections in the file; `titles` is the order of all."""
    known: Mapping[str, str] = _stored(file) | {section.title: markdown(section) for section in sections}
    parts = [known[title] for title in titles if title in known]
    file.write_text("\n".join([HEAD, _summary(parts), *parts]))


def _summary(parts: Iterable[str]) -> str:
    """Return all lines of the sections' tables that end in a verdict, as a section of its own."""
    judged = [line for part in parts for line in part.splitlines() if line.endswith(tuple(f"| {word} |" for word in _VERDICTS))]
    rule = "| --- | ---: | ---: | ---: |"
    return "\n".join([f"## {TARGETS}", "", "| " + " | ".join(_HEAD_OF_TARGETS) + " |", rule, *judged, ""])


def _stored(file: Path) -> dict[str, str]:
    if not file.exists():
        return {}
    parts = ("\n" + file.read_text()).split("\n## ")[1:]
    return {part.partition("\n")[0]: f"## {part.strip()}\n" for part in parts}
