"""A visitor's row: what one source identity did, in decayed sums, and how far its partition was read.

`apply` is the rule: row + event + ruleset -> row + snapshot. It changes the row in place; it reads no clock.
"""

# ruff: noqa: PLR1730 - a comparison costs a third of max(), and this is done for every event

from bisect import insort
from collections.abc import Collection

import msgspec

from stream.domain import decay, outcomes, traits
from stream.domain.event import Company, Event, Link
from stream.domain.ids import is_device
from stream.domain.log import FORMAT, Snapshot, Unreadable
from stream.domain.ruleset.model import Behaviour, Match, Ruleset
from stream.domain.state import NEVER, State

REMEMBERED = 256
"""How many messageIds a row knows, newest last, six bytes each."""
ID_BYTES = 6
TIMES = 16
"""How many times of a behaviour that a sequence names are remembered."""
DAYS = 400
"""How many days of a capped behaviour are remembered, the newest; what happens on an older one gives its full points."""
LINKS = 64
"""How many of the identities that a visitor's events named are remembered, the newest."""
REPLAYS = 1024
"""How many dead letters of a partition a row remembers to have taken back; a replay repeats far fewer."""


class Row(msgspec.Struct, array_like=True, gc=False):
    """The row's own book-keeping beside the state it hands on."""

    state: State = msgspec.field(default_factory=State)
    listened: bool = False
    recent: bytes = b""
    caps: dict[str, dict[int, float]] = {}
    forwarded: dict[int, int] = {}
    replayed: dict[str, list[int]] = {}


class Visitor(Row):
    """A row with its position: `(epoch << 48) | (offset + 1)` of the last applied record, 0 for none."""

    position: int = 0
    links: dict[str, str] | None = None
    """The last `LINKS` identities that its events named, with their kinds: a resync tells them again."""
    erased: tuple[int, int] | None = None
    """The newest erasure it applied: the place of its word in `people`, and its instant (ms); what happened before is gone."""

    @property
    def erased_at(self) -> int:
        """The place of the newest erasure it applied, 0 for none."""
        return 0 if self.erased is None else self.erased[0]


class Outcome(msgspec.Struct, gc=False):
    """What became of one record: `verdict` applied, duplicate or echo; `late` when older than the newest seen."""

    row: Visitor | None
    verdict: str
    snapshot: Snapshot | None = None
    late: bool = False


def apply(
    row: Visitor | None,
    event: Event,
    position: int,
    rules: Ruleset,
    forwarded: tuple[int, int] | None = None,
    replayed: tuple[str, int, int] | None = None,
) -> Outcome:
    """Apply one event to its row.

    `forwarded` is the (partition, offset) it was found at, `replayed` the (topic, partition, offset) of its dead letter:
    each is taken once, like a messageId.
    """
    if event.echo:
        return Outcome(row, "echo")
    if row is None:
        row = Visitor()
    elif event.r - row.state.as_of > rules.idle_horizon_ms and not row.listened:
        row = _anew(row)
    message = event.message
    if message in row.recent and _holds(row.recent, message):
        return Outcome(row, "duplicate")
    if forwarded is not None or replayed is not None:
        if _came_before(row, forwarded, replayed):
            return Outcome(row, "duplicate")
        _remember_way(row, forwarded, replayed)
    row.recent = (row.recent + message)[-REMEMBERED * ID_BYTES :]
    row.position = position
    state = row.state
    late = event.t < state.last_seen
    _seen(state, event)
    if not event.bot:
        _gather(row, event, event.match or rules.match(event), rules)
        if not row.listened and (event.links or not is_device(event.node, rules.typed_email)):
            row.listened = True
        if event.links:
            _remember_links(row, event)
    return Outcome(row, "applied", _snapshot(row, event) if row.listened else None, late)


def wake(row: Visitor | None, node: str, r: int, rules: Ruleset) -> tuple[Visitor, Snapshot]:
    """Let a row hand on snapshots from now on; returns its first, with all it did before and what is not forgotten."""
    row = row or Visitor()
    if is_forgotten(row, r, rules):
        row = _anew(row)
    row.listened = True
    row.state.as_of = max(row.state.as_of, r)
    return row, Snapshot(
        node, row.position, row.state.as_of, row.state.last_seen, row.state, wake=True, erased=row.erased_at
    )  # fmt: skip


def say_again(row: Visitor, node: str) -> Snapshot:
    """Return all that a row did, and whom it named, for people that were lost."""
    links = [Link(other, kind) for other, kind in (row.links or {}).items()]
    state = row.state
    return Snapshot(node, row.position, state.as_of, state.last_seen, state, links, wake=True, erased=row.erased_at)


def is_forgotten(row: Visitor, at: int, rules: Ruleset) -> bool:
    """Tell whether at an instant a row lies behind the idle horizon: whatever comes then begins anew."""
    return not row.listened and at - row.state.as_of > rules.idle_horizon_ms


