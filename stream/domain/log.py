"""The records of the `people` and `wakes` topics. The first byte is the format; a release reads its predecessor's."""

import msgspec

from stream.domain.event import Link
from stream.domain.freshness import ALWAYS
from stream.domain.head import FORMAT
from stream.domain.person import Cut
from stream.domain.state import NEVER, State


class Unreadable(Exception):  # noqa: N818 - the word for it
    """An own record or row that this release cannot read: a bug, or a newer release wrote it."""


class Snapshot(msgspec.Struct, array_like=True, tag="snapshot"):
    """The whole sums of one source identity after its record at `version`, with what that record says about people.

    `r` is the greatest receive time its row has applied, `t` the record's event time. `judged` is False for a bot's record.
    `erased` is the place of the newest erasure that its row has applied (0: none).
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
    erased: int = 0
    buried: int | None = None
    """Of one that is said again: the place of the newest erasure its partition has applied; whom it names may be erased since."""


class Disowned(msgspec.Struct, array_like=True, tag="disowned"):
    """The row of a device forgot at `version` what was told on it while its events named somebody who is erased."""

    node: str
    version: int
    r: int


class Tick(msgspec.Struct, array_like=True, tag="tick"):
    """Everything that partition `partition` of `events` received until `until` (ms) has been handed on.

    To `members` it may have been handed on until `members` only (None: `until`). In `members` itself the partition is 0.
    """

    partition: int
    until: int
    members: int | None = None


class Wake(msgspec.Struct, array_like=True, tag="wake"):
    """Somebody listens to `node` from now on; `r` is the receive time of the record that named it, `place` its offset + 1."""

    node: str
    r: int
    place: int = 0


class Deployment(msgspec.Struct, array_like=True, tag="deploy"):
    """A ruleset's text that comes into force here, in `people`; `again` passes it on though it already is."""

    text: bytes
    again: bool = False


class NewRuleset(msgspec.Struct, array_like=True, tag="ruleset"):
    """A ruleset that comes into force here, in a partition of `events`; `place` is its deployment's offset in `people` + 1."""

    place: int
    text: bytes


class TellAgain(msgspec.Struct, array_like=True, tag="tell again"):
    """Accounts were lost: from the next tick on every lead is told to its account anew."""


class Settling(msgspec.Struct, array_like=True, tag="settling"):
    """From here on a resync `run` brings sums back: nobody moves down until every partition of `events` has told its end.

    One that is not `anew` follows no loss: it takes the place of a run whose sums are still waited for, and else says nothing.
    """

    run: str
    anew: bool = True


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


class Linking(msgspec.Struct, array_like=True, tag="link"):
    """An operator's word: two identities are one person's. `word` names it."""

    word: str
    one: str
    other: str
    reason: str = ""


class Unlinking(msgspec.Struct, array_like=True, tag="unlink"):
    """An operator's word: `other` is not the person of `one`. `word` names it, `reason` is the operator's and stays here."""

    word: str
    one: str
    other: str
    reason: str = ""


class Member(msgspec.Struct, array_like=True, gc=False):
    """What a lead or a visitor brings to an account, as a function of time: its score, whole, and what it proves.

    `id` is a lead id, the node of a visitor that nobody listens to, or `~node` of one that somebody does but who is nobody's.
    `interest` and `timing` are decaying curves from `base` (ms), `fit` a constant; interest is never below `floor`, and loses
    for every full `idle_ms` since `active`. `evidence` names what led here, the best first, `told` the company as it says.
    Role and department count before `role_until` and `department_until`. `told_at` is when each evidence was told last (ms),
    `sure` how sure each was then (0..1).
    """

    id: str
    version: int
    left: bool = False
    final: bool = False
    lead: bool = False
    base: int = 0
    interest: dict[float, float] = {}
    timing: dict[float, float] = {}
    fit: float = 0.0
    floor: float = 0.0
    active: int = NEVER
    idle_ms: int = 0
    idle_points: float = 0.0
    evidence: list[tuple[str, str]] = []
    told: tuple[str, str | None, str, float] | None = None
    role: str = ""
    department: str = ""
    role_until: int = ALWAYS
    department_until: int = ALWAYS
    told_at: list[int] = []
    sure: list[float] = []


BY_ITSELF = "decay"
"""The code of members that change by time alone: who falls by it was moved by no event."""
BY_ERASURE = "erase"


class Members(msgspec.Struct, array_like=True, tag="members"):
    """All that one record changes in one account; `r` is its receive time, `code` why it moves a stage ("": it says itself)."""

    account: str
    r: int
    changed: list[Member]
    code: str = ""


class Erasing(msgspec.Struct, array_like=True, tag="erase"):
    """An operator's word: whoever `id` is, a lead id or an identity, is erased. `salt` is the table's, if it has none yet."""

    word: str
    id: str
    salt: bytes


class Erase(msgspec.Struct, array_like=True, tag="erasure"):
    """What identities did before `r` is gone, in a partition of `events`; `place` is the word's offset in `people` + 1."""

    place: int
    r: int
    salt: bytes
    nodes: list[str]


class Buried(msgspec.Struct, array_like=True, tag="buried"):
    """A partition of `events` has applied the erasure of a place; `found` of its visitors are gone."""

    place: int
    partition: int
    found: int


class Remembered(msgspec.Struct, array_like=True, tag="grave"):
    """A grave of a partition of `events`, under its `key`, for people that were lost: its erasure's place and instant (ms)."""

    salt: bytes
    key: bytes
    place: int
    r: int


class Sweep(msgspec.Struct, array_like=True, tag="sweep"):
    """Nothing but a reason to write: only what is written behind an erased row lets Kafka compact it away."""

    place: int


class Canary(msgspec.Struct, array_like=True, tag="canary"):
    """An event that nobody's row took was here; it is passed on as it is."""

    node: str


class Told(msgspec.Struct, array_like=True, tag="told"):
    """The newest move of a stage that the CRM made under an identity, of people that were lost; as `outcomes.Moved`."""

    node: str
    stage: str
    t: int
    r: int


class Refused(msgspec.Struct, array_like=True, tag="refused"):
    """A link that was refused among people that were lost: the key and the other id, and the leads concerned in that order."""

    key: str
    other: str
    leads: list[str]
    code: str


class Said(msgspec.Struct, array_like=True, tag="said"):
    """What the newest word of an operator left of an identity, for its row to remember in case people are lost.

    `place` is the word's offset in `people` + 1, `apart` what keeps it from others by now, `unshared` up to when (ms) it is no
    more shared for what was refused before. `linked` is whom the word linked it to.
    """

    node: str
    place: int
    apart: list[Cut]
    unshared: int = NEVER
    linked: str = ""


class GoOn(msgspec.Struct, array_like=True, tag="go on"):
    """More of what names accounts grew too old than one record takes: the next follows here."""


Record = (
    Snapshot
    | Tick
    | Wake
    | Deployment
    | NewRuleset
    | Settling
    | Restored
    | Settled
    | Resync
    | Linking
    | Unlinking
    | Members
    | Erasing
    | Erase
    | Buried
    | Sweep
    | Remembered
    | Canary
    | Told
    | Refused
    | GoOn
    | Said
    | TellAgain
    | Disowned
)

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
        return _decoder.decode(data[1:])  # most are small: a copy costs a third of a view
    except msgspec.MsgspecError as error:
        raise Unreadable(f"record cannot be read: {error}") from error
