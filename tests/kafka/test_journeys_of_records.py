"""Every record of `events` is exactly one of the kinds of the contract, whatever a producer sends and whoever reads it."""

import json
from collections.abc import Iterator
from itertools import count
from os import urandom

import pytest
from confluent_kafka import Producer

from stream.domain import instants
from stream.runtime.producer import partition_of
from tests.brokers import Broker, Installation, Record, wait_until
from tests.kafka.poison import LARGEST, POISONS, Poison
from tests.kafka.traffic import traffic
from tests.kafka.workers import KINDS, Running, run_worker

pytestmark = pytest.mark.process

PARTITIONS = 4
HEADERS = {"trace": b"\x00\xff", "sender": "tracker-ü".encode(), "leadstream-history": b"1"}


@pytest.fixture(
    scope="module",
    params=[pytest.param("embedded", marks=pytest.mark.embedded), pytest.param("kafka", marks=pytest.mark.kafka)],
)
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One installation for all tests of this file, on both brokers in turn."""
    broker: Broker = request.getfixturevalue(request.param)
    made = Installation(broker, tmp_path_factory.mktemp("records"), forks=True)
    assert made.run("topics").returncode == 0
    yield made
    made.close()


@pytest.fixture(scope="module")
def running(shared: Installation) -> Running:
    return run_worker(shared)


class Reading:
    """Sends records and waits until they are read."""

    def __init__(self, installation: Installation, running: Running) -> None:
        self.installation, self.running = installation, running
        self.before = running.counts()

    def send(self, key: bytes | None, value: bytes | None, partition: int = -1, headers: dict[str, bytes] | None = None) -> None:
        """Send one record and wait until it, and what became of it, was read."""
        self.installation.produce("events", [(key, value)], partition=partition, headers=headers)
        self.settle()

    def settle(self) -> None:
        """Wait until all that lies in `events` was read; forwards lie there too."""
        known = -1
        while known != (known := len(self.installation.read("events"))):
            self.running.wait_until_applied(known)

    def new(self) -> dict[str, int]:
        """Return what was counted since the start."""
        now = self.running.counts()
        return {name: now[name] - self.before[name] for name in (*KINDS, "read") if now[name] != self.before[name]}


@pytest.fixture
def reading(shared: Installation, running: Running) -> Reading:
    return Reading(shared, running)


@pytest.mark.parametrize("keyed", [True, False])
def test_poison_of_every_reason_becomes_a_dead_letter_that_holds_it_unchanged(reading: Reading, *, keyed: bool) -> None:
    shared, seen = reading.installation, len(reading.installation.read("dead-letters"))
    for number, poison in enumerate(POISONS):
        key = f"poison:{poison.name}".encode() if keyed else None
        shared.produce("events", [(key, poison.value)], headers=HEADERS, partition=number % PARTITIONS)
    reading.settle()
    letters = shared.wait_for_records("dead-letters", lambda found: len(found) == seen + len(POISONS))
    events = {(record.partition, record.offset): record for record in shared.read("events")}

    assert reading.new() == {"dead_letters": len(POISONS), "read": len(POISONS)}
    by_place = {_place(letter): letter for letter in letters}
    sources = [record for record in events.values() if record.headers.get("trace") and (record.key is not None) == keyed]
    assert len(sources) == len(POISONS)
    assert max(len(source.value or b"") for source in sources) == LARGEST
    told = {(poison.value, keyed): poison for poison in POISONS}
    for source in sources:
        _check_letter(by_place[source.partition, source.offset], source, told[source.value, keyed], shared)


def _place(letter: Record) -> tuple[int, int]:
    return int(letter.headers["leadstream-partition"]), int(letter.headers["leadstream-offset"])


def _check_letter(letter: Record, source: Record, poison: Poison, installation: Installation) -> None:
    headers = letter.headers
    assert (letter.key, letter.value) == (source.key, source.value)
    if source.key is not None:
        assert letter.partition == partition_of(source.key, PARTITIONS)
    assert (headers["leadstream-reason"], headers["leadstream-stage"]) == (poison.reason.encode(), poison.stage.encode())
    assert headers["leadstream-topic"] == installation.topic("events").encode()
    assert headers["leadstream-first-seen"] == instants.write(source.timestamp_ms).encode()
    assert headers["leadstream-message"]
    assert headers["leadstream-version"]
    assert {name: headers[name] for name in HEADERS} == HEADERS
    assert letter.timestamp_ms >= source.timestamp_ms
    assert len(headers) == 8 + len(HEADERS)


def test_the_largest_event_is_applied(reading: Reading) -> None:
    event = {"type": "page", "anonymousId": "large", "properties": {"x": ""}}
    event["properties"] = {"x": "y" * (262_144 - len(json.dumps(event)))}
    reading.send(b"anon::large", json.dumps(event).encode())
    assert reading.new() == {"applied": 1, "read": 1}
    assert reading.running.ask("visitors", "anon::large")["events"] == 1


def test_a_record_that_only_compressed_is_small_becomes_a_dead_letter_too(reading: Reading) -> None:
    """Kafka's limit is about what travels: three times as much is a dead letter with all its bytes, and then a good event."""
    value, header = b"no json " * 400_000, ("big", bytes(3_000_000))
    far = 2 * urandom(600_000)
    sent: dict[bytes, tuple[bytes, list[tuple[str, bytes]]]] = {
        b"value": (value, []),
        b"header": (b"no json", [header]),
        b"far": (far, []),
        bytes(3_000_000): (b"{", []),
    }
    for key, (content, headers) in sent.items():
        _produce_compressed(reading.installation, key, content, headers)
    reading.send(b"anon::behind", page("behind"))
    letters = {letter.key: letter for letter in reading.installation.read("dead-letters")}
    assert {key: letters[key].value for key in sent} == {key: content for key, (content, _) in sent.items()}
    assert letters[b"header"].headers["big"] == header[1]
    assert reading.new() == {"dead_letters": 4, "applied": 1, "read": 5}


