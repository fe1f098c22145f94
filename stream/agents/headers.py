"""The headers by which our own records are told."""

from collections.abc import Iterable

Headers = Iterable[tuple[str, bytes | None]]
"""Kafka knows headers without a value; none of ours is one."""

INTERNAL = "leadstream-internal"
FORWARDED = "leadstream-forwarded-from"
REPLAYED = "leadstream-replayed"
HISTORY = "leadstream-history"
LAG = "leadstream-lag-ms"
RESYNC = (INTERNAL, b"resync")
"""Our own records in `events` that let a slice of the linked visitors send their sums again; in `people` what a resync wrote."""
CONTENT_TYPE = ("content-type", b"application/cloudevents+json")


def has(headers: Headers, name: str) -> bool:
    """Tell whether a header is there."""
    return any(key == name for key, _ in headers)


def forwarded_from(headers: Headers) -> tuple[int, int] | None:
    """Return the (partition, offset) a record was found at; None if it was not forwarded or the header is none of ours.

    >>> forwarded_from([("leadstream-forwarded-from", b"3:41")])
    (3, 41)
    """
    parts = _parts(headers, FORWARDED, 2)
    return None if parts is None else (int(parts[0]), int(parts[1]))


def replayed_from(headers: Headers) -> tuple[str, int, int] | None:
    """Return the (topic, partition, offset) of the dead letter that a record was.

    >>> replayed_from([("leadstream-replayed", b"dead-letters:0:7")])
    ('dead-letters', 0, 7)
    """
    parts = _parts(headers, REPLAYED, 3)
    return None if parts is None else (parts[0], int(parts[1]), int(parts[2]))


def _parts(headers: Headers, name: str, count: int) -> list[str] | None:
    """Return the parts of a header between colons, the last two of which are numbers."""
    for key, value in headers:
        if key == name and value is not None:
            parts = value.decode(errors="replace").rsplit(":", count - 1)
            if len(parts) == count and all(part.isascii() and part.isdecimal() and len(part) < 19 for part in parts[-2:]):
                return parts
    return None
