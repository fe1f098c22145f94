"""Commands that only need a broker: topics, send, deadletters, broker."""

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

import orjson
import psutil
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from confluent_kafka import Producer

from stream.domain import canary, log
from tests.brokers import ROOT, Broker, Installation, Process

LINE = '192.0.2.1 - - [22/Nov/2026:10:00:0%d +0000] "GET /a?b=%d HTTP/1.1" 200 12 "-" "curl/8"'


@pytest.fixture
def ready(installation: Installation) -> Installation:
    """An installation whose topics exist."""
    assert installation.run("topics").returncode == 0
    return installation


def test_topics_are_made_once_and_are_then_as_they_should_be(installation: Installation) -> None:
    installation.forks = False  # typed as an operator does
    first = installation.run("topics")
    second = installation.run("topics")
    check = installation.run("topics", "--check")

    assert (first.returncode, second.returncode, check.returncode) == (0, 0, 0), first.stderr + check.stdout
    assert first.stdout.count("created") == 11
    assert "created" not in second.stdout
    assert f"{installation.prefix}people (1)" in first.stdout
    assert f"{installation.app}-visitors-changelog (4)" in first.stdout


def test_a_check_names_each_difference_and_exits_with_1(ready: Installation) -> None:
    check = ready.run("topics", "--check", RETENTION_EVENTS="3d", PARTITIONS="5")

    assert check.returncode == 1
    assert f"{ready.prefix}events: retention.ms is 604800000, should be 259200000" in check.stdout
    assert f"{ready.prefix}events: partitions is 4, should be 5" in check.stdout
    assert check.stderr.startswith("leadstream: ")


def test_a_check_before_anything_exists_says_so(installation: Installation) -> None:
    check = installation.run("topics", "--check")

    assert check.returncode == 1
    assert f"{installation.prefix}events: is missing" in check.stdout


def test_a_worker_refuses_topics_with_other_partition_counts(ready: Installation) -> None:
    worker = ready.run("worker", PARTITIONS="8")

    assert worker.returncode == 2
    assert "PARTITIONS" in worker.stderr
    assert worker.stderr.count("\n") == 1


def test_sent_lines_arrive_in_order_keyed_and_placed_as_java_places_them(ready: Installation) -> None:
    ids = [f"visitor-{n % 7}" for n in range(200)]
    lines = [orjson.dumps({"type": "page", "anonymousId": i, "messageId": f"m{n}"}) for n, i in enumerate(ids)]
    file = ready.folder / "events.ndjson"
    file.write_bytes(b"\n".join(lines) + b"\n")

    sent = ready.run("send", str(file))
    ready.produce("events", [(f"anon::{i}".encode(), b"by another client") for i in set(ids)])
    records = ready.read("events")

    assert sent.returncode == 0, sent.stderr
    assert sent.stdout == "200 events acknowledged by Kafka\n"
    ours = [record for record in records if record.value != b"by another client"]
    assert sorted(record.value or b"" for record in ours) == sorted(lines)
    for i in set(ids):
        mine = [record for record in records if record.key == f"anon::{i}".encode()]
        assert len({record.partition for record in mine}) == 1, "murmur2 on both sides"
        assert [record.value for record in mine[:-1]] == [x for x in lines if orjson.loads(x)["anonymousId"] == i]


def test_a_line_that_is_no_event_is_sent_without_a_key(ready: Installation) -> None:
    sent = ready.run("send", "-", stdin='{"type":"page","anonymousId":"a"}\nnonsense\n\n')

    assert sent.returncode == 0, sent.stderr
    assert sorted((record.key, record.value) for record in ready.read("events") if record.key is None) == [
        (None, b""),
        (None, b"nonsense"),
    ]


def test_an_access_log_becomes_events_and_bad_lines_are_told(ready: Installation) -> None:
    log = ready.folder / "access.log"
    log.write_text("\n".join([LINE % (1, 1), "no log line", LINE % (2, 2)]))

    sent = ready.run("send", "--format", "combined", "--as-recorded", str(log))
    events = [orjson.loads(record.value or b"") for record in ready.read("events")]

    assert sent.returncode == 1
    assert sent.stdout == "2 events acknowledged by Kafka\n"
    assert "access.log:2: no line of a combined log: no log line" in sent.stderr
    assert [event["messageId"].rpartition(":")[2] for event in events] == ["1", "3"]
    assert {event["receivedAt"] == event["timestamp"] for event in events} == {True}
    assert {record.headers["leadstream-history"] for record in ready.read("events")} == {b"1"}


