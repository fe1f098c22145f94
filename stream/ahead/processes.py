"""The processes of a simulation, as the one sees them that decides about people."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable
from multiprocessing.connection import Connection
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import orjson

from stream.ahead import keeping, parts, reading
from stream.domain import visitor
from stream.errors import CommandError, UsageError
from stream.simulation import Simulation

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

KEEPERS = 2
"""So that the documents, at the end, are written on two processors."""
Read = Callable[[int], None]
"""Is told how many more bytes were read."""


class ReadAhead:
    """The reader and the keepers of a simulation; use it in a `with`, started before any thread.

    `chunks` gives the lines; it is read in another process, also where it raises.
    """

    def __init__(self, simulation: Simulation, chunks: Iterable[list[bytes]]) -> None:
        self._simulation = simulation
        fork = multiprocessing.get_context("fork")  # they take over what this process has loaded
        self._parts, to_decider = fork.Pipe(duplex=False)
        alive, self._alive = fork.Pipe(duplex=False)
        to_keepers = [fork.Pipe(duplex=False) for _ in range(KEEPERS)]
        asked = [fork.Pipe() for _ in range(KEEPERS)]
        self._keepers = [ours for ours, _ in asked]
        theirs = [to_decider, alive, *(end for pair in to_keepers for end in pair), *(end for _, end in asked)]
        self._ends = [self._parts, self._alive, *self._keepers]
        self._processes: dict[str, BaseProcess] = {}

        def start(name: str, work: Callable[..., None], args: tuple[Any, ...], *own: Connection) -> None:
            others = [end for end in (*theirs, *self._ends) if end not in own]
            process = fork.Process(target=_serve, args=(work, args, others), name=name, daemon=True)
            process.start()
            self._processes[name] = process

        rules, writes = simulation.rules, [end for _, end in to_keepers]
        reader = reading.Reader(simulation.lines, rules, to_decider, writes)
        start("reader", reading.serve, (reader, chunks, alive), to_decider, alive, *writes)
        for number, ((lines, _), (_, decider)) in enumerate(zip(to_keepers, asked, strict=True), 1):
            start(f"keeper {number}", keeping.serve, (rules, lines, decider), lines, decider)
        for end in theirs:
            end.close()

    @staticmethod
    def pays() -> bool:
        """Tell whether this machine has a second processor, and can fork."""
        processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
        return processors > 1 and "fork" in multiprocessing.get_all_start_methods()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End the processes, also such as wait for a word from here."""
        if error is not None:
            for process in self._processes.values():
                process.terminate()
        for end in self._ends:
            end.close()
        for process in self._processes.values():
            process.join()

    def run(self, read: Read) -> None:
        """Apply everything that people are to hear of; raises UsageError where a file cannot be read, CommandError."""
        more = True
        while more:
            part = parts.opened(self._received(self._parts))
            self._apply(part)
            read(part.read)
            if part.end is not None:
                self._end(part.end)
                more = False

    def finish(self, at: int | None = None) -> dict[str, Any]:
        """Return the document as `Simulation.finish` does; a visitor's may be a piece of JSON (`orjson.Fragment`)."""
        at = self._simulation.end_at(at)
        for keeper in self._keepers:
            keeper.send_bytes(str(at).encode())
        document = self._simulation.finish(at)
        visitors = [(each["id"], each) for each in document["visitors"]]
        for keeper in self._keepers:
            while some := parts.documents.decode(self._received(keeper)):
                visitors += [(node, orjson.Fragment(text)) for node, text in some]
        visitors.sort(key=lambda pair: pair[0])
        document["visitors"] = [each for _, each in visitors]
        return document

    def _apply(self, part: parts.Part) -> None:
        simulation, done = self._simulation, 0
        for index, keeper, node in [*part.moves, (len(part.events), -1, "")]:
            for event, line in zip(part.events[done:index], part.lines[done:index], strict=True):
                simulation.apply(event, line)
            done = index
            if node and (row := self._received(self._keepers[keeper])):
                simulation.rows[node] = visitor.decode(row)

    def _end(self, end: parts.End) -> None:
        if end.failed:
            raise UsageError(end.failed)
        lines = self._simulation.lines
        lines.count, lines.clock, lines.rejected = end.count, end.clock, end.rejected

    def _received(self, end: Connection) -> bytes:
        try:
            return end.recv_bytes()
        except (EOFError, OSError) as error:
            raise CommandError(self._died()) from error

    def _died(self) -> str:
        """Say which of them ended, and how."""
        for process in self._processes.values():
            process.join(1)
        ended = [f"{name}: exit code {each.exitcode}" for name, each in self._processes.items() if each.exitcode]
        told = ", ".join(ended) or "nobody knows why"
        return f"a process of this simulation ended before its time ({told}): nothing is shown; is there memory enough?"


def _serve(work: Callable[..., None], args: tuple[Any, ...], others: Iterable[Connection]) -> None:
    """Do a process's work; Ctrl-C is for the process that started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for end in others:
        end.close()
    try:
        work(*args)
    except (EOFError, BrokenPipeError, ConnectionResetError):  # another ended: the one that decides says so
        os._exit(1)
