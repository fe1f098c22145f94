"""`deadletters replay`: interrupted, repeated, two at once; each letter is applied once."""

import signal
import time
from collections import Counter
from collections.abc import Mapping
from os import urandom

import orjson
import pytest
from confluent_kafka import Producer

from stream.runtime.producer import partition_of
from tests.brokers import Installation, Process, wait_until
from tests.kafka.group import committed
from tests.kafka.workers import run_worker

pytestmark = pytest.mark.process

COUNT, FAILING = 6_000, 20
"""Far more than a row remembers of replays, and without a message id or a time of their own: nothing else tells them apart."""
VISITORS = ("a", "b")
SLICE_S = 0.01
"""So long a replay runs between two looks: a fiftieth of what all letters take, for a sleep may take ten times as long."""


@pytest.fixture
def ready(on_kafka: Installation) -> Installation:
    """An installation on an Apache Kafka whose topics exist."""
    assert on_kafka.run("topics").returncode == 0
    return on_kafka


def letters(*events: Mapping[str, object]) -> list[tuple[bytes, bytes]]:
    return [(f"anon::{event['anonymousId']}".encode(), orjson.dumps(event)) for event in events]


def dead(reason: str) -> dict[str, bytes]:
    headers = {"reason": reason, "message": "why", "stage": "validate", "topic": "events", "partition": "0", "offset": "0"}
    return {f"leadstream-{name}": value.encode() for name, value in headers.items()}


def fill(installation: Installation, count: int = COUNT, failing: int = FAILING) -> None:
    """Put letters into the topic: some of them will be refused again."""
    good = [{"type": "page", "anonymousId": VISITORS[n % 2], "properties": {"n": n}} for n in range(count)]
    bad = [{"type": "nothing", "anonymousId": "a", "properties": {"n": n}} for n in range(failing)]
    installation.produce("dead-letters", letters(*good), headers=dead("schema_violation"))
    installation.produce("dead-letters", letters(*bad), headers=dead("unknown_type"))


def noted(installation: Installation) -> int:
    """Return how far the replays have noted that they are."""
    return sum(committed(installation, "dead-letters", group=f"{installation.app}-replay").values())


def begun(installation: Installation) -> Process:
    """Start a replay and return it frozen when it has noted something; between our looks it stands still, lest it be over."""
    replay = installation.start("deadletters", "replay", name="replay")

    def noted_something() -> bool:
        replay.signal(signal.SIGCONT)
        time.sleep(SLICE_S)
        replay.signal(signal.SIGSTOP)
        return noted(installation) > 0

    wait_until(noted_something, 60, "a note of the replay")
    return replay


def test_a_replay_that_is_killed_and_repeated_applies_each_letter_once(ready: Installation) -> None:
    fill(ready)
    worker = run_worker(ready)

    begun(ready).kill()
    ready.processes.pop()
    sent = len(ready.read("events"))
    rest = ready.run("deadletters", "replay")
    again = ready.run("deadletters", "replay", "--reason", "schema_violation")

    assert 0 < sent < COUNT, "it was killed in the middle"
    assert (rest.returncode, again.returncode) == (0, 0), rest.stderr + again.stderr
    assert again.stdout == f"0 dead letters replayed\n{COUNT} skipped: {COUNT} replayed before\n"
    records = len(ready.read("events"))
    assert COUNT + FAILING <= records <= COUNT + FAILING + 100, "at most what was on its way is sent twice"
    worker.wait_until_applied(records)
    assert Counter({name: worker.ask("visitors", f"anon::{name}")["events"] for name in VISITORS}) == {
        "a": COUNT // 2,
        "b": COUNT // 2,
    }
    assert worker.process.stop() == 0, worker.process.output


