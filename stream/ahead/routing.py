"""Whose each line is: a keeper's, or the one's who decides about people."""

from dataclasses import dataclass, field

from schemas.event import Rejected
from stream.ahead.parts import Part
from stream.ahead.skimming import cookie_of, tells_time
from stream.domain.event import Event
from stream.domain.ids import is_device
from stream.domain.ruleset.model import Ruleset
from stream.recorded import Lines


@dataclass(slots=True)
class Decided:
    """The events for the one who decides, with the numbers of their lines.

    Before the event at an index the row of a node comes from a keeper (`moves`: index, keeper, node).
    """

    events: list[tuple[Event, int]] = field(default_factory=list)
    moves: list[tuple[int, int, str]] = field(default_factory=list)


class Router:
    """Sorts lines: those of devices that nobody linked are for the keepers, the rest for who decides."""

    def __init__(self, lines: Lines, rules: Ruleset, keepers: int) -> None:
        self.lines, self.rules = lines, rules
        self._moved: set[str] = set()
        self._keepers = range(keepers)
        self._parts, self._decided = self._empty()
        self._known = 0

    def sort(self, lines: list[bytes]) -> tuple[list[Part], Decided]:
        """Return every keeper's lines, and the events for who decides."""
        known = self.lines
        moved, parts, keepers = self._moved, self._parts, len(self._keepers)
        for index, line in enumerate(lines):
            node = cookie_of(line)
            if node is None or node in moved:
                self._read(lines, index)
            else:
                known.count += 1
                parts[hash(node) % keepers].add(known.count, line)
        self._look_back(lines, len(lines))
        self._known = 0
        sorted_ = self._parts, self._decided
        self._parts, self._decided = self._empty()
        return sorted_

    def _empty(self) -> tuple[list[Part], Decided]:
        return [Part() for _ in self._keepers], Decided()

    def _read(self, lines: list[bytes], index: int) -> None:
        """Read a line that is not at a glance a keeper's."""
        line, before = lines[index], None
        if not tells_time(line):
            self._look_back(lines, index)
            before = self.lines.received
        event = self.lines.read(line)
        if event is not None:
            self._known = index + 1
            if not event.echo:
                self._place(event, line, before)

    def _place(self, event: Event, line: bytes, before: int | None) -> None:
        node, number, typed_email = event.node, self.lines.count, self.rules.typed_email
        if event.links:
            for each in (node, *[link.node for link in event.links]):
                if each not in self._moved and is_device(each, typed_email):
                    self._move(each)
        elif node not in self._moved and is_device(node, typed_email):
            part = self._parts[hash(node) % len(self._parts)]
            if before is not None:
                part.before[len(part.lines)] = before
            part.add(number, line)
            return
        self._decided.events.append((event, number))

    def _move(self, node: str) -> None:
        self._moved.add(node)
        keeper = hash(node) % len(self._parts)
        self._parts[keeper].move(node)
        self._decided.moves.append((len(self._decided.events), keeper, node))

    def _look_back(self, lines: list[bytes], index: int) -> None:
        """Learn when the last line before an index was received that is no dead letter: a keeper's line was only skimmed."""
        for at in range(index - 1, self._known - 1, -1):
            event = self.lines.intake.read_line(lines[at].rstrip(b"\r\n"), None)
            if not isinstance(event, Rejected):
                self.lines.received = event.r
                break
        self._known = index
