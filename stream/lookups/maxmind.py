"""MaxMind databases: what each says of an address, at its reader's speed, kept by network."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import maxminddb

from stream.lookups.addresses import render
from stream.lookups.errors import BadLookupFile, CorruptDatabase
from stream.lookups.layouts import NOTHING, Finding, IsHosting, IsPrivate, finding, layout_by_fields, layout_of
from stream.lookups.memo import NetworkMemo
from stream.lookups.networks import shown, span_of

logger = logging.getLogger(__name__)

# Read through at start: all of a small database, the beginning of a large one and a grid of addresses over all of it.
_PROVED_NETWORKS = 50_000
_PROVED_ADDRESSES = 4_096

_BEGINNINGS = (bytes(4), b"\x20\x01\x00\x01" + bytes(12))
"""Where the walk sets out: IPv6 behind Teredo's 2001::/32, which many databases tell once more as IPv4."""

_DAMAGE = (ArithmeticError, AttributeError, LookupError, RuntimeError, SystemError, TypeError, ValueError)
"""What the compiled reader and the pure one raise where bytes make no sense; their own error is a RuntimeError."""


class Answer(NamedTuple):
    """What a database says of the network around an address."""

    finding: Finding
    network: str


class MaxmindFile:
    """One MaxMind database, read by the layout its type or its records show.

    Raises BadLookupFile where there is no file, CorruptDatabase where it is no readable database.
    """

    def __init__(self, path: Path, *, is_private: IsPrivate, is_hosting: IsHosting) -> None:
        self._path = path
        self._is_private = is_private
        self._is_hosting = is_hosting
        self._memo: NetworkMemo[Answer] = NetworkMemo()
        self._complained = False
        try:
            self._reader = maxminddb.open_database(path)
            metadata = self._reader.metadata()
            self.as_of = datetime.fromtimestamp(metadata.build_epoch, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
            self._v6 = metadata.ip_version == 6
            self._layout = layout_of(metadata.database_type)
        except OSError as error:
            raise BadLookupFile(path, None, f"cannot be read ({error.strerror or error})") from error
        except _DAMAGE as error:
            raise CorruptDatabase(path, None, "is no MaxMind database, or a damaged one") from error
        self.hides = self._prove(metadata.database_type) == "anonymous"

    def find(self, packed: bytes) -> Answer:
        """Return what the database says of an address."""
        answer = self._memo.get(packed)
        if answer is not None:
            return answer
        if len(packed) == 16 and not self._v6:
            return Answer(NOTHING, "")
        prefix, answer = self._read(packed)
        self._memo.put(packed, prefix, answer)
        return answer

    def close(self) -> None:
        """Close the file."""
        self._reader.close()

    def _read(self, packed: bytes) -> tuple[int, Answer]:
        bits = len(packed) * 8
        try:
            record, prefix = self._reader.get_with_prefix_len(render(packed))
        except _DAMAGE as error:
            if not self._complained:  # what the reader says has the address in it, which no log may hold
                told = type(error).__name__
                logger.error("%s: a record cannot be read (%s), its network counts as unknown", self._path, told)  # noqa: TRY400 - so has a traceback
            self._complained = True
            return bits, Answer(NOTHING, "")
        # An IPv4 address in a tree without IPv4 is found above its own root.
        prefix = min(max(prefix, 0), bits)
        found = finding(self._layout, record, is_private=self._is_private, is_hosting=self._is_hosting)
        return prefix, Answer(found, shown(packed, prefix) if found.name else "")

    def _prove(self, database_type: str) -> str:
        """Read records until the file is trusted; return its layout."""
        layout = self._layout
        try:
            for record in self._samples():
                if not layout and isinstance(record, dict):
                    layout = layout_by_fields(record)
        except _DAMAGE as error:
            self._reader.close()
            raise CorruptDatabase(self._path, None, "is damaged: some of its records cannot be read") from error
        if not layout:
            logger.warning("%s: a database of type %s names no company", self._path, database_type)
        return layout

    def _samples(self) -> Iterator[object]:
        for first in _BEGINNINGS if self._v6 else _BEGINNINGS[:1]:
            yield from self._walk(first)
        for at in range(_PROVED_ADDRESSES):
            yield self._reader.get(render((at << 20 | 0x10101).to_bytes(4)))

    def _walk(self, first: bytes) -> Iterator[object]:
        """Yield the record of one network after the other."""
        # By look-ups: the compiled reader's own walk of a tree that loops writes where it may not, and ends the process.
        packed = first
        for _ in range(_PROVED_NETWORKS):
            record, prefix = self._reader.get_with_prefix_len(render(packed))
            yield record
            last = span_of(packed, min(max(prefix, 0), len(packed) * 8))[1]
            if last == b"\xff" * len(packed):
                return
            packed = (int.from_bytes(last) + 1).to_bytes(len(packed))
