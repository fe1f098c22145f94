"""Unpacks a body, never further than is allowed: a bomb costs what a large body costs.

unpacked(body, headers.get(b"content-encoding"), largest)               # Refused(413 | 400 | 415)
await unpacked_aside(body, headers.get(b"content-encoding"), largest)   # the same; nobody waits for what is large
"""

import asyncio
import zlib
from typing import Final

from stream.collector.request import Refused

GZIP: Final = b"\x1f\x8b"
_PLAIN: Final = frozenset({b"", b"identity"})
_PACKED: Final = frozenset({b"gzip", b"x-gzip", b"deflate"})
_GZIP_OR_ZLIB: Final = 32 + zlib.MAX_WBITS
_BARE: Final = -zlib.MAX_WBITS
_MOST_STREAMS: Final = 8
_AT_ONCE: Final = 128 * 1024
"""What is unpacked while others wait: a fraction of a millisecond's work."""
_TOO_LARGE: Final = 413


async def unpacked_aside(body: bytes, encoding: bytes | None, largest: int) -> bytes:
    """Unpack in a thread what turns out to be large: zlib lets others work meanwhile."""
    try:
        return unpacked(body, encoding, min(largest, _AT_ONCE))
    except Refused as refused:
        if refused.status != _TOO_LARGE or largest <= _AT_ONCE:
            raise
    return await asyncio.to_thread(unpacked, body, encoding, largest)


def unpacked(body: bytes, encoding: bytes | None, largest: int) -> bytes:
    """Return the body as Content-Encoding says, and where it says nothing, unpacked if the bytes are gzip's."""
    packing = b"" if encoding is None else encoding.strip().lower()
    if packing in _PLAIN:
        return _inflated(body, _GZIP_OR_ZLIB, largest) if body.startswith(GZIP) else body
    if packing not in _PACKED:
        raise Refused(415, "encoding", "Content-Encoding: gzip, deflate or none")
    is_bare = packing == b"deflate" and not _is_zlib(body) and not body.startswith(GZIP)
    return _inflated(body, _BARE if is_bare else _GZIP_OR_ZLIB, largest)


def _is_zlib(body: bytes) -> bool:
    """Tell zlib's header from a bare deflate stream: both are called deflate."""
    return len(body) >= 2 and body[0] & 15 == 8 and (body[0] << 8 | body[1]) % 31 == 0


def _inflated(body: bytes, window: int, largest: int) -> bytes:
    """Unpack one stream after another (gzip allows several, and each costs a copy), at most one byte more than is allowed."""
    parts: list[bytes] = []
    left, rest = largest, body
    while rest:
        if len(parts) == _MOST_STREAMS:
            raise Refused(400, "encoding", f"the body is packed in more than {_MOST_STREAMS} pieces")
        stream = zlib.decompressobj(window)
        try:
            parts.append(stream.decompress(rest, left + 1))
        except zlib.error as error:
            raise Refused(400, "encoding", "the body is not packed as its Content-Encoding says") from error
        left -= len(parts[-1])
        if left < 0:
            raise Refused(_TOO_LARGE, "too_large", f"the body unpacks to more than {largest} bytes: send smaller batches")
        if not stream.eof:
            raise Refused(400, "encoding", "the packed body is cut off")
        rest = stream.unused_data
    return parts[0] if len(parts) == 1 else b"".join(parts)
