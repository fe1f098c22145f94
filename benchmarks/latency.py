"""How soon the CRM hears: `python -m benchmarks.latency [--rates N …] [--seconds N] [--visitors N] [--leads N]`.

Promotions: one worker reads the 97/3 mix at a steady rate; among it people say for the first time who they are. Counted is
from the publishing of that event to the arrival of its stage change at a consumer, so to a little after its acknowledgement.

Demotions: leads with points that fade within seconds, among many visitors and leads; counted is from the instant at which a
stage is due to fall (the event's `time`) to the Kafka timestamp of its stage change.
"""

import argparse
import hashlib
import statistics
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Self

import orjson
from confluent_kafka import Consumer, Producer, TopicPartition

from benchmarks import mix
from benchmarks.kafka import Kafka, kafka, progress
from benchmarks.product import fill, installation, visitor_rows
from tests.brokers import Installation

DECIDING_EVERY_S = 0.05
VISITORS = 50_000
FALLING, FALLING_A_SECOND = 2_000, 100
WARM_S = 5.0
FADING = """
[ruleset]
id = "fading"
[decay]
half_life = "30d"
[behaviours.asked]
match = { type = "track", event = "Asked" }
points = 100
half_life = "10s"
[behaviours.met]
match = { type = "track", event = "Met" }
points = 100
[[stages]]
name = "lead"
enter = { identified = true }
[[stages]]
name = "mql"
enter = { interest = 60 }
exit = { interest = 40 }
"""


def promotions(kafka: Kafka, rate: int, seconds: float) -> list[float]:
    """Return the latencies (ms) of promotions while `rate` events a second flow."""
    load = list(mix.traffic(int(rate * (seconds + WARM_S)), VISITORS))
    with installation(kafka) as one:
        one.worker().wait_for_line(r"ready: \d+ rows", 60)
        sent: dict[str, float] = {}
        with Listener(kafka, one) as heard:
            worst = _publish(kafka, one, load, rate, sent)
            heard.wait_for(sent, 120)
        if worst > 0.2:
            progress(f"{rate:,}/s: the publisher itself was late by {worst:.1f} s")
        began = min(sent.values()) + WARM_S
        return [(heard.at[lead] - at) * 1000 for lead, at in sent.items() if at > began]


def _publish(kafka: Kafka, one: Installation, load: Iterable[mix.Pair], rate: int, sent: dict[str, float]) -> float:
    """Publish at a steady rate, a deciding event now and then; return how late it was at worst (s)."""
    producer = Producer(
        {"bootstrap.servers": kafka.address, "partitioner": "murmur2_random", "linger.ms": 1, "log_level": 0}
    )  # fmt: skip
    topic, began, next_deciding, worst = one.topic("events"), time.time(), 0.0, 0.0
    for number, (key, value) in enumerate(load):
        due = began + number / rate
        if number % 50 == 0:
            while (now := time.time()) < due:
                producer.poll(min(0.002, due - now))
            worst = max(worst, now - due)
            if now > next_deciding:
                next_deciding = now + DECIDING_EVERY_S
                user = f"new-{number}"
                sent[lead_id(user)] = time.time()
                producer.produce(topic, deciding(user, "Meeting Attended"), f"user::{user}".encode())
        producer.produce(topic, value, key)
    producer.flush(30)
    return worst


def deciding(user: str, event: str) -> bytes:
    """Return what a person did who was not known before."""
    return orjson.dumps({"messageId": f"m-{user}", "type": "track", "event": event, "userId": user})


def lead_id(user: str) -> str:
    """Return the id of the lead whom a user id made one."""
    return f"lead_{hashlib.sha256(f'user::{user}'.encode()).hexdigest()[:16]}"