def _anew(row: Visitor) -> Visitor:
    """Return the row of a new life: how far its partition was read, and what was taken by other ways, is no memory of ours."""
    return Visitor(forwarded=row.forwarded, replayed=row.replayed, position=row.position, erased=row.erased)


def bury(row: Visitor | None, place: int, r: int, position: int) -> Visitor:
    """Return the grave of a row: what keeps a repeat one, whether somebody listens, and from when on it may live again."""
    row = row or Visitor()
    return Visitor(
        State(as_of=r), listened=row.listened, recent=row.recent, forwarded=row.forwarded, replayed=row.replayed,
        position=position, erased=(place, r),
    )  # fmt: skip


def rise(grave: Visitor) -> Visitor:
    """Return the row of a new life out of a grave, which stays as it is."""
    replayed = {topic: list(taken) for topic, taken in grave.replayed.items()}
    return Visitor(
        State(as_of=grave.state.as_of), listened=grave.listened, recent=grave.recent, forwarded=dict(grave.forwarded),
        replayed=replayed, position=grave.position, erased=grave.erased,
    )  # fmt: skip


def is_erased(row: Visitor, t: int) -> bool:
    """Tell whether an event of `t` (ms) is from before the row's erasure."""
    return row.erased is not None and t < row.erased[1]


def disown(node: str, row: Visitor, others: Collection[str], position: int) -> bool:
    """Let the row of `node` forget that its events named others, at the position of their erasure; tell whether they had.

    What was told on a device while it named them goes, too: it may be about them.
    """
    named = [other for other in row.links or () if other in others]
    for other in named:
        del (row.links or {})[other]
    if named:
        row.position = position
        if is_device(node):
            row.state.traits = {}
    return bool(named)


def _holds(recent: bytes, message: bytes) -> bool:
    """Tell whether one of the packed hashes is `message`, not only bytes that lie across two of them."""
    at = recent.find(message)
    while at >= 0:
        if at % ID_BYTES == 0:
            return True
        at = recent.find(message, at + 1)
    return False


def _came_before(row: Visitor, forwarded: tuple[int, int] | None, replayed: tuple[str, int, int] | None) -> bool:
    if forwarded is not None and forwarded[1] <= row.forwarded.get(forwarded[0], -1):
        return True
    return replayed is not None and replayed[2] in row.replayed.get(f"{replayed[0]}:{replayed[1]}", ())


def _remember_way(row: Visitor, forwarded: tuple[int, int] | None, replayed: tuple[str, int, int] | None) -> None:
    if forwarded is not None:
        row.forwarded[forwarded[0]] = forwarded[1]
    if replayed is not None:
        taken = row.replayed.setdefault(f"{replayed[0]}:{replayed[1]}", [])
        taken.append(replayed[2])
        del taken[:-REPLAYS]


def _remember_links(row: Visitor, event: Event) -> None:
    known = row.links = row.links or {}
    for link in event.links:
        kind = known.pop(link.node, "")
        known[link.node] = link.kind or kind
    for node in list(known)[:-LINKS]:
        del known[node]


def _seen(state: State, event: Event) -> None:
    t, r = event.t, event.r
    state.events += 1
    if r > state.as_of:
        state.as_of = r
    if t < state.first_seen or state.first_seen == NEVER:
        state.first_seen = t
    if t > state.last_seen:
        state.last_seen = t
    if t >= state.bot_t:
        state.bot, state.bot_t = event.bot, t


def _gather(row: Visitor, event: Event, match: Match, rules: Ruleset) -> None:
    """Add what a person's event brings: weights, points, traits, company."""
    state, t = row.state, event.t
    if event.crm_stage is None and t > state.active:
        state.active = t
    if event.company is not None:
        _place(state, event.company, t, rules)
    if event.traits:
        traits.merge(state.traits, event.traits, t, {"email": event.trait_email_kind, "phone": event.trait_phone_kind})
    if event.group is not None or event.event in outcomes.NAMES:
        _hear(state, event)
    behaviour = match.behaviour
    if behaviour is None:
        return
    if state.landmark == 0:
        state.landmark = t
    elif t - state.landmark > decay.FAR * rules.shortest_half_life_ms:
        for sums in (state.tags, state.points, state.timing):
            decay.rebase(sums, state.landmark, t)
        state.landmark = t
    _score(row, event, behaviour, rules)
    if match.tags:
        _weigh(state, event, match, behaviour, rules)


def _hear(state: State, event: Event) -> None:
    """Remember a group that was named, or what a CRM told."""
    if event.group is not None:
        traits.merge_group(state, event.group.id, event.group.traits, event.t)
    if event.type == "track" and event.event in outcomes.NAMES:
        state.outcomes = outcomes.tell(state.outcomes, event)


