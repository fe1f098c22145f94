"""Contextual behaviour: an ordered chain of behaviours within a window, across the identities of a lead."""

from collections.abc import Mapping

from stream.domain.ruleset.model import Sequence


def completed_at(sequence: Sequence, times: Mapping[str, list[int]]) -> int | None:
    """Return when the chain with the earliest last step ends; None where there is none.

    `times` holds the sorted event times (ms) of each behaviour. t1 <= t2 <= ... and the last at most `within_ms` after the
    first; others in between are allowed; a behaviour named twice needs two events.

        >>> chain = Sequence("s", ("read", "met"), 1_000, 20.0, 1.0)
        >>> completed_at(chain, {"read": [0, 5_000], "met": [4_000, 5_500]})
        5500
    """
    ends = []
    for first in range(len(times.get(sequence.steps[0], ()))):
        end = _earliest_end(sequence, times, first)
        if end is not None and end - times[sequence.steps[0]][first] <= sequence.within_ms:
            ends.append(end)
    return min(ends, default=None)


def _earliest_end(sequence: Sequence, times: Mapping[str, list[int]], first: int) -> int | None:
    taken = {sequence.steps[0]: first}
    at = times[sequence.steps[0]][first]
    for step in sequence.steps[1:]:
        known = times.get(step, [])
        index = next((i for i in range(taken.get(step, -1) + 1, len(known)) if known[i] >= at), None)
        if index is None:
            return None
        taken[step], at = index, known[index]
    return at
