"""`python -m tests.chaos.again FILE`: judge the logs of a failed schedule once more."""

import sys
from pathlib import Path

from tests.chaos.logs import Copy
from tests.chaos.verdict import judge

if __name__ == "__main__":
    verdict = judge(Copy.kept(Path(sys.argv[1])))
    for what in verdict.wrong:
        sys.stdout.write(f"{what[:2000]}\n")
    sys.stdout.write(f"{len(verdict.wrong)} wrong, {verdict.events} events, {verdict.counts}\n")
    sys.exit(bool(verdict.wrong))
