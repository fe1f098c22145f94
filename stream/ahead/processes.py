"""A keeper's process, as the one sees it that starts it: what it is given and what it tells."""

import fcntl
import multiprocessing
import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any

from stream.ahead import keeping
from stream.simulation import Simulation

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

MOST = 4
"""Keepers: they do nine tenths of the work, and more could not be given lines fast enough."""
ROOM = 1 << 20
"""Bytes that wait in a pipe while the other end works: what Linux allows anybody. By itself it would be 64 KiB."""


def processors() -> int:
    """Return how many processors this process may use, 1 where nobody knows."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


def can_fork() -> bool:
    """Tell whether a process can begin with what this one has loaded."""
    return "fork" in multiprocessing.get_all_start_methods()


def keepers() -> int:
    """Return how many keepers there are: at least two, for the one who decides has little to do."""
    return min(max(2, processors() - 1), MOST)


class Ended(Exception):  # noqa: N818 - what it has
    """A keeper has ended before its time."""

    def __init__(self, keeper: "Keeper") -> None:
        super().__init__(keeper.name)
        self.keeper = keeper


class Keeper:
    """A keeper's process; started before any thread, and before those that come after it, the `others` that there are.

    A thread takes what it tells, at any time: it never waits to be heard while somebody waits to give it more.
    """

    def __init__(self, name: str, simulation: Simulation, others: Iterable["Keeper"]) -> None:
        fork = multiprocessing.get_context("fork")
        given, self._given = fork.Pipe(duplex=False)
        self._telling, told = fork.Pipe(duplex=False)
        _widen(self._given)
        _widen(told)
        self.name, self._told = name, SimpleQueue[bytes | None]()
        self.ends = (self._given, self._telling)
        not_its = [*self.ends, *(end for other in others for end in other.ends)]
        args = (simulation.rules, simulation.lines.intake, given, told)
        self.process: BaseProcess = fork.Process(target=_serve, args=(args, not_its), name=name, daemon=True)
        self.process.start()
        given.close()
        told.close()
        self._listener = Thread(target=self._listen, name=name, daemon=True)

    def listen(self) -> None:
        """Begin to take what it tells; when all others are started, for a process with threads should not fork."""
        self._listener.start()

    def give(self, data: bytes) -> None:
        """Give it something; raises Ended."""
        try:
            self._given.send_bytes(data)
        except OSError as error:
            raise Ended(self) from error

    def has_told(self) -> bool:
        """Tell whether nobody has to wait for what it tells next."""
        return not self._told.empty()

    def has_ended(self) -> bool:
        """Tell whether it will tell no more: seen without giving it anything, which may not happen for a long while."""
        return not self._listener.is_alive()

    def told(self) -> bytes:
        """Return what it tells next; raises Ended."""
        data = self._told.get()
        if data is None:
            raise Ended(self)
        return data

    def end(self, *, at_once: bool) -> None:
        """Wait until it has ended, by itself or at once."""
        if at_once:
            self.process.terminate()
        self._given.close()
        self.process.join()
        self._listener.join()
        self._telling.close()

    def _listen(self) -> None:
        with suppress(EOFError, OSError):
            while True:
                self._told.put(self._telling.recv_bytes())
        self._told.put(None)


def _widen(pipe: Connection) -> None:
    with suppress(AttributeError, OSError):  # elsewhere than on Linux; somebody has many pipes
        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, ROOM)


def _serve(args: tuple[Any, ...], not_its: Iterable[Connection]) -> None:
    """Do a keeper's work; Ctrl-C is for the process that started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for end in not_its:
        end.close()
    try:
        keeping.serve(*args)
    except (EOFError, BrokenPipeError, ConnectionResetError):  # the one that decides has ended
        os._exit(1)
    os._exit(0)  # its rows need not be taken down one by one
