"""Fuzz every parser for as long as you like: `python -m tests.fuzz --hours 1`; what is found is printed and exit 1.

Ctrl-C ends it sooner and tells how far it came.
"""

import argparse
import logging
import secrets
import sys
import time
from collections import Counter

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.fuzz.targets import TARGETS

ROUND = 500


def run(name: str, number: int) -> None:
    """Give a parser a round of input; raises what it raises, with the smallest input that does."""
    target = TARGETS[name]
    phases = (Phase.generate, Phase.shrink)

    @seed(number)
    @settings(max_examples=ROUND, deadline=None, database=None, phases=phases, suppress_health_check=list(HealthCheck))
    @given(target.given)
    def check(given: object) -> None:
        target.run(given)

    check()


def _tell(*lines: str) -> None:
    sys.stdout.write("\n".join(lines) + "\n")


def main() -> int:
    """Go round the parsers until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--only", choices=list(TARGETS))
    options = parser.parse_args()
    logging.getLogger("uvicorn").setLevel(logging.ERROR)  # that a request is none is no find
    end_s, done, number = time.process_time() + options.hours * 3600, Counter[str](), secrets.randbits(48)
    names = [options.only] if options.only else list(TARGETS)
    try:
        while time.process_time() < end_s:
            for name in names:
                number += 1
                run(name, number)
                done[name] += ROUND
    except KeyboardInterrupt:
        pass
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is a find
        _tell(f"{name}, seed {number}: {error!r}", *getattr(error, "__notes__", ()))
        return 1
    _tell(f"{time.process_time() / 3600:.2f} CPU hours, {done.total():,} inputs, nothing found:")
    _tell(*(f"{count:>12,}  {name}" for name, count in done.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
