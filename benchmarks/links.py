"""How many links a second `[people]` decides, and how soon a merge is there: `python -m benchmarks.links [--links N] [--alone]`.

The fold alone: a lead's event names a device that nobody heard of (it joins, is woken and sends what it did before), or an
address that is a lead of its own (both become one, the CRM is told, and where the joined lead stands). Rows are cut every 500
records, as a checkpoint does, and accounts are told. The clock is the processor's; of the runs the median counts. Garbage is
collected as in a worker.

The worker: among a website's traffic at a steady rate leads turn out to be one. From before the publishing of that event to
the arrival of `lead.merged.v1` at a consumer; the lead answers as one from the same moment on.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import orjson
from confluent_kafka import Producer

from benchmarks import latency, mix
from benchmarks.bar import Bar
from benchmarks.garbage import as_in_a_worker
from benchmarks.kafka import Kafka, kafka, progress
from benchmarks.listener import Listener
from benchmarks.people import CUT, Told
from benchmarks.product import fill, installation, visitor_rows
from benchmarks.report import Section, Table, Target, text
from stream.domain.ids import lead_id
from stream.domain.people import People

TITLE = "Links"
ABOUT = (
    "The fold over the `people` log alone, {links:,} links a run, the median of {runs} runs: a device joins a lead (two"
    " snapshots each: the event's, and what the device did before), or two leads become one (two facts each). A merge: from"
    " before the publishing of the event that names both to the arrival of `lead.merged.v1` at a consumer, among the 97/3 mix."
)
WANTED, MERGED_MS = 5_000, 500
RATE, VISITORS, MERGES, EVERY_S = 5_000, 50_000, 1_000, 0.02


def devices(told: Told, links: int) -> int:
    """Let leads name devices, ten each; returns where that begins in the log."""
    leads = max(1, links // 10)
    for n in range(leads):
        told.does(f"user::u{n}", event="Trial Started")
    start = len(told.log)
    for n in range(links):
        told.does(f"user::u{n % leads}", f"anon::{n}")
        told.wakes(f"anon::{n}")
    return start


def merges(told: Told, links: int) -> int:
    """Let leads turn out to be one; returns where that begins in the log."""
    for n in range(links):
        told.does(f"user::u{n}", event="Trial Started")
        told.does(f"email::{n}@acme.example", event="Meeting Attended")
    start = len(told.log)
    for n in range(links):
        told.does(f"user::u{n}", f"email::{n}@acme.example")
    return start


KINDS: dict[str, Callable[[Told, int], int]] = {"a device joins a lead": devices, "two leads become one": merges}


@dataclass(frozen=True)
class Alone:
    """What a kind of link costs the fold (CPU us)."""

    kind: str
    us: float


def fold_us(told: Told, start: int, links: int) -> float:
    """Return the processor time of a link (us)."""
    people = People({}, 1, "leadstream", told.rules, accounts=True)
    _apply(people, told.log, 0, start)
    with as_in_a_worker():
        began = time.process_time()
        _apply(people, told.log, start, len(told.log))
        return (time.process_time() - began) / links * 1e6


def _apply(people: People, log: list[bytes], start: int, end: int) -> None:
    for offset in range(start, end):
        people.apply(offset, log[offset])
        if offset % CUT == 0:
            people.cut()
        people.out.clear()
        if people.membership is not None:
            people.membership.out.clear()


def alone(links: int, runs: int) -> list[Alone]:
    """Measure the fold alone."""
    found = []
    for kind, build in KINDS.items():
        told = Told()
        start = build(told, links)
        found.append(Alone(kind, statistics.median(fold_us(told, start, links) for _ in range(runs))))
        progress(f"{kind}: {1e6 / found[-1].us:,.0f} links a second")
    return found


def merged_ms(broker: Kafka, count: int, rate: int) -> list[float]:
    """Return how late each merge was heard of (ms), among so many events a second."""
    seconds = latency.WARM_S + count * EVERY_S + latency.WARM_S
    case = latency.Case("merges", rate, VISITORS, deciding_s=count * EVERY_S)
    mix.record(int(rate * case.seconds), VISITORS)
    with installation(broker) as one:
        fill(broker, one, visitor_rows(2), VISITORS)
        worker = one.worker()
        worker.wait_for_line(r"ready: \d+ rows", 300)
        with Listener(broker, one) as heard:
            for kind, event in (("user_id", "Trial Started"), ("email", "Meeting Attended")):  # first the survivors
                nodes = [_node(kind, n) for n in range(count)]
                broker.produce(one.topic("events"), ((n.encode(), _told(n, event)) for n in nodes), kind, count)
                heard.wait_for(map(lead_id, nodes), "leads are read", 120)
            traffic = latency.flowing(broker, one, case)
            traffic.wait_for_line("flowing", 60)
            time.sleep(latency.WARM_S)
            sent = _merge(broker, one.topic("events"), count)
            heard.wait_for_merges(sent, "merges", 60)
            progress(f"the flow itself was {traffic.wait_for_line('flowed: (.*)', seconds + 120)[1]}")
            return [(heard.merged[lead] - at) * 1000 for lead, at in sent.items()]


def _node(kind: str, n: int) -> str:
    return f"user::u{n}" if kind == "user_id" else f"email::b{n}@acme.example"


def _told(node: str, event: str, *links: str) -> bytes:
    ids = [dict(zip(("type", "id"), one.split("::"), strict=True)) for one in (node, *links)]
    return orjson.dumps({"type": "track", "event": event, "messageId": f"{event}-{node}", "context": {"externalIds": ids}})


def _merge(broker: Kafka, topic: str, count: int) -> dict[str, float]:
    """Publish the events that name both, one after the other; return when, by the lead that ends."""
    producer = Producer({"bootstrap.servers": broker.address, "partitioner": "murmur2_random", "linger.ms": 0, "log_level": 0})
    sent: dict[str, float] = {}
    began, bar = time.monotonic(), Bar("merges", count)
    for n in range(count):
        time.sleep(max(0.0, began + n * EVERY_S - time.monotonic()))
        user, address = _node("user_id", n), _node("email", n)
        value = _told(user, "Page Read", address)
        sent[lead_id(address)] = time.time()
        producer.produce(topic, value, user.encode())
        producer.poll(0)
        bar.at(n)
    producer.flush(30)
    bar.end()
    return sent


def tables(measured: Iterable[Alone], late: list[float], rate: int) -> list[Table]:
    """Return what the fold does, and how late merges were."""
    cost: list[tuple[str, ...]] = [("links", "alone us", "a second and core")]
    cost += [(one.kind, f"{one.us:.0f}", f"{1e6 / one.us:,.0f}") for one in measured]
    if not late:
        return [cost]
    parts = statistics.quantiles(late, n=100)
    lines: list[tuple[str, ...]] = [("a merge is heard of, ms", "number", "median", "p95", "p99", "max")]
    lines.append((f"{rate:,} events/s", f"{len(late):,}", *(f"{parts[i]:.0f}" for i in (49, 94, 98)), f"{max(late):.0f}"))
    return [cost, lines]


def section(links: int, runs: int, scale: float = 1.0, rate: int = RATE, *, only_alone: bool = False) -> Section:
    """Measure and say."""
    measured, late = alone(links, runs), []
    if not only_alone:
        with kafka() as broker:
            late = merged_ms(broker, max(200, int(MERGES * scale)), rate)
    both = len(measured) / sum(one.us / 1e6 for one in measured)
    targets = [Target("links, half devices, half merges", both, WANTED, "links/s and core", at_least=True)]
    targets += [Target(f"links, {one.kind}", 1e6 / one.us, WANTED, "links/s and core", at_least=True) for one in measured]
    if late:
        targets.append(Target(f"a merge is heard of, p99 ({rate:,} events/s)", latency.p99(late), MERGED_MS, "ms"))
    return Section(TITLE, ABOUT.format(links=links, runs=runs), tables(measured, late, rate), targets)


def main() -> int:
    parser = argparse.ArgumentParser(description="Time links and merges.")
    parser.add_argument("--links", type=int, default=6_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the merges in the flow")
    parser.add_argument("--rate", type=int, default=RATE, help="events a second that flow meanwhile")
    parser.add_argument("--alone", action="store_true", help="without Kafka")
    options = parser.parse_args()
    print(text(section(options.links, options.runs, options.scale, options.rate, only_alone=options.alone)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
