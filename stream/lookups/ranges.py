"""The customer's own ranges: a CSV file that says which company holds which network."""

import csv
import io
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from stream.domain.event import Company
from stream.lookups.domains import domain_of
from stream.lookups.errors import BadLookupFile
from stream.lookups.networks import NetworkTable, Span, parse_network, prefix_of, shown

KINDS = ("business", "isp", "hosting", "education", "government", "mobile", "vpn", "unknown")

LONGEST_LINE = 4_096
"""Bytes of a line's fields: its company goes into a header of each event, and twice into a visitor's row."""

_FIXED = ("network", "name", "domain", "kind")
_OURS = frozenset({"confidence", "source", "as_of", "known", "columns"})


def read_ranges(path: Path) -> NetworkTable[Company]:
    """Return the table of a ranges file; of two lines for one network the later counts.

    Raises BadLookupFile with the number of the first line that does not parse.
    """
    return NetworkTable(_spans(path, read_text(path)))


def read_companies(path: Path) -> Iterator[Company]:
    """Yield the company of every line of a ranges file; raises BadLookupFile."""
    return (span.value for span in _spans(path, read_text(path)))


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file, with or without a byte order mark; raises BadLookupFile."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadLookupFile(path, None, f"cannot be read ({error.strerror})") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadLookupFile(path, data.count(b"\n", 0, error.start) + 1, "is not UTF-8") from error


def _spans(path: Path, text: str) -> Iterator[Span[Company]]:
    rows = read_rows(path, text)
    line, header = next(rows, (1, []))
    header = [column.strip() for column in header]
    _check_header(path, line, header)
    for line, row in rows:
        _check_size(path, line, row)
        yield _span(path, line, header, row)


def read_rows(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line each row of a CSV file begins on, and its fields; blank lines and lines with `#` in front are none.

    Raises BadLookupFile.
    """
    lines, line = io.StringIO(text, newline=""), 1
    for first in lines:
        if first.lstrip().startswith("#"):  # whatever stands there: a comment is no CSV
            line += 1
            continue
        reader = csv.reader(chain((first,), lines), strict=True)
        try:
            row = next(reader)
        except csv.Error as error:
            raise BadLookupFile(path, line, f"is no CSV line ({error})") from error
        if any(field.strip() for field in row) and not row[0].lstrip().startswith("#"):
            yield line, row
        line += reader.line_num


def _check_size(path: Path, line: int, row: list[str]) -> None:
    size = len("".join(row).encode())
    if size > LONGEST_LINE:
        raise BadLookupFile(path, line, f"has {size:,} bytes, a line may have {LONGEST_LINE:,}: shorten its fields")


def _check_header(path: Path, line: int, header: list[str]) -> None:
    _check_size(path, line, header)
    missing = [column for column in _FIXED if column not in header]
    if missing:
        raise BadLookupFile(path, line, f"the header lacks {', '.join(missing)}: it begins network,name,domain,kind")
    for column in header:
        if column in _OURS or not column or header.count(column) > 1:
            why = "stands for something of ours" if column in _OURS else "is there twice" if column else "has no name"
            raise BadLookupFile(path, line, f"the column {column!r} {why}: rename it")


def _span(path: Path, line: int, header: list[str], row: list[str]) -> Span[Company]:
    if len(row) > len(header):
        raise BadLookupFile(
            path, line, f"has {len(row)} fields, the header {len(header)}: put a field with a comma in double quotes"
        )
    fields = dict.fromkeys(header, "") | dict(zip(header, map(str.strip, row), strict=False))
    network, name, written, kind = (fields.pop(column) for column in _FIXED)
    try:
        first, last = parse_network(network)
    except ValueError as error:
        raise BadLookupFile(path, line, str(error)) from error
    domain = domain_of(written) if written else ""
    if domain is None:
        raise BadLookupFile(path, line, f"{written[:80]!r} is no domain, such as acme.example")
    if not name and not domain:
        raise BadLookupFile(path, line, f"{network} names nobody: fill in name or domain")
    kind = kind.lower() or "business"
    if kind not in KINDS:
        raise BadLookupFile(path, line, f"the kind {kind!r} is none of {', '.join(KINDS)}")
    columns = {column: value for column, value in fields.items() if value}
    told = shown(first, prefix_of(first, last))
    return Span(first, last, Company(name or domain, domain, kind, 1.0, "ranges", told, "", columns))
