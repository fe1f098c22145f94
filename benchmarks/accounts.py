"""How soon an account's row is right: `python -m benchmarks.accounts [--rate N] [--seconds N]`.

One worker reads the 97/3 mix at a steady rate. Among it come visitors from companies that nobody came from before, and people
whose business e-mail names one: from before the publishing of such an event to the first answer that knows the account, and to
the arrival of its row at a consumer of the table's changelog, so to a little after it is durable.
"""

import argparse
import statistics
import sys
import threading
import time
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Self

import orjson
from confluent_kafka import Consumer, Producer, TopicPartition

from benchmarks.bar import Bar
from benchmarks.kafka import Kafka, kafka, progress
from benchmarks.latency import Case, flowing
from benchmarks.product import installation
from benchmarks.report import Section, Table, Target, text
from stream.runtime.embedded import free_port
from tests.brokers import Installation

TITLE = "Accounts"
ABOUT = (
    "One worker, the shipped ruleset, the 97/3 mix at {rate:,} events/s from another process. A visitor or a lead comes from a"
    " company that was not known: from before the publishing of that event until a look-up answers with the account (every fourth"
    " is asked for), and until its row is read from the table's changelog (*durable*)."
)
EVERY_S, WARM_S, PARTITIONS = 0.02, 5.0, 8
RIGHT_MS = 2_000
ASKED = 4
"""One in so many of either kind is asked for."""
FIRST = 150 << 24
"""The first address of the companies that come: 150.0.0.0, in no list of hosting networks."""


class Rows:
    """Reads the changelog and notes when each account's row came first; times are seconds of `time.time()`."""

    def __init__(self, broker: Kafka, one: Installation) -> None:
        self._consumer = Consumer(
            {"bootstrap.servers": broker.address, "group.id": "rows", "fetch.wait.max.ms": 5, "log_level": 0}
        )
        topic = f"{one.app}-accounts-changelog"
        self._consumer.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self.first: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._consumer.close()

    def _listen(self) -> None:
        while not self._ended.is_set():
            for message in self._consumer.consume(500, 0.05):
                key = message.key() or b""
                if message.error() is None and key.startswith(b"a:"):
                    self.first.setdefault(key[2:].decode(), time.time())


class Asker:
    """Asks the worker for accounts that are not known yet, again and again."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=30)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.wanted: dict[str, None] = {}
        self.first: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._connection.close()

    def _ask(self) -> None:
        while not self._ended.is_set():
            for id_ in list(self.wanted):
                self._connection.request("GET", f"/v1/accounts/{id_}")
                answer = self._connection.getresponse()
                answer.read()
                if answer.status == HTTPStatus.OK:
                    self.first[id_] = time.time()
                    del self.wanted[id_]
            time.sleep(0.01)


def measure(broker: Kafka, rate: int, seconds: float) -> dict[str, list[float]]:
    """Return how late rows were (ms), of companies that visitors and of those that leads made known."""
    case = Case("accounts", rate, deciding_s=seconds)
    with installation(broker, PARTITIONS) as one:
        ranges = one.folder / "r.csv"
        with ranges.open("a", encoding="utf-8") as file:
            for number in range(int(seconds / EVERY_S)):
                file.write(f"{_address(number)}/32,New {number},new-{number}.example,business\n")
        port = free_port()
        worker = one.worker(WEB_PORT=str(port))
        worker.wait_for_line(r"ready: \d+ rows", 120)
        with Rows(broker, one) as rows, Asker(port) as asker:
            traffic = flowing(broker, one, case)
            traffic.wait_for_line("flowing", 120)
            time.sleep(WARM_S)
            sent, asked = _come(broker, one, seconds, asker)
            bar = Bar("rows", len(sent))
            until = time.monotonic() + 60
            while time.monotonic() < until and (asker.wanted or any(id_ not in rows.first for id_ in sent)):
                bar.at(len(sent.keys() & rows.first.keys()))
                time.sleep(0.2)
            bar.end()
        found = {}
        for how, first in (("", asker.first), (", durable", rows.first)):
            late = {id_: (first[id_] - at) * 1000 for id_, at in sent.items() if how or id_ in asked}
            found[f"a visitor's{how}"] = [ms for id_, ms in late.items() if "new-" in id_]
            found[f"a lead's{how}"] = [ms for id_, ms in late.items() if "mail-" in id_]
        return found


def _address(number: int) -> str:
    address = FIRST + number
    return ".".join(str(address >> shift & 255) for shift in (24, 16, 8, 0))


def _come(broker: Kafka, one: Installation, seconds: float, asker: Asker) -> tuple[dict[str, float], set[str]]:
    """Publish the events; return when each account's was, and which are asked for."""
    producer = Producer({"bootstrap.servers": broker.address, "partitioner": "murmur2_random", "linger.ms": 0, "log_level": 0})
    sent: dict[str, float] = {}
    asked: set[str] = set()
    began, bar = time.monotonic(), Bar("companies", seconds)
    for number in range(int(seconds / EVERY_S)):
        time.sleep(max(0.0, began + number * EVERY_S - time.monotonic()))
        if number % 2:
            event = {"type": "page", "anonymousId": f"new-{number}", "context": {"ip": _address(number)}}
            key, account = f"anon::new-{number}", f"account::new-{number}.example"
        else:
            event = {"type": "identify", "userId": f"m-{number}", "traits": {"email": f"a@mail-{number}.example"}}
            key, account = f"user::m-{number}", f"account::mail-{number}.example"
        sent[account] = time.time()
        producer.produce(one.topic("events"), orjson.dumps({"messageId": f"a{number}", **event}), key.encode())
        producer.poll(0)
        if number % (2 * ASKED) < 2:
            asked.add(account)
            asker.wanted[account] = None
        bar.at(number * EVERY_S)
    producer.flush(30)
    bar.end()
    return sent, asked


def p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98]


def section(rate: int, seconds: float) -> Section:
    """Measure and say."""
    with kafka() as broker:
        measured = measure(broker, rate, seconds)
    lines: list[tuple[str, ...]] = [("an account's row, ms", "number", "median", "p95", "p99", "max")]
    for what, values in measured.items():
        parts = statistics.quantiles(values, n=100)
        lines.append((what, f"{len(values):,}", *(f"{parts[at]:.0f}" for at in (49, 94, 98)), f"{max(values):.0f}"))
        progress(f"{what}: {p99(values):.0f} ms (p99)")
    table: Table = lines
    targets = [Target(f"account's row right, p99 ({what} event)", p99(ms), RIGHT_MS, "ms") for what, ms in measured.items()]
    return Section(TITLE, ABOUT.format(rate=rate), [table], targets)


def main() -> int:
    parser = argparse.ArgumentParser(description="How soon an account's row is right.")
    parser.add_argument("--rate", type=int, default=5_000, help="events a second of the mix")
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    print(text(section(options.rate, options.seconds)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
