"""What an identity was told to be: leaf by leaf the newest event time wins, and no row grows without bound.

A row must fit a Kafka record whatever a producer sends, so leaves over `LEAF` characters are not kept, and beyond `LEAVES`
leaves, `GROUPS` groups or `TOTAL` characters the oldest leave.
"""

from collections.abc import Mapping
from typing import Any

from stream.domain.state import NEVER, GroupCall, State, Trait

LEAF = 8_192
LEAVES = 256
GROUPS = 16
TOTAL = 32_768


def merge(known: dict[str, Trait], told: Mapping[str, Any], t: int, kinds: Mapping[str, str | None]) -> None:
    """Merge leaves told at `t` (ms): the newest event time wins, the later applied among equals; null deletes.

    `kinds` holds what word lists say of `email` and `phone`.
    """
    for path, value in told.items():
        old = known.get(path)
        if (old is None or t >= old.t) and size(path, value) <= LEAF:
            known[path] = Trait(value, t, kinds.get(path))
    trim(known)


def merge_group(state: State, id_: str, told: Mapping[str, Any], t: int) -> None:
    """Remember that an event of `t` named a group, with its traits; of those named at one ms the last applied stands last."""
    call = state.groups.get(id_) or GroupCall(NEVER, {})
    if t >= call.t:
        state.groups.pop(id_, None)
        call.t = t
    merge(call.traits, told, t, {})
    state.groups[id_] = call
    while len(state.groups) > GROUPS or _characters(state.groups.values()) > TOTAL:
        oldest = min(state.groups, key=lambda group: state.groups[group].t)
        del state.groups[oldest]


def trim(known: dict[str, Trait]) -> None:
    """Let the oldest leaves leave until the rest is within bounds."""
    total = sum(size(path, trait.value) for path, trait in known.items()) if len(known) * LEAF > TOTAL else 0
    if len(known) <= LEAVES and total <= TOTAL:
        return
    oldest = iter(sorted(known, key=lambda path: known[path].t))
    while len(known) > LEAVES or total > TOTAL:
        path = next(oldest)
        total -= size(path, known.pop(path).value)


def size(path: str, value: Any) -> int:
    """Return about how many characters a leaf takes."""
    if isinstance(value, str):
        return len(path) + len(value)
    if isinstance(value, dict):
        return len(path) + sum(size(name, one) + 1 for name, one in value.items())
    return len(path) + (sum(size("", one) + 1 for one in value) if isinstance(value, list | tuple) else 24)


def _characters(calls: Any) -> int:
    return sum(size(path, trait.value) for call in calls for path, trait in call.traits.items())
