"""A process that keeps the rows of devices to which nobody listens."""

from multiprocessing.connection import Connection

import orjson

from stream.ahead.parts import Document, Part, encode, opened
from stream.domain import visitor
from stream.domain.ruleset.model import Ruleset
from stream.simulation import Visitors

AT_ONCE = 5_000
"""How many documents travel in one message."""


def serve(rules: Ruleset, reader: Connection, decider: Connection) -> None:
    """Apply what the reader sends; then, asked as of when, send the documents; an empty list is the last."""
    visitors, more = Visitors(rules), True
    while more:
        part = opened(reader.recv_bytes())
        _apply(visitors, part, decider)
        more = part.end is None
    documents = _documents(visitors, at=int(decider.recv_bytes()))
    for first in range(0, len(documents), AT_ONCE):
        decider.send_bytes(encode(documents[first : first + AT_ONCE]))
    decider.send_bytes(encode([]))


def _apply(visitors: Visitors, part: Part, decider: Connection) -> None:
    done = 0
    for index, _, node in part.moves:
        _apply_events(visitors, part, done, index)
        row, done = visitors.rows.pop(node, None), index
        decider.send_bytes(b"" if row is None else visitor.encode(row))
    _apply_events(visitors, part, done, len(part.events))


def _apply_events(visitors: Visitors, part: Part, first: int, last: int) -> None:
    for index in range(first, last):
        if visitors.apply(part.events[index], part.lines[index]) is not None:
            msg = f"somebody listens to {part.events[index].node} without a link"
            raise AssertionError(msg)


def _documents(visitors: Visitors, at: int) -> list[Document]:
    """Return all of them before any is sent: the one who decides has its own to write meanwhile."""
    return [(document["id"], orjson.dumps(document)) for document in visitors.documents(at, lambda _: None)]
