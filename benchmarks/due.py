"""How fast leads that fall due at one millisecond are demoted: `python -m benchmarks.due [--leads N] [--runs N] [--worker]`.

The fold over the `people` log alone, table cuts included, under the shipped ruleset: everybody is a marketing qualified lead,
and falls below the exit at the same instant. The clock is that of the processor. In a worker come the sending of a fact and of
the state it leaves, and what accounts are told: `--worker` tells when all have fallen, and the slowest look-up meanwhile.
"""

import argparse
import statistics
import time

import orjson
import psutil

from benchmarks.kafka import kafka
from benchmarks.product import installation
from stream.domain import visitor
from stream.domain.event import Event
from stream.domain.instants import write
from stream.domain.log import Tick, encode
from stream.domain.people import People
from stream.domain.ruleset.load import load
from stream.domain.ruleset.model import Ruleset
from stream.rulesets import default_text
from tests.kafka.workers import run_worker

START_MS = 1_767_225_600_000
LONG_AFTER = START_MS + 365 * 86_400_000
CUT_BYTES = 512 * 1024
HALF_LIFE_S, PATIENCE_S = 90, 120
FALLING = f"""
[decay]
half_life = "{HALF_LIFE_S}s"
[behaviours.asked]
match = {{ type = "track" }}
points = 80
[[stages]]
name = "lead"
enter = {{ identified = true }}
[[stages]]
name = "mql"
enter = {{ interest = 60 }}
exit = {{ interest = 40 }}
"""
"""Who asks is worth 80, and 40 a half-life later."""


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


def in_worker(leads: int) -> tuple[float, float, float]:
    """Return how long behind the instant all had fallen (s), the slowest look-up meanwhile (s), resident MiB at the end."""
    with kafka() as broker, installation(broker, 4) as one:
        ruleset = one.folder / "falling.toml"
        ruleset.write_text(FALLING)
        one.settings["RULESET"] = str(ruleset)
        worker, received = run_worker(one), int(time.time() * 1000)
        told = {"type": "track", "event": "Asked", "receivedAt": write(received)}
        values = (orjson.dumps(told | {"userId": f"u{n}", "messageId": f"m{n}"}) for n in range(leads))
        broker.produce(one.topic("events"), ((f"user::u{n}".encode(), value) for n, value in enumerate(values)), "leads", leads)
        slowest, until, changes = 0.0, received / 1000 + HALF_LIFE_S + PATIENCE_S, one.topic("stage-changes")
        while (fallen := broker.end(changes) - leads) < leads:
            asked = time.monotonic()
            worker.get("/v1/leads/user::u1")
            slowest = max(slowest, time.monotonic() - asked) if fallen > 0 else 0.0
            if worker.process.exit_code is not None or time.time() > until:
                raise RuntimeError(f"{fallen} of {leads} had fallen: {worker.process.output[-3000:]}")
            time.sleep(0.1)
        took = time.time() - received / 1000 - HALF_LIFE_S
        return took, slowest, psutil.Process(worker.process.pid).memory_info().rss / 2**20


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description="How fast leads that fall due at one millisecond are demoted.")
    parser.add_argument("--leads", type=int, default=50_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--worker", action="store_true", help="in a worker, on a Kafka of its own")
    options = parser.parse_args()
    if options.worker:
        took, slowest, rss = in_worker(options.leads)
        print(f"{options.leads:,} leads had fallen {took:.1f} s after it; look-ups at most {slowest:.2f} s; {rss:.0f} MiB")
        return
    rules, seconds = load(default_text()), []
    for _ in range(options.runs):
        moved, parts, took = run(rules, options.leads)
        seconds.append(took)
        print(f"{moved:,} changes of {options.leads:,} leads in {parts} parts: {took:.2f} s, {took / moved * 1e6:.0f} us each")
    print(f"median: {statistics.median(seconds):.2f} s")


if __name__ == "__main__":
    main()
