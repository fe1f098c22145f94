"""The open table from address to autonomous system: the last resort, honest about little."""

import io
import re
from collections.abc import Iterator
from pathlib import Path
from sys import intern
from typing import NamedTuple

from stream.lookups.addresses import pack
from stream.lookups.errors import BadLookupFile
from stream.lookups.layouts import LONGEST_NAME, NOTHING, Finding, IsHosting
from stream.lookups.maxmind import Answer
from stream.lookups.networks import SHOWN, NetworkTable, Span, cidr, parse_network, span_of
from stream.lookups.ranges import read_rows, read_text

_AS_NUMBER = re.compile("[0-9]{1,10}")


class System(NamedTuple):
    """An autonomous system and who runs it."""

    number: int
    name: str


class AsnTable:
    """An IP→ASN table as text: `start,end,number,name` or `network,number,name` with commas, or iptoasn's with tabs.

    A header line is skipped; number 0 is nobody. Raises BadLookupFile with the number of a line that does not parse.
    """

    as_of = ""

    def __init__(self, path: Path, *, is_hosting: IsHosting) -> None:
        self._is_hosting = is_hosting
        self._table = NetworkTable(_spans(path, read_text(path)))

    def find(self, packed: bytes) -> Answer:
        """Return what the table says of an address."""
        system = self._table.find(packed)
        if system is None:
            return Answer(NOTHING, "")
        kind = "hosting" if self._is_hosting(system.number) else "unknown"
        return Answer(Finding("asn", system.name, "", kind), self._network(packed))

    def close(self) -> None:
        """Do nothing: the table is in memory."""

    def _network(self, packed: bytes) -> str:
        """Return the widest CIDR around an address that lies within its span, at most a visitor's truncated one."""
        first, last = self._table.span(packed)
        prefix = SHOWN[len(packed)]
        while prefix:
            wider_first, wider_last = span_of(packed, prefix - 1)
            if wider_first < first or wider_last > last:
                break
            prefix -= 1
        return cidr(packed, prefix)


def _spans(path: Path, text: str) -> Iterator[Span[System]]:
    systems: dict[tuple[str, str], System | None] = {}
    for line, row in _tabbed(text) if "\t" in text.partition("\n")[0] else read_rows(path, text):
        try:
            first, last, number, name = _fields(row)
        except ValueError as error:
            if line == 1 and not row[0][:1].isdigit() and ":" not in row[0]:
                continue
            raise BadLookupFile(path, line, str(error)) from error
        if (number, name) not in systems:
            systems[number, name] = _system(path, line, number, name)
        system = systems[number, name]
        if system is not None:
            yield Span(first, last, system)


def _tabbed(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield number and fields of each line that iptoasn would write: a quote is a letter there."""
    for number, line in enumerate(io.StringIO(text), 1):
        if line.strip() and not line.startswith("#"):
            yield number, line.rstrip("\r\n").split("\t")


def _fields(row: list[str]) -> tuple[bytes, bytes, str, str]:
    """Return first and last address, number and name of a row; iptoasn's has the country between the two."""
    if "/" in row[0] and len(row) >= 3:
        first, last = parse_network(row[0])
        return first, last, row[1], row[2]
    start, end = pack(row[0].strip()), pack(row[1].strip()) if len(row) >= 4 else None
    if start is None or end is None or len(start) != len(end) or start > end:
        raise ValueError("is no line of an IP to ASN table: start, end, number, name")
    return start, end, row[2], row[-1]


def _system(path: Path, line: int, number: str, name: str) -> System | None:
    told = as_number(number)
    if told is None:
        raise BadLookupFile(path, line, f"{number!r} is no AS number")
    if len(name) > LONGEST_NAME:
        raise BadLookupFile(path, line, f"names a system by {len(name):,} characters, {LONGEST_NAME:,} are the most")
    return System(told, intern(name.strip())) if told and name.strip() else None


def as_number(text: str) -> int | None:
    """Return the number of an autonomous system (RFC 6793: 32 bits); None where it is none.

    >>> as_number("AS16509"), as_number("16509"), as_number("AS99999999999")
    (16509, 16509, None)
    """
    digits = text.strip().upper().removeprefix("AS")
    return int(digits) if _AS_NUMBER.fullmatch(digits) is not None else None
