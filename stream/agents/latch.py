"""One flag of a visitor's row never goes back: that somebody listens. It is taken from any row of the key."""

import msgspec

from stream.agents.rules import RULESET_KEY
from stream.domain.visitor import decode, encode


class _Flag(msgspec.Struct, array_like=True):
    state: msgspec.Raw
    listened: bool = False


_flag = msgspec.msgpack.Decoder(_Flag).decode
_BODY = 9


def keep_listened(key: bytes, counts: bytes, other: bytes) -> bytes:
    """Return the row that counts, listened to if either row was: a woken zombie may have written without knowing."""
    if key == RULESET_KEY:
        return counts
    if _flag(memoryview(counts)[_BODY:]).listened or not _flag(memoryview(other)[_BODY:]).listened:
        return counts
    row = decode(counts)
    row.listened = True
    return encode(row)
