"""Hashes of one length, packed one behind the other: what a row remembers of many ids."""


def holds(packed: bytes, one: bytes) -> bool:
    """Tell whether one of the hashes is `one`, not only bytes that lie across two of them.

    >>> holds(b"abcd" b"efgh", b"efgh"), holds(b"abcd" b"efgh", b"cdef")
    (True, False)
    """
    at = packed.find(one)
    while at >= 0:
        if at % len(one) == 0:
            return True
        at = packed.find(one, at + 1)
    return False


def split(packed: bytes, size: int) -> list[bytes]:
    """Return the hashes, of `size` bytes each.

    >>> split(b"abcd" b"efgh", 4)
    [b'abcd', b'efgh']
    """
    return [packed[at : at + size] for at in range(0, len(packed), size)]
