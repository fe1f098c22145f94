"""Graves: what is left of an erased identity, under a salted hash of it, so that nothing from before its erasure comes back.

A table's salt is made at its first erasure. A null has no position: where a worker that was frozen wakes up and writes an old
row behind it, or an old null behind a newer row, the grave's position says what counts.
"""

from collections.abc import Callable, Mapping, MutableMapping
from hashlib import blake2b
from typing import Final

import msgspec

from stream.domain.head import LENGTH, body_of, order_of
from stream.domain.rows import IDENTITY, PERSON, SUMS

SALT: Final = b"\x00salt"
"""The key of the row that holds a table's salt."""
GRAVE: Final = b"\x00grave\x00"
"""Before the hash, in the key of a grave."""
HASH_BYTES: Final = 16
SALT_BYTES: Final = 16


class Grave(msgspec.Struct, array_like=True):
    """What people keep of an erased identity: the place of the newest word in the log, and its instant (ms).

    Of a lead, whose identity is `lead::ID`, also the number of its last fact.
    """

    place: int
    r: int
    sequence: int = 0


_graves = msgspec.msgpack.Decoder(Grave)


def found(body_at: Callable[[bytes], bytes | None], node: str) -> Grave | None:
    """Return the grave of an identity among people; `body_at` gives the body of a row."""
    salt = body_at(SALT)
    body = body_at(key_of(salt, node.encode())) if salt else None
    return None if body is None else read(body)


def read(body: bytes) -> Grave:
    """Return the grave in the body of a row of people."""
    return _graves.decode(body)


def key_of(salt: bytes, node: bytes) -> bytes:
    """Return the key of an identity's grave."""
    return GRAVE + blake2b(node, digest_size=HASH_BYTES, key=salt).digest()


def salt_of(rows: Mapping[bytes, bytes]) -> bytes:
    """Return a table's salt; empty where nothing was ever erased."""
    row = rows.get(SALT)
    return b"" if row is None else body_of(row)


class Sift:
    """Goes through the rows of a restored partition for what graves have a say in.

    Args:
        node_of: the identity whose row a key is; None: nobody's.
        since: from which position on, eight bytes, a row counts beside a grave.
    """

    marker: Final = SALT
    """Only a table that holds this key has graves."""

    def __init__(self, node_of: Callable[[bytes], bytes | None], since: Callable[[bytes], bytes]) -> None:
        self._node_of, self._since = node_of, since

    def __call__(self, rows: MutableMapping[bytes, bytes], undone: Mapping[bytes, bytes]) -> set[bytes]:
        """Drop rows from before an erasure, take back those that were removed by a null older than they; return the keys.

        `undone` are the newest rows that a null removed.
        """
        salt, changed = salt_of(rows), set()
        for key, row in undone.items():
            since = self._counts_since(rows, salt, key)
            if since is not None and order_of(row) >= since and order_of(row) > order_of(rows.get(key, b"")):
                rows[key] = row
                changed.add(key)
        for key in [key for key, row in rows.items() if row[1:LENGTH] < (self._counts_since(rows, salt, key) or b"")]:
            del rows[key]
            changed.add(key)
        return changed

    def _counts_since(self, rows: Mapping[bytes, bytes], salt: bytes, key: bytes) -> bytes | None:
        node = self._node_of(key)
        grave = None if node is None else rows.get(key_of(salt, node))
        return None if grave is None else self._since(grave)


def visitor_of(key: bytes) -> bytes | None:
    """Return the identity of a row of `visitors`."""
    return None if key.startswith(b"\x00") else key


def of_visitor(grave: bytes) -> bytes:
    """Return from where on a visitor's row counts: the erasure's record is the grave's own position."""
    return order_of(grave)


def of_identity(grave: bytes) -> bytes:
    """Return from where on a row of `people` counts: the word's place, for the grave may have been written later."""
    return read(body_of(grave)).place.to_bytes(8, "big")


def identity_of(key: bytes) -> bytes | None:
    """Return the identity that a row of `people` is about: itself, its sums, the person it was first, or a lead's by its id."""
    if key.startswith((IDENTITY, SUMS)):
        return key[2:]
    if key.startswith(PERSON):
        return key[3:] if key.startswith(PERSON + b"~") else b"lead::" + key[2:]
    return None


SIFTS: Final = {"visitors": Sift(visitor_of, of_visitor), "people": Sift(identity_of, of_identity)}
"""By table."""
