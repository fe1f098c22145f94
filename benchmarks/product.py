"""An installation of the whole product on the benchmarks' Kafka: its worker, and tables filled beforehand."""

import contextlib
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import mix
from benchmarks.kafka import Kafka, progress
from stream.domain import visitor
from stream.domain.event import Event
from stream.domain.ruleset.load import load
from stream.intake import Intake
from stream.lookups import Lookups
from stream.rulesets import default_text
from tests.brokers import Broker, Installation

if TYPE_CHECKING:
    from stream.domain.visitor import Visitor

VISITORS = "visitors-changelog"
SESSION = "30s"
"""A worker ends itself where Kafka acknowledges nothing for half of it; one broker that shares two cores with whoever publishes
400,000 events at the same time was silent for 5 s once, and nobody here starts a worker anew."""


@contextlib.contextmanager
def installation(kafka: Kafka, partitions: int = 8, **settings: str) -> Iterator[Installation]:
    """Yield an installation with its topics made; its processes and topics go at the end."""
    with tempfile.TemporaryDirectory(prefix="leadstream-bench-") as made:
        folder = Path(made)
        ranges = str(mix.ranges(folder / "r.csv"))
        chosen = {"PARTITIONS": str(partitions), "SESSION_TIMEOUT": SESSION, "COMPANY_RANGES": ranges}
        one = Installation(Broker(kafka.address, "kafka"), folder, f"b{secrets.token_hex(4)}-", chosen | settings)
        try:
            done = one.run("topics")
            if done.returncode:
                raise RuntimeError(done.stderr)
            yield one
        finally:
            for process in one.processes:
                process.stop(15)
            kafka.delete(one.prefix)


def fill(kafka: Kafka, one: Installation, rows: Sequence[bytes], count: int) -> None:
    """Write `count` rows of anonymous visitors to the changelog, the given ones in turn, as if they had been there."""
    pairs = ((f"anon::{mix.anonymous(number)}".encode(), rows[number % len(rows)]) for number in range(count))
    kafka.produce(f"{one.app}-{VISITORS}", pairs, "rows", count)
    progress(f"{count:,} rows of {sum(map(len, rows)) / len(rows):.0f} bytes are in the changelog")


def visitor_rows(events: int, variants: int = 50) -> list[bytes]:
    """Return rows of visitors with so many events each; their position is that of a row which applied none."""
    rules, intake = load(default_text()), Intake(Lookups(), None, frozenset())
    rows: list[bytes] = []
    for seed in range(variants):
        row: Visitor | None = None
        for offset, (_, value) in enumerate(mix.traffic(events * 40, 10, seed)):
            if row is not None and row.state.events >= events:
                break
            event = intake.read(value, 1_767_225_600_000 + offset * 60_000)
            if isinstance(event, Event) and not event.bot and not event.links and event.node.startswith("anon::"):
                row = visitor.apply(row, event, offset + 1, rules).row
        if row is not None:
            row.position = 0
            rows.append(visitor.encode(row))
    return rows
