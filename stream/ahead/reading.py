"""The process that reads: every line in order, and who is to apply its event."""

import os
import threading
from collections.abc import Iterable
from multiprocessing.connection import Connection

from stream.ahead.parts import End, Parcel
from stream.domain import outcomes
from stream.domain.event import Event
from stream.domain.ids import is_device
from stream.domain.ruleset.model import Ruleset
from stream.errors import UsageError
from stream.recorded import Lines


class Reader:
    """Reads lines and sorts their events: those of devices that nobody linked to the keepers, the rest to who decides."""

    def __init__(self, lines: Lines, rules: Ruleset, decider: Connection, keepers: list[Connection]) -> None:
        self.lines, self.rules = lines, rules
        self._decider, self._keepers = decider, keepers
        self._for_decider, self._for_keepers = Parcel(), [Parcel() for _ in keepers]
        self._moved: set[str] = set()

    def read(self, lines: list[bytes]) -> None:
        """Read some lines and send their events on."""
        for line in lines:
            event = self.lines.read(line)
            if event is not None and not event.echo:
                self._sort(event)
        self._send(read=sum(map(len, lines)))

    def end(self, failed: str = "") -> None:
        """Tell everybody that no more lines come."""
        self._send(end=End(self.lines.count, self.lines.clock, self.lines.rejected, failed))

    def _sort(self, event: Event) -> None:
        node, line = event.node, self.lines.count
        self._match(event)
        if event.links:
            for each in (node, *[link.node for link in event.links]):
                if each not in self._moved and is_device(each, self.rules.typed_email):
                    self._move(each)
            self._for_decider.add(event, line)
        elif node in self._moved or not is_device(node, self.rules.typed_email):
            self._for_decider.add(event, line)
        else:
            self._for_keepers[hash(node) % len(self._keepers)].add(event, line)

    def _match(self, event: Event) -> None:
        """Say what the rules say of an event, and drop the properties that nothing else asks for."""
        if event.bot:
            return
        event.match = self.rules.match(event)
        if event.properties and event.event not in outcomes.NAMES:
            dwell = self.rules.dwell
            kept = None if dwell is None else event.properties.get(dwell.property)
            event.properties = {} if dwell is None or kept is None else {dwell.property: kept}

    def _move(self, node: str) -> None:
        self._moved.add(node)
        keeper = hash(node) % len(self._keepers)
        self._for_keepers[keeper].move(keeper, node)
        self._for_decider.move(keeper, node)

    def _send(self, read: int = 0, end: End | None = None) -> None:
        """Send the keepers their parts first: who decides waits for rows that they send it."""
        for keeper, parcel in zip(self._keepers, self._for_keepers, strict=True):
            keeper.send_bytes(parcel.taken(end=None if end is None else End()))
        self._decider.send_bytes(self._for_decider.taken(read, end))


def serve(reader: Reader, chunks: Iterable[list[bytes]], alive: Connection) -> None:
    """Read everything; ends at once when the process that asked has died, also while it waits for input."""
    threading.Thread(target=_end_with, args=(alive,), daemon=True).start()
    try:
        for lines in chunks:
            reader.read(lines)
    except UsageError as error:
        reader.end(str(error))
    else:
        reader.end()


def _end_with(alive: Connection) -> None:
    """End when the other end is closed, which nobody writes to."""
    alive.poll(None)
    os._exit(1)