def _place(state: State, company: Company, t: int, rules: Ruleset) -> None:
    if t >= state.company_t:
        state.company, state.company_t = company, t
    if t >= state.account_t and rules.accounts.may_name(company.kind, company.confidence):
        state.account, state.account_t = company, t


def _score(row: Visitor, event: Event, behaviour: Behaviour, rules: Ruleset) -> None:
    state, t, name = row.state, event.t, behaviour.name
    if behaviour.points:
        points = behaviour.points if behaviour.cap is None else _capped(row, behaviour, t, rules)
        decay.add(state.points, name, behaviour.half_life_ms, points, t, state.landmark)
        state.counts[name] = state.counts.get(name, 0) + 1
    if behaviour.journey is not None:
        if t >= state.journey_t:
            state.journey, state.journey_t = behaviour.journey, t
        points = rules.timing.get(behaviour.journey, 0.0)
        if points:
            decay.add(state.timing, behaviour.journey, rules.half_life_ms, points, t, state.landmark)
            key = f"timing.{behaviour.journey}"
            state.counts[key] = state.counts.get(key, 0) + 1
    if name in rules.sequenced:
        times = state.times.setdefault(name, [])
        insort(times, t)
        del times[:-TIMES]


def _capped(row: Visitor, behaviour: Behaviour, t: int, rules: Ruleset) -> float:
    """Return what is left of the day's cap for this event. A cap holds per sign."""
    cap, points = behaviour.cap or 0.0, behaviour.points
    name = behaviour.name if points > 0 else f"-{behaviour.name}"
    days = row.caps.get(name)
    if days is None:
        days = row.caps[name] = {}
    day = rules.day_of(t)
    used = days.get(day, 0.0)
    left = cap - used if cap > used else 0.0
    given = min(abs(points), left)
    days[day] = used + given
    if len(days) > DAYS:
        del days[min(days)]
    return given if points > 0 else -given


def _weigh(state: State, event: Event, match: Match, behaviour: Behaviour, rules: Ruleset) -> None:
    dwell = rules.dwell.factor(event.properties) if rules.dwell is not None else 1.0
    weight, t = match.where * behaviour.weight * dwell, event.t
    if not weight:
        return
    fresh = False
    for tag in match.tags:
        fresh = decay.add(state.tags, tag.name, tag.half_life_ms, weight, t, state.landmark) or fresh
    if fresh and sum([len(part) for part in state.tags.values()]) > rules.max_tags:
        _evict(state, rules)


def _evict(state: State, rules: Ruleset) -> None:
    """Let the smallest weights at asOf leave; among equals the last in file order, then by code point."""
    weights = decay.worth(state.tags, state.landmark, state.as_of)
    outside = len(rules.tag_order)
    while len(weights) > rules.max_tags:
        least = min(weights.values()) + 1e-9
        leaving = max((n for n, w in weights.items() if w <= least), key=lambda n: (rules.tag_order.get(n, outside), n))
        del weights[leaving]
        for part in state.tags.values():
            part.pop(leaving, None)


def _snapshot(row: Visitor, event: Event) -> Snapshot:
    return Snapshot(
        event.node, row.position, row.state.as_of, event.t, row.state, list(event.links), event.node_kind,
        None if event.bot else event.crm_stage, judged=not event.bot, erased=0 if row.erased is None else row.erased[0],
    )  # fmt: skip


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Visitor)


def encode(row: Visitor) -> bytes:
    """Return the row's bytes: format, position (8 bytes, big endian), flags, msgpack.

    Rows of a key compare by position without decoding; the flags byte (1: listened) is or-ed over all of them, because a
    wake has no position of its own.
    """
    position, row.position = row.position, 0
    body = _encoder.encode(row)
    row.position = position
    return FORMAT + position.to_bytes(8, "big") + (b"\x01" if row.listened else b"\x00") + body


class _Clock(msgspec.Struct, array_like=True, gc=False):
    as_of: int


class _Head(msgspec.Struct, array_like=True, gc=False):
    state: _Clock


_head = msgspec.msgpack.Decoder(_Head)


def seems_forgotten(data: bytes, at: int, rules: Ruleset) -> bool:
    """Tell `is_forgotten` of a row as it is stored, for a tenth of the price of reading it whole."""
    return data[9] == 0 and at - _head.decode(memoryview(data)[10:]).state.as_of > rules.idle_horizon_ms


def decode(data: bytes) -> Visitor:
    """Return the row in `data`; raises `Unreadable`."""
    if data[:1] != FORMAT:
        raise Unreadable(f"row of format {data[:1].hex() or 'none'}: this release reads format {FORMAT.hex()}")
    try:
        row = _decoder.decode(memoryview(data)[10:])
    except msgspec.MsgspecError as error:
        raise Unreadable(f"row cannot be read: {error}") from error
    row.position = int.from_bytes(data[1:9], "big")
    row.listened = data[9] == 1
    return row
