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


class Deployment(msgspec.Struct, array_like=True, tag="deploy"):
    """A ruleset's text that comes into force here, in `people`; `again` passes it on though it already is."""

    text: bytes
    again: bool = False


class NewRuleset(msgspec.Struct, array_like=True, tag="ruleset"):
    """A ruleset that comes into force here, in a partition of `events`; `place` is its deployment's offset in `people` + 1."""

    place: int
    text: bytes


class Settling(msgspec.Struct, array_like=True, tag="settling"):
    """From here on a resync `run` brings sums back: nobody moves down until every partition of `events` has told its end."""

    run: str


class Restored(msgspec.Struct, array_like=True, tag="restored"):
    """A lead as the CRM knows it, of people that were lost; it stands there again and its facts are numbered on.

    `previous` are the ids merged into it with the newest number of each. One without a stage keeps its number only.
    """

    lead: str
    sequence: int
    members: list[str] = []
    previous: dict[str, int] = {}
    stage: str = ""
    entered_at: int = 0
    as_of: int = 0


class Settled(msgspec.Struct, array_like=True, tag="settled"):
    """Every linked visitor of a partition of `events` has sent its sums in a resync `run`."""

    run: str
    partition: int


class Resync(msgspec.Struct, array_like=True, tag="resync"):
    """Every linked visitor of slice `part` of `parts` of a partition of `events` sends its sums again."""

    run: str
    part: int
    parts: int


Record = Snapshot | Tick | Wake | Deployment | NewRuleset | Settling | Restored | Settled | Resync

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Record] = msgspec.msgpack.Decoder(Record)


def encode(record: Record) -> bytes:
    """Return the bytes of a record."""
    return FORMAT + _encoder.encode(record)


def is_deployment(data: bytes) -> bool:
    """Tell a deployment from other records of `people` without reading it.

    >>> is_deployment(encode(Deployment(b"..."))), is_deployment(encode(Tick(0, 7)))
    (True, False)
    """
    return data[2:9] == b"\xa6deploy"


def takes_long(data: bytes) -> bool:
    """Tell a record that sets the timers of all leads anew.

    >>> takes_long(encode(Settled("a", 0))), takes_long(encode(Deployment(b"..."))), takes_long(encode(Tick(0, 7)))
    (True, True, False)
    """
    return is_deployment(data) or data[2:10] == b"\xa7settled"


def decode(data: bytes) -> Record:
    """Return the record in `data`; raises `Unreadable`."""
    if data[:1] != FORMAT:
        raise Unreadable(f"record of format {data[:1].hex() or 'none'}: this release reads format {FORMAT.hex()}")
    try:
        return _decoder.decode(memoryview(data)[1:])
    except msgspec.MsgspecError as error:
        raise Unreadable(f"record cannot be read: {error}") from error
