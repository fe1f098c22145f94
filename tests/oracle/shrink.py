"""Shrink a seed on which oracle and engine differ to few lines: `python -m tests.oracle.shrink SEED`."""

import sys
from dataclasses import replace

from tests.oracle.compare import differences
from tests.oracle.engine import run
from tests.oracle.journeys import Journey, journey
from tests.oracle.oracle import ranges_from, simulate


def differ(given: Journey) -> list[str]:
    """Return how the two differ."""
    return differences(simulate(given.lines, given.ruleset, ranges_from(given.ranges), given.at), run(given))


def fails(given: Journey, wanted: str) -> bool:
    """Tell whether a difference that mentions `wanted` is left."""
    try:
        return any(wanted in line for line in differ(given))
    except ValueError:
        return False


def shrink(given: Journey, wanted: str) -> Journey:
    """Return a journey with as few lines as can be left out one block at a time."""
    size = len(given.lines) // 2
    while size:
        start = 0
        while start < len(given.lines):
            less = replace(given, lines=given.lines[:start] + given.lines[start + size :])
            if less.lines and fails(less, wanted):
                given = less
            else:
                start += size
        size //= 2
    return given


if __name__ == "__main__":
    small = shrink(journey(int(sys.argv[1])), sys.argv[2] if len(sys.argv) > 2 else "")
    for text in [*(line.decode() for line in small.lines), *differ(small)]:
        sys.stdout.write(f"{text[:700]}\n")
