"""MaxMind databases of a few records, written byte by byte: also with what no honest writer would put there."""

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any


class Text(bytes):
    """A text as its bytes shall stand in the file, UTF-8 or not."""


class Short(int):
    """A number of 16 bits; plain ones have 32."""


class Wide(int):
    """A number of 64 bits."""


def database(records: Mapping[str, object], database_type: object = "GeoIP2-ISP", build_epoch: int = 1_764_000_000) -> bytes:
    """Return a database (IPv6 tree, records of 24 bits) of networks that do not overlap, with what is told of each."""
    data, nodes = b"", [[-1, -1]]  # -1: nothing; -2 - offset: data
    for network, record in records.items():
        node, *bits = 0, *_bits(network)
        for bit in bits[:-1]:
            if nodes[node][bit] < 0:
                nodes[node][bit] = len(nodes)
                nodes.append([-1, -1])
            node = nodes[node][bit]
        nodes[node][bits[-1]] = -2 - len(data)
        data += _encoded(record)
    count = len(nodes)
    tree = b"".join(
        (side if side >= 0 else count if side == -1 else count + 16 - 2 - side).to_bytes(3) for node in nodes for side in node
    )
    metadata = {
        "binary_format_major_version": Short(2), "binary_format_minor_version": Short(0), "build_epoch": Wide(build_epoch),
        "database_type": database_type, "description": {"en": "made"}, "ip_version": Short(6), "languages": ["en"],
        "node_count": count, "record_size": Short(24),
    }  # fmt: skip
    return tree + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + _encoded(metadata)


def _bits(network: str) -> list[int]:
    there = ip_network(network)
    size, skipped = there.max_prefixlen, 128 - there.max_prefixlen
    address = int(there.network_address)
    return [0] * skipped + [address >> size - 1 - at & 1 for at in range(there.prefixlen)]


def _encoded(value: Any) -> bytes:
    size = None
    match value:
        case str():
            kind, content = 2, value.encode()
        case Text():
            kind, content = 2, value
        case bool():
            kind, content, size = 14, b"", int(value)
        case Short():
            kind, content = 5, value.to_bytes(2)
        case Wide():
            kind, content = 9, value.to_bytes(8)
        case int():
            kind, content = 6, value.to_bytes(4)
        case dict():
            kind, size = 7, len(value)
            content = b"".join(_encoded(key) + _encoded(member) for key, member in value.items())
        case _:
            kind, content, size = 11, b"".join(map(_encoded, value)), len(value)
    return _control(kind, len(content) if size is None else size) + content


def _control(kind: int, size: int) -> bytes:
    """Return the control byte of a type and size, with the bytes behind it."""
    short, more = (
        (size, b"") if size < 29
        else (29, (size - 29).to_bytes(1)) if size < 285
        else (30, (size - 285).to_bytes(2)) if size < 65_821
        else (31, (size - 65_821).to_bytes(3))
    )  # fmt: skip
    return (bytes([kind << 5 | short]) if kind < 8 else bytes([short, kind - 7])) + more
