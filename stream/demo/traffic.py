"""Anonymous visitors: an access log, the shipped one or any other, moved in time so that it ends now."""

import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any, Final

import orjson

from stream import accesslog
from stream.domain import instants

TIMES: Final = ("timestamp", "originalTimestamp", "sentAt", "receivedAt")

Event = dict[str, Any]


class UnreadableTraffic(ValueError):  # noqa: N818 - what it is
    """A line that is no event: which, and of what format."""


def shipped() -> list[Event]:
    """Return the events of the shipped log, oldest first."""
    packed = resources.files("stream.demo").joinpath("access.log.gz").read_bytes()
    return list(combined(gzip.decompress(packed).decode().splitlines()))


def read(path: Path, layout: str) -> list[Event]:
    """Return the events of a file, `combined` or `ndjson`; raises UnreadableTraffic, OSError."""
    lines = _unpacked(path.read_bytes()).decode(errors="backslashreplace").split("\n")
    return list(combined(lines) if layout == "combined" else ndjson(lines))


def _unpacked(packed: bytes) -> bytes:
    try:
        return gzip.decompress(packed) if packed.startswith(b"\x1f\x8b") else packed
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UnreadableTraffic(f"it is packed, and damaged or cut off ({error})") from error


def combined(lines: Iterable[str]) -> Iterator[Event]:
    """Yield the events of an access log's lines; what is no line of one is passed over."""
    for number, line in enumerate(lines, 1):
        event = accesslog.parse(line, str(number))
        if event is not None:
            yield event


def ndjson(lines: Iterable[str]) -> Iterator[Event]:
    """Yield one event a line; blank lines are passed over."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            event = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise UnreadableTraffic(f"line {number} is no JSON: use --format combined for an access log") from error
        if not isinstance(event, dict):
            raise UnreadableTraffic(f"line {number} is no JSON object: one event a line is wanted")
        yield event


def ending(events: list[Event], now_ms: int) -> Callable[[Event], Event]:
    """Return what moves an event in time, so that the newest of `events` happened at `now_ms`.

    All are received when they are sent: `receivedAt` and `sentAt` go, what they said about the time stays. None is moved to
    before 1970.
    """
    newest = max(filter(None, map(_happened, events)), default=now_ms)

    def move(event: Event) -> Event:
        at = _happened(event)
        moved = {name: value for name, value in event.items() if name not in TIMES}
        return moved if at is None else {**moved, "timestamp": instants.write(max(0, at + now_ms - newest))}

    return move


def _happened(event: Event) -> int | None:
    """Return when an event happened (ms), None where it does not say so in words we know."""
    for name in TIMES:
        try:
            return instants.parse(event[name])
        except (KeyError, TypeError, instants.BadInstant):
            continue
    return None
