"""One flag of a visitor's row never goes back: that somebody listens. It is taken from any row of the key."""

from stream.domain.graves import GRAVE
from stream.domain.head import LENGTH

FLAGS = LENGTH
"""Where the flags byte stands in a row: behind its head."""


def keep_flags(key: bytes, counts: bytes, other: bytes) -> bytes:
    r"""Return the row that counts with the flags of both: a woken zombie may have written without knowing of a wake.

    >>> keep_flags(b"k", bytes(9) + b"\x00new", bytes(9) + b"\x01old")[9:]
    b'\x01new'
    """
    if key.startswith(b"\x00") and not key.startswith(GRAVE):  # no visitor
        return counts
    flags = counts[FLAGS] | other[FLAGS]
    if flags == counts[FLAGS]:
        return counts
    return counts[:FLAGS] + bytes((flags,)) + counts[FLAGS + 1 :]