def test_a_line_larger_than_kafka_accepts_is_told_and_the_rest_is_sent(on_kafka: Installation) -> None:
    assert on_kafka.run("topics").returncode == 0

    large = orjson.dumps({"type": "page", "anonymousId": "a", "properties": {"x": "y" * 1_100_000}}).decode()
    sent = on_kafka.run("send", "-", stdin=f'{large}\n{{"type":"page","anonymousId":"a"}}\n')

    assert sent.returncode == 1
    assert sent.stdout == "1 events acknowledged by Kafka\n"
    assert "-:1: larger than Kafka accepts" in sent.stderr
    assert len(on_kafka.read("events")) == 1


def _dead(reason: str, offset: int, **more: str) -> dict[str, bytes]:
    headers = {"reason": reason, "message": f"why {offset}", "topic": "events", "partition": "0", "offset": str(offset)}
    return {f"leadstream-{name.replace('_', '-')}": value.encode() for name, value in (headers | more).items()}


def test_dead_letters_are_listed_shown_and_replayed(ready: Installation) -> None:
    ready.produce("dead-letters", [(b"anon::a", b"\xff{")], headers=_dead("not_json", 7), partition=0)
    ready.produce("dead-letters", [(b"anon::a", b"{}")], headers=_dead("unknown_type", 8), partition=0)
    place = f"{ready.topic('dead-letters')}:0:1"

    listed = orjson.loads(ready.run("deadletters", "list", "--json").stdout)["deadLetters"]
    one = ready.run("deadletters", "list", "--reason", "unknown_type", "--since", "1h")
    shown = orjson.loads(ready.run("deadletters", "show", place, "--json").stdout)
    meant = orjson.loads(ready.run("deadletters", "show", "--reason", "not_json", "--json").stdout)["deadLetters"]
    replayed = ready.run("deadletters", "replay", "--reason", "unknown_type")
    (back,) = ready.read("events")

    assert [letter["reason"] for letter in listed] == ["not_json", "unknown_type"]
    assert one.stdout.startswith(place)
    assert (shown["found"], shown["value"], shown["key"]) == ("events:0:8", "{}", "anon::a")
    assert [(letter["found"], letter["value"]) for letter in meant] == [("events:0:7", "\\xff{")]
    assert replayed.stdout == "1 dead letters replayed: 1 unknown_type\n"
    assert (back.key, back.value, back.headers) == (b"anon::a", b"{}", {"leadstream-replayed": place.encode()})


class Latin(str):
    """A header's name that is no UTF-8."""

    __slots__ = ()

    def encode(self, *_: Any, **__: Any) -> bytes:
        return b"\xfcber"


async def _send_odd(address: str, topic: str) -> None:
    builder = _DefaultRecordBatchBuilderPy(
        magic=2, compression_type=0, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=-1, batch_size=1 << 16
    )
    headers = [(Latin("?"), b"1"), *_dead("unknown_type", 8).items()]
    async with AIOKafkaProducer(bootstrap_servers=address) as producer:
        batch = producer.create_batch()
        batch._builder = builder
        builder.append(0, 1_795_000_000_000, b"anon::a", b"{}", headers)
        batch._relative_offset = 1
        batch.close()
        await (await producer.send_batch(batch, topic, partition=0))


def test_a_header_whose_name_is_no_utf_8_hinders_no_command(ready: Installation) -> None:
    asyncio.run(_send_odd(ready.broker.address, ready.topic("dead-letters")))
    ready.produce("dead-letters", [(b"anon::b", b"{}")], headers=_dead("unknown_type", 9), partition=0)
    listed = ready.run("deadletters", "list", "--json")
    assert listed.returncode == 0, listed.stderr
    assert [letter["found"] for letter in orjson.loads(listed.stdout)["deadLetters"]] == ["events:0:8", "events:0:9"]


def test_more_letters_than_go_at_once_are_replayed_to_their_end(ready: Installation) -> None:
    """Each hundred is noted in Kafka; the embedded broker forgets the note, and that is no other replay."""
    ready.produce("dead-letters", [(b"anon::a", b"{}")] * 201, headers=_dead("unknown_type", 8), partition=0)

    replayed = ready.run("deadletters", "replay")

    assert (replayed.returncode, replayed.stdout) == (0, "201 dead letters replayed: 201 unknown_type\n"), replayed.stderr
    assert ("the embedded broker keeps no notes" in replayed.stderr) is (ready.broker.kind == "embedded")
    assert len(ready.read("events")) == 201


