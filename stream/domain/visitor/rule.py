"""`apply` is the rule: row + event + ruleset -> row + snapshot. It changes the row in place; it reads no clock."""

# ruff: noqa: PLR1730 - a comparison costs a third of max(), and this is done for every event

from collections.abc import Iterable

import msgspec

from stream.domain.event import Event, Link
from stream.domain.ids import is_device
from stream.domain.log import Said, Snapshot
from stream.domain.packed import holds
from stream.domain.ruleset.model import Ruleset
from stream.domain.state import NEVER, State
from stream.domain.visitor.earning import gather
from stream.domain.visitor.row import Visitor, anew, is_forgotten

REMEMBERED = 256
"""How many messageIds a row knows, newest last, six bytes each."""
ID_BYTES = 6
RECENT_BYTES = REMEMBERED * ID_BYTES
LINKS = 64
"""How many of the identities that a visitor's events named are remembered, the newest."""
REPLAYS = 1024
"""How many dead letters of a partition a row remembers to have taken back; a replay repeats far fewer."""


class Outcome(msgspec.Struct, gc=False):
    """What became of one event: `verdict` applied or duplicate; `late` when older than the newest seen."""

    row: Visitor
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
    """Apply one event to its row. An echo is nobody's event: whoever calls leaves it out.

    `forwarded` is the (partition, offset) it was found at, `replayed` the (topic, partition, offset) of its dead letter:
    each is taken once, like a messageId.
    """
    if row is None:
        row = Visitor()
    elif event.r - row.state.as_of > rules.idle_horizon_ms and not row.listened:
        row = anew(row)
    recent, message = row.recent, event.message
    if recent.find(message) >= 0 and holds(recent, message):  # `in` costs twice as much: it tries it as a number first
        return Outcome(row, "duplicate")
    if forwarded is not None or replayed is not None:
        if _came_before(row, forwarded, replayed):
            return Outcome(row, "duplicate")
        _remember_way(row, forwarded, replayed)
    row.recent = (recent + message)[-RECENT_BYTES:]
    row.position = position
    state = row.state
    late = _seen(state, event)
    if not event.bot:
        if event.node_kind:
            row.kind = event.node_kind
        gather(row, event, rules.match(event), rules)
        if not row.listened and (event.links or not is_device(event.node, rules.typed_email)):
            row.listened = True
        if event.links:
            _remember_links(row, event.links)
    return Outcome(row, "applied", _snapshot(row, event) if row.listened else None, late)


def wake(row: Visitor | None, node: str, r: int, rules: Ruleset) -> tuple[Visitor, Snapshot]:
    """Let a row hand on snapshots from now on; returns its first, with all it did before and what is not forgotten."""
    row = row or Visitor()
    if is_forgotten(row, r, rules):
        row = anew(row)
    row.listened = True
    row.state.as_of = max(row.state.as_of, r)
    return row, Snapshot(
        node, row.position, row.state.as_of, row.state.last_seen, row.state, wake=True, erased=row.erased_at
    )  # fmt: skip


def say_again(row: Visitor, node: str, buried: int = 0) -> Snapshot:
    """Return all that a row did, and whom it named, for people that were lost."""
    links = [Link(other, kind) for other, kind in (row.links or {}).items()]
    state = row.state
    return Snapshot(
        node, row.position, state.as_of, state.last_seen, state, links, row.kind, wake=True, erased=row.erased_at, buried=buried
    )  # fmt: skip


def remember(row: Visitor, told: Said) -> bool:
    """Remember an operator's word, for people that get lost; tell whether it was news."""
    place, _, unshared = row.said or (0, [], NEVER)
    if told.place <= max(place, row.erased_at):
        return False
    row.said, row.listened = (told.place, told.apart, max(told.unshared, unshared)), True
    if told.linked:
        _remember_links(row, [Link(told.linked)])
    return True


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


def _remember_links(row: Visitor, links: Iterable[Link]) -> None:
    known = row.links = row.links or {}
    for link in links:
        kind = known.pop(link.node, "")
        known[link.node] = link.kind or kind
    for node in list(known)[:-LINKS]:
        del known[node]


def _seen(state: State, event: Event) -> bool:
    """Remember when a visitor was seen; tell whether that was late."""
    t, r, last = event.t, event.r, state.last_seen
    state.events += 1
    if r > state.as_of:
        state.as_of = r
    if t < state.first_seen or state.first_seen == NEVER:
        state.first_seen = t
    if t > last:
        state.last_seen = t
    if t >= state.bot_t:
        state.bot, state.bot_t = event.bot, t
    return t < last


def _snapshot(row: Visitor, event: Event) -> Snapshot:
    return Snapshot(
        event.node, row.position, row.state.as_of, event.t, row.state, list(event.links), event.node_kind,
        None if event.bot else event.crm_stage, judged=not event.bot, erased=0 if row.erased is None else row.erased[0],
    )  # fmt: skip
