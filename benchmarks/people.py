"""How many snapshots a second the fold over the people log does: `python benchmarks/people.py [--snapshots N]`.

Every event is by a known lead with a cookie of its own, under the shipped ruleset: the dear end of the traffic. Rows are
cut every 500 records, as a checkpoint does.
"""

import argparse
import random
import sys
import time
from collections.abc import Iterator
from statistics import median

from stream.domain import visitor
from stream.domain.event import Event, Link
from stream.domain.log import encode
from stream.domain.people import People
from stream.domain.ruleset.load import load
from stream.domain.ruleset.model import Ruleset
from stream.rulesets import default_text

SEED = 20_261_125
START_MS = 1_767_225_600_000
LEADS = 300
CUT = 500
DONE = ("Trial Started", "Meeting Attended", "Broadcast Watched", "Whitepaper Downloaded")


def main() -> int:
    options = _options()
    rules = load(default_text())
    records = list(_records(options.snapshots, rules))
    runs = [_run(records, rules) for _ in range(options.runs)]
    seconds = median(runs)
    print(f"{len(records):,} snapshots of {LEADS} leads, {sum(map(len, records)) / len(records):.0f} bytes each, of which")
    print(f"{len(records) / seconds:,.0f} a second of processor time, {seconds / len(records) * 1e6:.1f} µs each")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time the fold over the people log.")
    parser.add_argument("--snapshots", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=5)
    return parser.parse_args()


def _records(count: int, rules: Ruleset) -> Iterator[bytes]:
    rows: dict[str, visitor.Visitor] = {}
    for number, event in enumerate(_events(count), 1):
        outcome = visitor.apply(rows.get(event.node), event, number, rules)
        if outcome.row is not None and outcome.snapshot is not None:
            rows[event.node] = outcome.row
            yield encode(outcome.snapshot)


def _events(count: int) -> Iterator[Event]:
    rng = random.Random(SEED)  # noqa: S311 - a benchmark repeats itself
    now = START_MS
    for number in range(count):
        now += rng.randrange(6_000)
        lead = rng.randrange(LEADS)
        done = rng.choice(DONE) if rng.random() < 0.3 else None
        yield Event(
            node=f"user::{lead}", type="track" if done else "page", event=done, t=now, r=now, message=number.to_bytes(6, "big"),
            url=f"www.example.com/products/{rng.randrange(500)}", properties={"topics": [f"topic-{rng.randrange(8)}"]},
            links=(Link(f"anon::{lead}"),),
        )  # fmt: skip


def _run(records: list[bytes], rules: Ruleset) -> float:
    people = People({}, 1, "leadstream", rules)
    started = time.process_time()
    for offset, record in enumerate(records):
        people.apply(offset, record)
        if offset % CUT == 0:
            people.cut()
            people.out.clear()
    return time.process_time() - started


if __name__ == "__main__":
    sys.exit(main())
