"""Run seeds through oracle and engine: `python -m tests.oracle.against FIRST LAST` prints what differs."""

import sys
import traceback

from tests.oracle.compare import differences
from tests.oracle.engine import run
from tests.oracle.journeys import journey
from tests.oracle.oracle import ranges_from, simulate


def check(seed: int) -> list[str]:
    """Return how the two differ on one seed."""
    given = journey(seed)
    return differences(simulate(given.lines, given.ruleset, ranges_from(given.ranges), given.at), run(given))


def main(first: int, last: int) -> int:
    """Print the differences of seeds first..last-1."""
    failed = 0
    for seed in range(first, last):
        try:
            found = check(seed)
        except Exception:  # noqa: BLE001 - the seed must be named
            found = traceback.format_exc().splitlines()[-6:]
        failed += bool(found)
        for line in found:
            sys.stdout.write(f"seed {seed}: {line}\n")
    sys.stdout.write(f"{failed} of {last - first} seeds differ\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
