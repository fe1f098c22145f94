"""Reading lines ahead in a second process: it reads the next thousand or two while this one applies the last.

What comes back is what `read` would have returned here, but where that depends on the line before: there it is left open.
"""

import multiprocessing
import os
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

import msgspec

from schemas.event import Rejected
from stream.domain.event import Event
from stream.domain.ruleset.model import Match

Read = Callable[[bytes], Event | Rejected]
"""Reads a line as if it were the first: `Simulation.look`."""
Answer = Event | Rejected | None
"""None: it depends on the line before."""


class Answers(msgspec.Struct, array_like=True):
    """What became of some lines: events by line (None: something else), and what was refused by line number.

    Many events have one match: they carry its place in `matches`.
    """

    events: list[Event | None]
    refused: dict[int, Rejected]
    matches: list[Match]


_lines = msgspec.msgpack.Decoder(list[bytes])
_answers = msgspec.msgpack.Decoder(Answers)
_encode = msgspec.msgpack.Encoder().encode


class ReadAhead:
    """A process that reads lines for this one; use it in a `with`, started before any thread."""

    def __init__(self, read: Read) -> None:
        fork = multiprocessing.get_context("fork")  # the reader takes over what this process has loaded
        self._end, theirs = fork.Pipe()
        self._process = fork.Process(target=_serve, args=(read, theirs, self._end), daemon=True)
        self._process.start()
        theirs.close()

    @staticmethod
    def pays() -> bool:
        """Tell whether this machine has a second processor, and can fork."""
        processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
        return processors > 1 and "fork" in multiprocessing.get_all_start_methods()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End the process."""
        self._end.close()
        self._process.join()

    def read(self, chunks: Iterator[list[bytes]]) -> Iterator[tuple[list[bytes], list[Answer]]]:
        """Yield each chunk of lines with what they are; raises EOFError if the reader died of a mistake of ours."""
        lines = next(chunks, None)
        if lines is not None:
            self._end.send_bytes(_encode(lines))
        while lines is not None:
            answers = _answers.decode(self._end.recv_bytes())
            following = next(chunks, None)
            if following is not None:
                self._end.send_bytes(_encode(following))
            yield lines, _resolved(answers)
            lines = following


def _resolved(answers: Answers) -> list[Answer]:
    found: list[Answer] = []
    for at, event in enumerate(answers.events):
        if event is None:
            found.append(answers.refused.get(at))
            continue
        if event.match is not None:
            event.match = answers.matches[event.match]
        found.append(event)
    return found


def _serve(read: Read, end: Connection, others: Connection) -> None:
    """Read what is asked for until nobody asks."""
    others.close()
    while True:
        try:
            lines = _lines.decode(end.recv_bytes())
        except EOFError:
            return
        end.send_bytes(_encode(_read_all(read, lines)))


def _read_all(read: Read, lines: list[bytes]) -> Answers:
    answers, places = Answers([], {}, []), dict[int, int]()
    for at, line in enumerate(lines):
        found = read(line)
        if isinstance(found, Event):
            answers.events.append(None if found.echo else _slim(found, answers.matches, places))
            continue
        answers.events.append(None)
        if found.reason != "bad_timestamp":
            answers.refused[at] = found
    return answers


def _slim(event: Event, matches: list[Match], places: dict[int, int]) -> Event:
    """Let an event travel without what only its match was found by; `places` knows matches by identity."""
    if event.match is not None:
        place = places.setdefault(id(event.match), len(matches))
        if place == len(matches):
            matches.append(event.match)
        event.match = place
    event.title = event.search = event.url = event.referrer = event.channel = None
    event.campaign = {}
    return event
