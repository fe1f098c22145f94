"""The records of the `people` and `wakes` topics. The first byte is the format; a release reads its predecessor's."""

import msgspec

from stream.domain.event import Link
from stream.domain.state import State

FORMAT = b"\x01"


class Unreadable(Exception):  # noqa: N818 - the word for it
    """An own record or row that this release cannot read: a bug, or a newer release wrote it."""


class Snapshot(msgspec.Struct, array_like=True, tag="snapshot"):
    """The whole sums of one source identity after its record at `version`, with what that record says about people.

    `r` is the greatest receive time its row has applied, `t` the record's event time. `judged` is False for a bot's record.
    """

    node: str
    version: int
    r: int
    t: int
    state: State
    links: list[Link] = []
    kind: str = ""
    crm_stage: str | None = None
    wake: bool = False
    judged: bool = True


class Tick(msgspec.Struct, array_like=True, tag="tick"):
    """Everything that partition `partition` of `events` received until `until` (ms) has been handed on."""

    partition: int
    until: int


class Wake(msgspec.Struct, array_like=True, tag="wake"):
    """Somebody listens to `node` from now on; `r` is the receive time of the record that named it."""

    node: str
    r: int


Record = Snapshot | Tick | Wake

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Record] = msgspec.msgpack.Decoder(Record)


def encode(record: Record) -> bytes:
    """Return the bytes of a record."""
    return FORMAT + _encoder.encode(record)


def decode(data: bytes) -> Record:
    """Return the record in `data`; raises `Unreadable`."""
    if data[:1] != FORMAT:
        raise Unreadable(f"record of format {data[:1].hex() or 'none'}: this release reads format {FORMAT.hex()}")
    try:
        return _decoder.decode(memoryview(data)[1:])
    except msgspec.MsgspecError as error:
        raise Unreadable(f"record cannot be read: {error}") from error
