"""How fast leads that fall due at one millisecond are demoted: `python -m benchmarks.due [--leads N] [--runs N]`.

The fold over the `people` log alone, table cuts included, under the shipped ruleset: everybody is a marketing qualified lead,
and falls below the exit at the same instant. The clock is that of the processor. In a worker come the sending of a fact and of
the state it leaves, and what accounts are told.
"""

import argparse
import statistics
import time

from stream.domain import visitor
from stream.domain.event import Event
from stream.domain.log import Tick, encode
from stream.domain.people import People
from stream.domain.ruleset.load import load
from stream.domain.ruleset.model import Ruleset
from stream.rulesets import default_text

START_MS = 1_767_225_600_000
LONG_AFTER = START_MS + 365 * 86_400_000
CUT_BYTES = 512 * 1024


def qualified(rules: Ruleset, count: int) -> tuple[People, int]:
    """Return people who are all marketing qualified since the same moment, and the offset at which their log goes on."""
    people, offset = People({}, 1, "leadstream", rules), 0
    for number in range(count):
        row = None
        for name in ("Meeting Attended", "Broadcast Watched"):
            offset += 1
            event = Event(
                node=f"user::{number}u", type="track", event=name, t=START_MS, r=START_MS, message=offset.to_bytes(6, "big"),
                traits={"title": "Head of IT", "company.industry": "energy"},
            )  # fmt: skip
            outcome = visitor.apply(row, event, offset, rules)
            row = outcome.row
            if outcome.snapshot is not None:
                people.apply(offset, encode(outcome.snapshot))
        if people.size > CUT_BYTES:
            people.cut()
    people.cut()
    people.take_out()
    return people, offset + 1


def run(rules: Ruleset, count: int) -> tuple[int, int, float]:
    """Return how many leads moved, in how many parts, and the seconds of the processor that took."""
    people, offset = qualified(rules, count)
    began, moved, parts = time.process_time(), 0, 0
    tick, done = encode(Tick(0, LONG_AFTER)), False
    while not done:
        done, parts = people.apply_part(offset, tick), parts + 1
        moved += sum(out.topic == "stage-changes" for out in people.take_out())
        if people.size > CUT_BYTES:
            people.cut()
    return moved, parts, time.process_time() - began


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description="How fast leads that fall due at one millisecond are demoted.")
    parser.add_argument("--leads", type=int, default=50_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    rules, seconds = load(default_text()), []
    for _ in range(options.runs):
        moved, parts, took = run(rules, options.leads)
        seconds.append(took)
        print(f"{moved:,} changes of {options.leads:,} leads in {parts} parts: {took:.2f} s, {took / moved * 1e6:.0f} us each")
    print(f"median: {statistics.median(seconds):.2f} s")


if __name__ == "__main__":
    main()
