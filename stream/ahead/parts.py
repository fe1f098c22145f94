"""What travels between the processes of a simulation: events in log order, and rows that move."""

from typing import Any

import msgspec

from stream.domain.event import Event
from stream.domain.ruleset.model import Match


class End(msgspec.Struct, array_like=True):
    """The last line was read: how many there were, the largest receive time (ms), dead letters; or why reading `failed`."""

    count: int = 0
    clock: int = 0
    rejected: list[dict[str, Any]] = []
    failed: str = ""


class Part(msgspec.Struct, array_like=True):
    """Some events for one process, with the numbers of their lines; `end` in the last one.

    Many events have one match: they carry its place in `matches`. Before the event at an index the row of a node moves from a
    keeper to the one who decides (`moves`: index, keeper, node). `read` is how many bytes of input it is made of.
    """

    lines: list[int] = []
    events: list[Event] = []
    matches: list[Match] = []
    moves: list[tuple[int, int, str]] = []
    read: int = 0
    end: End | None = None


Document = tuple[str, bytes]
"""A visitor's id and its document as JSON."""

encode = msgspec.msgpack.Encoder().encode
parts = msgspec.msgpack.Decoder(Part)
documents = msgspec.msgpack.Decoder(list[Document])


class Parcel:
    """A part while it is filled."""

    def __init__(self) -> None:
        self.part = Part()
        self._places: dict[int, int] = {}

    def add(self, event: Event, line: int) -> None:
        """Add an event, without what only its match was found by."""
        part, match = self.part, event.match
        if match is not None:
            place = self._places.setdefault(id(match), len(part.matches))
            if place == len(part.matches):
                part.matches.append(match)
            event.match = place
        event.title = event.search = event.url = event.referrer = event.channel = None
        event.campaign = {}
        part.lines.append(line)
        part.events.append(event)

    def move(self, keeper: int, node: str) -> None:
        """Let the row of a node move before the event that is added next."""
        self.part.moves.append((len(self.part.events), keeper, node))

    def taken(self, read: int = 0, end: End | None = None) -> bytes:
        """Return the part's bytes and begin another."""
        part, self.part = self.part, Part()
        self._places.clear()
        part.read, part.end = read, end
        return encode(part)


def opened(data: bytes) -> Part:
    """Return a part whose events have their matches again."""
    part = parts.decode(data)
    for event in part.events:
        if event.match is not None:
            event.match = part.matches[event.match]
    return part
