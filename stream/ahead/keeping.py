"""A process that keeps the rows of devices to which nobody listens."""

from collections.abc import Iterator
from itertools import islice
from multiprocessing.connection import Connection

import orjson

from stream.ahead import parts
from stream.domain import visitor
from stream.domain.ruleset.model import Ruleset
from stream.intake import Intake
from stream.recorded import Lines
from stream.simulation import Visitors

AT_ONCE = 1_000
"""How many documents travel in one message."""


def serve(rules: Ruleset, intake: Intake, given: Connection, told: Connection) -> None:
    """Apply what is given; then tell what was found and, asked as of when, the documents; an empty list is the last."""
    visitors, lines = Visitors(rules), Lines(intake)
    while not (part := parts.part(given.recv_bytes())).last:
        rows = _apply(visitors, lines, part)
        if rows:
            told.send_bytes(parts.encode(rows))
    told.send_bytes(parts.encode(parts.Found(lines.clock, lines.rejected)))
    documents = _documents(visitors, at=int(given.recv_bytes()))
    while some := list(islice(documents, AT_ONCE)):
        told.send_bytes(parts.encode(some))
    told.send_bytes(parts.encode([]))


def _apply(visitors: Visitors, lines: Lines, part: parts.Part) -> list[bytes]:
    """Apply the lines of a part; returns the rows that moved."""
    rows, done = [], 0
    for index, node in part.moves:
        _apply_lines(visitors, lines, part, done, index)
        row, done = visitors.rows.pop(node, None), index
        rows.append(b"" if row is None else visitor.encode(row))
    _apply_lines(visitors, lines, part, done, len(part.lines))
    return rows


def _apply_lines(visitors: Visitors, lines: Lines, part: parts.Part, first: int, last: int) -> None:
    numbers, texts, before = part.numbers, part.lines, part.before
    for index in range(first, last):
        number = numbers[index]
        event = lines.read_at(number, texts[index], before.get(index))
        if event is not None and visitors.apply(event, number) is not None:
            msg = f"somebody listens to {event.node} without a link"
            raise AssertionError(msg)


def _documents(visitors: Visitors, at: int) -> Iterator[parts.Document]:
    return ((document["id"], orjson.dumps(document)) for document in visitors.documents(at, lambda _: None))
