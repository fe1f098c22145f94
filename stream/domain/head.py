"""What every row begins with: a format byte and its position (8 bytes, big endian), by which rows of a key compare undecoded."""

from typing import Final

FORMAT: Final = b"\x01"
"""The first byte of every row and of every own record; a release reads its predecessor's."""
LENGTH: Final = len(FORMAT) + 8
"""Where a row's body begins."""
EPOCH_BITS: Final = 48
"""A position is `epoch << 48 | offset`: what a recreated topic holds is newer than all that was read before."""
OFFSETS: Final = (1 << EPOCH_BITS) - 1


def head_at(position: int) -> bytes:
    r"""Return the head of a row.

    >>> head_at(7)
    b'\x01\x00\x00\x00\x00\x00\x00\x00\x07'
    """
    return FORMAT + position.to_bytes(8, "big")


def order_of(row: bytes) -> bytes:
    """Return the position of a row as it is stored, which compares as the number does; empty of no row.

    >>> order_of(head_at(7) + b"body") < order_of(head_at(1 << EPOCH_BITS))
    True
    """
    return row[1:LENGTH]


def position_of(row: bytes) -> int:
    """Return the position of a row.

    >>> position_of(head_at(7) + b"body")
    7
    """
    return int.from_bytes(row[1:LENGTH], "big")


def body_of(row: bytes) -> bytes:
    """Return a row without its head.

    >>> body_of(head_at(7) + b"body")
    b'body'
    """
    return row[LENGTH:]