def test_a_letter_that_came_back_is_replayed_through_the_newer_one_only(ready: Installation) -> None:
    ready.produce("dead-letters", [(b"anon::a", b"{}")], headers=_dead("unknown_type", 8), partition=0)
    first = f"{ready.topic('dead-letters')}:0:0"
    ready.produce("dead-letters", [(b"anon::a", b"{}")], headers=_dead("unknown_type", 9, replayed=first), partition=0)

    said = "1 dead letters replayed: 1 unknown_type\n1 skipped: 1 replayed as a newer letter\n"
    assert ready.run("deadletters", "replay").stdout == said
    (back,) = ready.read("events")
    assert back.headers["leadstream-replayed"] == f"{ready.topic('dead-letters')}:0:1".encode()


@pytest.mark.parametrize("words", [("topics",), ("worker",), ("send", "-"), ("deadletters", "list")], ids=lambda words: words[0])
def test_without_kafka_it_is_one_line_and_exit_3(words: tuple[str, ...], tmp_path: Path) -> None:
    nowhere = Installation(Broker("127.0.0.1:9", "kafka"), tmp_path)

    done = nowhere.run(*words, stdin="")

    assert done.returncode == 3, done.stderr
    assert done.stderr.startswith("leadstream: Kafka does not answer at 127.0.0.1:9: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.embedded
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_the_embedded_broker_leaves_neither_process_nor_file(number: signal.Signals, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o500)
    env = {"HOME": str(home), "PYTHONPATH": str(ROOT), "PATH": ""}
    command = Process([sys.executable, "-m", "stream", "broker", "--port", "0"], env, tmp_path / "log", tmp_path).start()
    address = command.wait_for_line(r"listens on (\S+)")[1]
    (child,) = psutil.Process(command.pid).children()

    command.signal(number)

    assert command.wait() == (-number if number is signal.SIGKILL else 0)
    assert not psutil.wait_procs([child], timeout=10)[1]
    assert list(home.iterdir()) == []
    assert address.startswith("127.0.0.1:")


def test_what_is_copied_may_be_large_and_nothing_is_from_before_an_erasure(on_kafka: Installation) -> None:
    assert on_kafka.run("topics").returncode == 0
    old = f"{on_kafka.prefix}old-"
    assert on_kafka.run("topics", APP=f"{on_kafka.app}-old", TOPIC_PREFIX=old).returncode == 0
    erase = log.encode(log.Erase(1, 1_000, b"salt", ["anon::a"]))  # by a clock that stood still long before
    producer = Producer(
        {"bootstrap.servers": on_kafka.broker.address, "compression.type": "gzip", "message.max.bytes": 10_000_000}
    )
    records = [
        (_page("a", 1), {}), (erase, {"leadstream-internal": b"erase"}), (_page("a", 2), {}), (b"x" * 3_000_000, {}),
    ]  # fmt: skip
    for value, headers in records:
        producer.produce(f"{old}events", value, b"anon::a", partition=0, headers=list(headers.items()))
        assert producer.flush(30) == 0

    done = on_kafka.run("copy", "--from", old)
    assert done.stdout.startswith("2 events copied, 1 records"), done.stderr
    copied = [record.value or b"" for record in on_kafka.read("events")]
    assert max(map(len, copied)) == 3_000_000
    assert [orjson.loads(value)["messageId"] for value in copied if len(value) < 1_000] == ["2"]

    producer.produce(f"{old}events", orjson.dumps(canary.event_of("7")), canary.node_of("7").encode(), partition=0)
    assert producer.flush(30) == 0
    done = on_kafka.run("copy", "--from", old)
    assert done.stdout.startswith("0 events copied, 1 records"), done.stderr  # so an operator sees that all is there
    seen = on_kafka.run("lag", "--json", APP=f"{on_kafka.app}-old", TOPIC_PREFIX=old)
    assert f"{on_kafka.app}-copy" not in seen.stdout, "nobody waits for a copy that has ended: it would alarm as stopped"
    assert orjson.loads(seen.stdout)["partitions"], seen.stderr


def test_a_line_without_a_time_is_recorded_behind_one_whose_number_is_of_our_region(ready: Installation) -> None:
    file = ready.folder / "history.ndjson"
    before = {"type": "identify", "traits": {"phone": "030 901820"}, "timestamp": "2026-11-22T10:00:00Z"}
    file.write_bytes(orjson.dumps(before) + b"\n" + _page("a", 1))
    sent = ready.run("send", "--as-recorded", str(file), PHONE_REGION="DE")
    assert sent.returncode == 0, sent.stderr
    assert {orjson.loads(record.value or b"")["receivedAt"] for record in ready.read("events")} == {"2026-11-22T10:00:00.000Z"}


def _page(name: str, number: int) -> bytes:
    return orjson.dumps({"type": "page", "anonymousId": name, "messageId": str(number)})
