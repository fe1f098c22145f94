"""What a row costs a worker in memory: `python -m benchmarks.memory [--rows N]`.

Each line is a process of its own that fills a table as a worker keeps it, and says by how much its resident memory grew. The
visitors are those of the mix (benchmarks/mix.py) under the shipped ruleset; a lead is a registered person with a cookie and an
e-mail address, after a dozen events, with its timers.
"""

import argparse
import ctypes
import gc
import multiprocessing
import sys
from collections.abc import Callable
from itertools import count

import psutil

from benchmarks.kafka import progress
from stream.domain import visitor
from stream.domain.event import Company, Event, Link
from stream.domain.log import decode, encode
from stream.domain.people import People
from stream.domain.ruleset.load import load
from stream.rulesets import default_text

START_MS = 1_767_225_600_000
MINUTE_MS = 60_000
VARIANTS = 200
"""Rows that differ; their copies are bytes of their own, as those of a changelog are."""
EVENTS_OF_A_LEAD = 12
CUT = 500
COMPANY = Company("Acme Logistics", "acme-logistics.example", "business", 1.0, "ranges", "20.0.3.0/24", "2026-01-01")
Filled = tuple[int, int]
"""Rows, and the sum of the bytes of keys and values."""


def run(rows: int) -> list[tuple[str, ...]]:
    """Return a line a kind of row."""
    lines: list[tuple[str, ...]] = [("memory", "rows", "bytes a row", "RSS bytes a row")]
    cases: list[tuple[str, Callable[[int], Filled], int]] = [
        ("visitor, 2 events", _two, rows),
        ("visitor, 20 remembered ids", _twenty, rows),
        ("visitor, 256 remembered ids", _full, rows // 2),
        ("lead with two more identities", _leads, rows // 5),
    ]
    for name, fill, number in cases:
        filled, size, grown = _apart(fill, number)
        lines.append((name, f"{filled:,}", f"{size / filled:,.0f}", f"{grown / filled:,.0f}"))
        progress(f"{name}: {grown / filled:,.0f} bytes")
    return lines


def _apart(fill: Callable[[int], Filled], number: int) -> tuple[int, int, int]:
    """Fill in a process of its own; return rows, their bytes, and by how much the process grew."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_measured, args=(there, fill, number))
    process.start()
    told: tuple[int, int, int] = here.recv()
    process.join()
    return told


def _measured(
    out: "multiprocessing.connection.Connection[tuple[int, int, int], None]", fill: Callable[[int], Filled], number: int
) -> None:
    fill(VARIANTS)  # what is made once: ruleset, matcher, decoders
    before = _resident()
    rows, size = fill(number)
    out.send((rows, size, _resident() - before))


def _resident() -> int:
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)  # as a worker does after its recovery
    return int(psutil.Process().memory_info().rss)


_kept: list[object] = []
"""Holds what was filled until it is measured."""


def _two(number: int) -> Filled:
    return _visitors(number, 2)


def _twenty(number: int) -> Filled:
    return _visitors(number, 20)


def _full(number: int) -> Filled:
    return _visitors(number, visitor.REMEMBERED)


def _visitors(number: int, events: int) -> Filled:
    rules, made = load(default_text()), []
    for seed in range(VARIANTS):
        row: visitor.Visitor | None = None
        for nth in range(events):
            row = visitor.apply(row, _page(f"anon::{seed}", seed, nth), nth + 1, rules).row
        if row is not None:
            made.append(visitor.encode(row))
    table = {f"anon::{n:08x}-7c1d-4f0a-9a55-2f6d1c0e8b3a".encode(): bytes(bytearray(made[n % VARIANTS])) for n in range(number)}
    _kept.append(table)
    return number, sum(len(key) + len(row) for key, row in table.items())


def _leads(number: int) -> Filled:
    rules = load(default_text())
    stored: dict[bytes, bytes] = {}
    people, offsets = People(stored, 1, "leadstream", rules), count(1)
    for lead in range(number):
        row: visitor.Visitor | None = None
        node = f"user::lead-{lead}"
        links = (Link(f"anon::cookie-{lead}"), Link(f"email::lead-{lead}@acme.example", "business"))
        for nth in range(EVENTS_OF_A_LEAD):
            outcome = visitor.apply(row, _page(node, lead, nth, links=links), nth + 1, rules)
            row = outcome.row
            if outcome.snapshot is not None:
                people.apply(next(offsets), encode(outcome.snapshot))
        for wake in [decode(out.value) for out in people.take_out() if out.topic == "wakes" and out.value is not None]:
            _, snapshot = visitor.wake(None, wake.node, wake.r, rules)  # type: ignore[union-attr]  # wakes holds Wakes
            people.apply(next(offsets), encode(snapshot))
        if lead % CUT == 0:
            people.cut()
    people.cut()
    _kept.append(People(stored, 1, "leadstream", rules))  # as after a restart, its timers set
    return number, sum(len(key) + len(row) for key, row in stored.items())


def _page(node: str, seed: int, nth: int, links: tuple[Link, ...] = ()) -> Event:
    t = START_MS + nth * 7 * MINUTE_MS
    topics = [f"topic-{(seed * 7 + nth) % 20}"]
    place = ("products", "blog", "case-studies", "pricing")[nth % 4]
    return Event(
        node=node, type="page", t=t, r=t, message=(seed * 1000 + nth).to_bytes(6, "big"), properties={"topics": topics},
        url=f"www.example.com/{place}/{nth}", company=COMPANY, links=links, traits={"email": "x@acme.example"} if links else {},
    )  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description="What a row costs a worker in memory.")
    parser.add_argument("--rows", type=int, default=200_000)
    for line in run(parser.parse_args().rows):
        print("  ".join(f"{cell:>30}" for cell in line))
    return 0


if __name__ == "__main__":
    sys.exit(main())