def test_what_still_fails_is_a_dead_letter_again_and_replayed_through_that(ready: Installation) -> None:
    fill(ready, count=0)
    worker = run_worker(ready)

    first = ready.run("deadletters", "replay", "--reason", "unknown_type")
    ready.wait_for_records("dead-letters", lambda held: len(held) == 2 * FAILING)
    second = ready.run("deadletters", "replay")
    ready.wait_for_records("dead-letters", lambda held: len(held) == 3 * FAILING)
    listed = orjson.loads(ready.run("deadletters", "list", "--json").stdout)["deadLetters"]

    assert first.stdout == f"{FAILING} dead letters replayed: {FAILING} unknown_type\n"
    assert second.stdout == first.stdout + f"{FAILING} skipped: {FAILING} replayed as a newer letter\n"
    assert len({letter["place"] for letter in listed}) == 3 * FAILING
    assert {letter["found"].split(":")[0] for letter in listed[FAILING:]} == {ready.topic("events")}
    assert worker.process.stop() == 0, worker.process.output


def test_a_letter_that_kafka_does_not_take_back_holds_up_no_other(ready: Installation) -> None:
    """One fits compressed, the header of a replay is too much for one, and of the largest key only so much is sent at once."""
    packed, full = b"no json " * 400_000, urandom(1_048_588)
    producer = Producer({"bootstrap.servers": ready.broker.address, "compression.type": "zstd", "message.max.bytes": 4_000_000})
    for key, value in ((b"packed", packed), (bytes(3_000_000), b"{"), (b"full", full), (b"behind", b"{")):
        producer.produce(ready.topic("dead-letters"), value, key, headers=[*dead("not_json").items()], partition=0)
    assert producer.flush(30) == 0

    first = ready.run("deadletters", "replay")
    again = ready.run("deadletters", "replay")

    assert first.stdout == "3 dead letters replayed: 3 not_json\n1 skipped: 1 larger than Kafka accepts\n", first.stderr
    assert again.stdout == "0 dead letters replayed\n4 skipped: 3 replayed before, 1 larger than Kafka accepts\n"
    sent = {record.key: record for record in ready.read("events")}
    assert {key: record.value for key, record in sent.items()} == {b"packed": packed, bytes(3_000_000): b"{", b"behind": b"{"}
    assert sent[b"packed"].partition == partition_of(b"packed", 4)
    (place,) = (letter.offset for letter in ready.read("dead-letters") if letter.key == b"packed")
    assert sent[b"packed"].headers == {"leadstream-replayed": f"{ready.topic('dead-letters')}:0:{place}".encode()}


def test_two_replays_at_once_are_noticed(ready: Installation) -> None:
    fill(ready)
    first = begun(ready)

    second = ready.run("deadletters", "replay")
    first.signal(signal.SIGCONT)

    assert second.returncode == 0, second.stderr
    assert first.wait() == 1
    assert "leadstream: another replay is running" in first.output
    assert len(ready.read("events")) <= COUNT + FAILING + 200


def test_letters_are_replayed_by_reason_time_and_number(ready: Installation) -> None:
    now_ms = int(time.time() * 1000)
    for age_h, reason in ((5, "not_json"), (3, "unknown_type"), (1, "schema_violation"), (0, "too_large")):
        event = {"type": "page", "anonymousId": reason}
        headers, at = dead(reason), now_ms - age_h * 3_600_000
        ready.produce("dead-letters", letters(event), headers=headers, timestamp_ms=at, partition=0)
    ready.produce("dead-letters", [(None, None)], headers=dead("erased"), partition=0)

    def sent(*options: str) -> str:
        return ready.run("deadletters", "replay", *options).stdout

    between = "1 dead letters replayed: 1 unknown_type\n"
    assert sent("--since", "4h", "--until", "2h") == between
    assert sent("--reason", "not_json", "--reason", "unknown_type") == (
        "1 dead letters replayed: 1 not_json\n1 skipped: 1 replayed before\n"
    )
    assert sent("--limit", "1") == "1 dead letters replayed: 1 too_large\n1 skipped: 1 without content\n"
    assert sent("--limit", "1") == "0 dead letters replayed\n2 skipped: 1 without content, 1 replayed before\n"
    assert [record.key for record in ready.read("events")].count(None) == 0
    wrong = ready.run("deadletters", "replay", "--reason", "not-json")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
