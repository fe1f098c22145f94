"""The headers by which our own records are told."""

import msgspec

from stream.collected import NOTHING, Collected, Headers, collected_by

INTERNAL = "leadstream-internal"
FORWARDED = "leadstream-forwarded-from"
REPLAYED = "leadstream-replayed"
HISTORY = "leadstream-history"
LAG = "leadstream-lag-ms"
RULESET = (INTERNAL, b"ruleset")
"""The header of our own records in `events` that put a ruleset in force."""
RESYNC = (INTERNAL, b"resync")
"""Our own records in `events` that let a slice of the linked visitors send their sums again; in `people` what a resync wrote."""
CONTENT_TYPE = ("content-type", b"application/cloudevents+json")


REMEMBERED = 4_096
SHORT = 500
"""Bytes of values up to which headers are remembered: those of the collector, of which many events have the same."""


class Told(msgspec.Struct, frozen=True, gc=False):
    """What the headers of a record of `events` say."""

    collected: Collected = NOTHING
    internal: bool = False
    switches: bool = False
    history: bool = False
    forwarded: tuple[int, int] | None = None
    replayed: tuple[str, int, int] | None = None

    def placed(self, base: int) -> "Told":
        """Return it with where it was found as rows remember it: an offset of a recreated topic is newer than those before."""
        partition, offset = self.forwarded or (0, 0)
        return msgspec.structs.replace(self, forwarded=(partition, offset + base - 1))


UNTOLD = Told()
_known: dict[tuple[tuple[str, bytes | None], ...], Told] = {}


def told_by(headers: Headers) -> Told:
    """Return what headers say. Most are met again and again: to find them costs a fifth of reading them."""
    key = tuple(headers)
    return _known.get(key) or _read(key)


def _read(headers: tuple[tuple[str, bytes | None], ...]) -> Told:
    told = Told(
        collected_by(headers), has(headers, INTERNAL), RULESET in headers, has(headers, HISTORY), forwarded_from(headers),
        replayed_from(headers),
    )  # fmt: skip
    size = sum(len(name) + len(value or b"") for name, value in headers)
    if size <= SHORT and told.forwarded is None and told.replayed is None:
        if len(_known) >= REMEMBERED:
            _known.clear()
        _known[headers] = told
    return told


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
