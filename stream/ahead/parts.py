"""What travels between the processes of a simulation: lines in log order, rows that move, what was found at the end."""

from typing import Any

import msgspec


class Part(msgspec.Struct, array_like=True):
    """Some lines for one keeper, with their numbers; the `last` one is empty.

    Where a line may not tell when it was received, `before` has when the line before it was (ms), by index. Before the line at an
    index the row of a node `moves` to the one who decides, who is sent all rows of a part in one list.
    """

    numbers: list[int] = []
    lines: list[bytes] = []
    before: dict[int, int] = {}
    moves: list[tuple[int, str]] = []
    last: bool = False

    def add(self, number: int, line: bytes) -> None:
        """Add a line that tells itself when it was received."""
        self.numbers.append(number)
        self.lines.append(line)

    def move(self, node: str) -> None:
        """Let the row of a node move before the line that is added next."""
        self.moves.append((len(self.lines), node))


class Found(msgspec.Struct, array_like=True):
    """What a keeper found in its lines: the largest receive time (ms), and dead letters."""

    clock: int
    rejected: list[dict[str, Any]]


Document = tuple[str, bytes]
"""A visitor's id and its document as JSON."""

encode = msgspec.msgpack.Encoder().encode
part = msgspec.msgpack.Decoder(Part).decode
rows = msgspec.msgpack.Decoder(list[bytes]).decode
found = msgspec.msgpack.Decoder(Found).decode
documents = msgspec.msgpack.Decoder(list[Document]).decode