def test_a_record_that_kafka_does_not_take_back_stops_nothing(reading: Reading) -> None:
    """Of a dead letter there is what fits, and an event that a header more makes too large is a dead letter where it lies."""
    wrong = (partition_of(b"anon::full", PARTITIONS) + 1) % PARTITIONS
    _produce_compressed(reading.installation, b"much", bytes(20_000_000), [])
    reading.send(b"full", page("full"), wrong, {"big": urandom(1_048_400)})
    reading.send(b"anon::behind", page("behind"))
    letters = reading.installation.read("dead-letters")
    (much,) = (letter.headers for letter in letters if "leadstream-cut" in letter.headers)
    (full,) = (letter.headers for letter in letters if letter.key == b"full")
    assert (much["leadstream-cut"], int(much["leadstream-size"]) > 20_000_000) == (b"value", True)
    assert (full["leadstream-stage"], len(full["big"])) == (b"apply", 1_048_400)
    assert reading.new() == {"dead_letters": 2, "applied": 1, "read": 3}


def _produce_compressed(installation: Installation, key: bytes, value: bytes, headers: list[tuple[str, bytes]]) -> None:
    producer = Producer(
        {"bootstrap.servers": installation.broker.address, "compression.type": "zstd", "message.max.bytes": 60_000_000}
    )
    producer.produce(installation.topic("events"), value, key, headers=[*headers])
    assert producer.flush(30) == 0


_names = count()


def page(name: str) -> bytes:
    return json.dumps({"type": "page", "anonymousId": name, "messageId": f"m{next(_names)}"}).encode()


def test_a_misplaced_record_is_forwarded_once_and_applied_once(reading: Reading) -> None:
    value, home = page("lost"), partition_of(b"anon::lost", PARTITIONS)
    away = (home + 1) % PARTITIONS
    reading.send(b"wrong key", value, partition=away, headers={"trace": b"\xff"})
    assert reading.new() == {"forwarded": 1, "applied": 1, "read": 2}
    found, forwarded = (record for record in reading.installation.read("events") if record.value == value)
    if found.partition == home:
        found, forwarded = forwarded, found
    assert (forwarded.partition, forwarded.key) == (home, b"anon::lost")
    assert forwarded.timestamp_ms == found.timestamp_ms
    assert forwarded.headers == found.headers | {"leadstream-forwarded-from": f"{away}:{found.offset}".encode()}

    again = {"leadstream-forwarded-from": f"{away}:{found.offset}".encode()}
    for _ in range(2):  # a worker that died before its commit forwards again
        reading.send(b"anon::lost", value, partition=home, headers=again)
    assert reading.new() == {"forwarded": 1, "applied": 1, "duplicates": 2, "read": 4}
    assert reading.running.ask("visitors", "anon::lost")["events"] == 1


def test_a_record_forwarded_again_is_a_duplicate_even_where_its_messageid_was_forgotten(reading: Reading) -> None:
    value, home = page("busy"), partition_of(b"anon::busy", PARTITIONS)
    origin = {"leadstream-forwarded-from": f"{(home + 1) % PARTITIONS}:1000000"}
    headers = {name: text.encode() for name, text in origin.items()}
    reading.send(b"anon::busy", value, partition=home, headers=headers)
    reading.installation.produce("events", [(b"anon::busy", page("busy")) for _ in range(600)])
    reading.send(b"anon::busy", value, partition=home, headers=headers)
    assert reading.new() == {"applied": 601, "duplicates": 1, "read": 602}
    assert reading.running.ask("visitors", "anon::busy")["events"] == 601


def test_the_right_partition_under_a_wrong_key_is_applied_as_it_is(reading: Reading) -> None:
    reading.send(b"wrong", page("right"), partition=partition_of(b"anon::right", PARTITIONS))
    assert reading.new() == {"applied": 1, "read": 1}


def test_bad_records_are_judged_where_they_are_found(reading: Reading) -> None:
    bad = b'{"type": "page", "anonymousId": "lost", "timestamp": "never"}'
    away = (partition_of(b"anon::lost", PARTITIONS) + 1) % PARTITIONS
    reading.send(b"anon::lost", bad, partition=away)
    assert reading.new() == {"dead_letters": 1, "read": 1}


def test_the_apps_own_records_are_counted_and_skipped(reading: Reading) -> None:
    reading.send(b"anon::a", b"\xff of a later release", headers={"leadstream-internal": b"ruleset"})
    assert reading.new() == {"own": 1, "read": 1}


def test_two_workers_count_each_record_once_while_partitions_move(installation: Installation) -> None:
    assert installation.run("topics").returncode == 0
    first = run_worker(installation)
    installation.produce("events", traffic(21, 800))
    second = run_worker(installation)
    installation.produce("events", traffic(22, 800))
    known = -1

    def read() -> int:
        return first.counts()["read"] + second.counts()["read"]

    while known != (known := len(installation.read("events"))):
        wait_until(lambda: read() >= known, 60, f"{known} records")
    counts = first.counts() + second.counts()
    assert counts["read"] == known == sum(counts[name] for name in KINDS)
    assert min(first.counts()["read"], second.counts()["read"]) > 0
    assert counts["dead_letters"] == len(installation.read("dead-letters"))
    assert (first.process.stop(), second.process.stop()) == (0, 0)
