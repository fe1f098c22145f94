"""The process that was called: it hands out the lines, decides about people, and puts the document together."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Self

import orjson

from stream.ahead import parts, processes
from stream.ahead.processes import Ended, Keeper
from stream.ahead.routing import Decided, Router
from stream.domain import visitor
from stream.errors import CommandError
from stream.simulation import Simulation

WAITING = 32
"""Chunks whose people wait for rows that a keeper has not come to yet."""
Read = Callable[[int], None]
"""Is told how many more bytes were read."""


class ReadAhead:
    """A simulation with its keepers; use it in a `with`, started before any thread. `chunks` gives the lines."""

    def __init__(self, simulation: Simulation, chunks: Iterable[list[bytes]]) -> None:
        self._simulation, self._chunks = simulation, chunks
        self._keepers: list[Keeper] = []
        for number in range(1, processes.keepers() + 1):
            self._keepers.append(Keeper(f"keeper {number}", simulation, self._keepers))
        for keeper in self._keepers:
            keeper.listen()
        self._router = Router(simulation.lines, simulation.rules, len(self._keepers))
        self._waiting: deque[Decided] = deque()

    @staticmethod
    def pays() -> bool:
        """Tell whether this machine has a second processor, and can fork."""
        return processes.processors() > 1 and processes.can_fork()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End the processes, also such as wait for a word from here."""
        for keeper in self._keepers:
            keeper.end(at_once=error is not None)

    def run(self, read: Read) -> None:
        """Apply everything that people are to hear of; raises CommandError where a process has ended."""
        try:
            for lines in self._chunks:
                self._hand_out(lines)
                self._decide(at_most=WAITING)
                read(sum(map(len, lines)))
            for keeper in self._keepers:
                keeper.give(parts.encode(parts.Part(last=True)))
            self._decide(at_most=0)
            self._gather()
        except Ended as error:
            raise _told(error) from error

    def finish(self, at: int | None = None) -> dict[str, Any]:
        """Return the document as `Simulation.finish` does; a visitor's may be a piece of JSON (`orjson.Fragment`)."""
        at = self._simulation.end_at(at)
        try:
            for keeper in self._keepers:
                keeper.give(str(at).encode())
            document = self._simulation.finish(at)
            visitors = [(each["id"], each) for each in document["visitors"]]
            for keeper in self._keepers:
                while some := parts.documents(keeper.told()):
                    visitors += [(node, orjson.Fragment(text)) for node, text in some]
        except Ended as error:
            raise _told(error) from error
        visitors.sort(key=lambda pair: pair[0])
        document["visitors"] = [each for _, each in visitors]
        return document

    def _hand_out(self, lines: list[bytes]) -> None:
        given, decided = self._router.sort(lines)
        for keeper, part in zip(self._keepers, given, strict=True):
            if part.lines or part.moves:
                keeper.give(parts.encode(part))
            elif keeper.has_ended():
                raise Ended(keeper)
        self._waiting.append(decided)

    def _decide(self, at_most: int) -> None:
        """Apply what people are to hear of until no more chunks wait than that, and further where nobody is waited for."""
        while self._waiting and (len(self._waiting) > at_most or self._is_there(self._waiting[0])):
            self._apply(self._waiting.popleft())

    def _is_there(self, decided: Decided) -> bool:
        return all(self._keepers[keeper].has_told() for _, keeper, _ in decided.moves)

    def _apply(self, decided: Decided) -> None:
        simulation, done = self._simulation, 0
        rows: dict[int, Iterator[bytes]] = {}
        for index, number, node in decided.moves:
            for event, line in decided.events[done:index]:
                simulation.apply(event, line)
            done = index
            if number not in rows:
                rows[number] = iter(parts.rows(self._keepers[number].told()))
            if row := next(rows[number]):
                simulation.rows[node] = visitor.decode(row)
        for event, line in decided.events[done:]:
            simulation.apply(event, line)

    def _gather(self) -> None:
        """Put together what all of them found in the lines."""
        lines = self._simulation.lines
        for keeper in self._keepers:
            found = parts.found(keeper.told())
            lines.clock = max(lines.clock, found.clock)
            lines.rejected += found.rejected
        lines.rejected.sort(key=lambda letter: letter["line"])


def _told(ended: Ended) -> CommandError:
    """Say which of them ended, and how."""
    process = ended.keeper.process
    process.join(1)
    how = "nobody knows why" if process.exitcode is None else f"exit code {process.exitcode}"
    return CommandError(
        f"a process of this simulation ended before its time ({process.name}: {how}): nothing is shown; is there memory enough?"
    )