class Listener:
    """Notes when the first stage change of each lead arrives."""

    def __init__(self, kafka: Kafka, one: Installation, partitions: int = 8) -> None:
        settings = {"bootstrap.servers": kafka.address, "group.id": "latency", "fetch.wait.max.ms": 5, "log_level": 0}
        self._consumer = Consumer(settings)
        self._consumer.assign([TopicPartition(one.topic("stage-changes"), partition, 0) for partition in range(partitions)])
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self.at: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._consumer.close()

    def wait_for(self, leads: Iterable[str], limit_s: float) -> None:
        """Wait until all of these were heard of."""
        missing, limit = set(leads), time.monotonic() + limit_s
        while missing := {lead for lead in missing if lead not in self.at}:
            if time.monotonic() > limit:
                raise TimeoutError(f"{len(missing)} stage changes did not come")
            time.sleep(0.1)

    def _listen(self) -> None:
        while not self._ended.is_set():
            message = self._consumer.poll(0.1)
            if message is not None and message.error() is None:
                self.at.setdefault((message.key() or b"").decode(), time.time())


def demotions(kafka: Kafka, visitors: int, leads: int) -> list[float]:
    """Return how late (ms) the stages fell of leads who did nothing more."""
    with installation(kafka) as one:
        ruleset = one.folder / "fading.toml"
        ruleset.write_text(FADING)
        one.settings["RULESET"] = str(ruleset)
        fill(kafka, one, visitor_rows(2), visitors)
        one.worker().wait_for_line(r"ready: \d+ rows", 300)
        met = ((f"user::met-{n}".encode(), deciding(f"met-{n}", "Met")) for n in range(leads))
        kafka.produce(one.topic("events"), met, "leads", leads)
        kafka.produce(one.topic("events"), _asking(), "leads that fall", FALLING)
        return _falls(one)


def _asking() -> Iterator[mix.Pair]:
    began = time.monotonic()
    for n in range(FALLING):
        time.sleep(max(0.0, began + n / FALLING_A_SECOND - time.monotonic()))
        yield f"user::asked-{n}".encode(), deciding(f"asked-{n}", "Asked")


def _falls(one: Installation) -> list[float]:
    known: list[float] = []
    limit = time.monotonic() + 120
    while len(known) < FALLING:
        ended = one.processes[-1].exit_code
        if ended is not None or time.monotonic() > limit:
            raise RuntimeError(
                f"{len(known)} of {FALLING} leads fell, the worker's exit: {ended}\n{one.processes[-1].output[-2000:]}"
            )
        time.sleep(10)  # reading all of it takes its share of the machine
        facts = [(record.timestamp_ms, orjson.loads(record.value or b"{}")) for record in one.read("stage-changes")]
        known = [
            at - datetime.fromisoformat(fact["time"]).timestamp() * 1000
            for at, fact in facts
            if fact["data"].get("stage", {}).get("direction") == "down"
        ]
        progress(f"{len(known):,} of {FALLING:,} leads fell")
    return known


def table(measured: dict[str, list[float]]) -> list[tuple[str, ...]]:
    """Return a line a situation."""
    lines: list[tuple[str, ...]] = [("latency in ms", "number", "median", "p95", "p99", "max")]
    for name, values in measured.items():
        parts = statistics.quantiles(values, n=100)
        lines.append((name, f"{len(values):,}", *(f"{parts[i]:.0f}" for i in (49, 94, 98)), f"{max(values):.0f}"))
    return lines


def run(rates: Iterable[int], seconds: float, visitors: int, leads: int) -> dict[str, list[float]]:
    """Return the latencies by situation."""
    measured: dict[str, list[float]] = {}
    with kafka() as broker:
        for rate in rates:
            measured[f"promotion at {rate:,} events/s"] = promotions(broker, rate, seconds)
        if leads:
            measured[f"demotion, {visitors:,} visitors, {leads:,} leads"] = demotions(broker, visitors, leads)
    return measured


def main() -> int:
    parser = argparse.ArgumentParser(description="How soon the CRM hears.")
    parser.add_argument("--rates", type=int, nargs="+", default=[5_000, 20_000])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--visitors", type=int, default=200_000)
    parser.add_argument("--leads", type=int, default=20_000)
    options = parser.parse_args()
    for line in table(run(options.rates, options.seconds, options.visitors, options.leads)):
        print("  ".join(f"{cell:>40}" for cell in line))
    return 0


if __name__ == "__main__":
    sys.exit(main())
