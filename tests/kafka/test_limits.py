"""What bounds a worker: memory stays flat, ticks and answers come, whatever the traffic and however slow the broker."""

import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import orjson
import psutil
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from stream.domain.log import Tick, decode
from tests.brokers import Installation, wait_until
from tests.chaos.cluster import Cluster
from tests.chaos.proxy import Weather
from tests.kafka.workers import Running, run_worker
from tests.oracle.facts import instant_text

pytestmark = pytest.mark.process

DAY = 86_400_000
MIB = 2**20
FLAT = 48 * MIB
"""So much more at the end is no growth: the C library keeps pieces, buffers fill up to their bounds."""
PARTITIONS = 4
STANDSTILL_MS = 6_000
"""Longer without a tick would be starvation: a loop that stands still for half of it ends the worker anyway."""


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A broker behind a proxy."""
    cluster = Cluster(tmp_path_factory.mktemp("slow"))
    try:
        yield cluster.start()
    finally:
        cluster.stop()


class Watched:
    """What was seen of a worker while it read: (records read, resident bytes), and answers in seconds."""

    def __init__(self, worker: Running, total: int, id_: str) -> None:
        self.samples: list[tuple[int, int]] = []
        self.answers = 0
        process = psutil.Process(worker.process.pid)

        def look() -> bool:
            assert worker.process.exit_code is None, worker.process.output[-3000:]
            read = worker.counts()["read"]
            self.samples.append((read, process.memory_info().rss))
            self.answers += read < total and worker.get(f"/v1/visitors/{id_}")[0] in {200, 404}
            return read >= total

        wait_until(look, 240, f"{total} records")
        self.total = total

    @property
    def growth(self) -> int:
        """How much larger it ever was behind the first third than in it, in bytes."""
        early = [rss for read, rss in self.samples if 0 < read <= self.total / 3]
        late = [rss for read, rss in self.samples if read > self.total / 3]
        return max(late) - max(early, default=late[0])


def page(number: int, **who: str) -> bytes:
    return orjson.dumps(
        {"type": "page", "messageId": f"m{number}", "context": {"page": {"url": "https://x.example/products/a"}}} | who
    )


def longest_silence_ms(installation: Installation) -> int:
    """Return the longest time between two ticks of one partition."""
    at: dict[int, list[int]] = {}
    for record in installation.read("people"):
        told = decode(record.value or b"")
        if isinstance(told, Tick):
            at.setdefault(told.partition, []).append(record.timestamp_ms)
    assert sorted(at) == list(range(PARTITIONS))
    return max(later - earlier for times in at.values() for earlier, later in pairwise(times))


@pytest.mark.parametrize("who", [{"anonymousId": "hot"}, {"userId": "hot"}], ids=["nobody", "a lead"])
def test_a_hot_key_and_a_backlog_leave_memory_flat_and_starve_neither_ticks_nor_answers(
    on_kafka: Installation, who: dict[str, str]
) -> None:
    on_kafka.forks = False  # a fork's memory is not all its own
    count = 100_000 if "anonymousId" in who else 20_000
    assert on_kafka.run("topics").returncode == 0
    kind = "anon" if "anonymousId" in who else "user"
    others = ((f"anon::{n % 500}".encode(), page(n, anonymousId=str(n % 500))) for n in range(count))
    on_kafka.produce("events", others)
    on_kafka.produce("events", ((f"{kind}::hot".encode(), page(count + n, **who)) for n in range(count)))

    worker = run_worker(on_kafka)
    watched = Watched(worker, 2 * count, f"{kind}::hot")

    assert watched.growth < FLAT, watched.samples
    assert watched.answers
    assert worker.ask("visitors", f"{kind}::hot")["events"] == count
    assert longest_silence_ms(on_kafka) < STANDSTILL_MS
    assert worker.process.stop() == 0, worker.process.output


def test_a_slow_broker_makes_a_worker_slow_and_neither_large_nor_dead(slow: Cluster, tmp_path: Path) -> None:
    """A lead with traits of 20 KB: each small event makes a large snapshot, and they go out slower than events come in."""
    made, count = Installation(slow.broker, tmp_path), 10_000
    assert made.run("topics").returncode == 0
    traits = {f"trait-{n}": "x" * 200 for n in range(100)}
    fat = orjson.dumps({"type": "identify", "userId": "fat", "messageId": "first", "traits": traits})
    made.produce("events", [(b"user::fat", fat), *((b"user::fat", page(n, userId="fat")) for n in range(count - 1))])

    try:
        with slow.weather(Weather(delay_s=0.03)):
            worker = run_worker(made, KAFKA=slow.fronts)
            size = psutil.Process(worker.process.pid).memory_info().rss
            watched = Watched(worker, count, "user::fat")
            largest = max(rss for _, rss in watched.samples)
        assert largest - size < 2 * FLAT, f"{count} snapshots of 20 KB are {count * 20 // 1024} MiB: {watched.samples}"
        assert worker.ask("visitors", "user::fat")["events"] == count
        assert longest_silence_ms(made) < 2 * STANDSTILL_MS
        assert worker.process.stop() == 0, worker.process.output
    finally:
        made.close()


def test_an_import_of_people_with_much_told_of_each_passes_through(on_kafka: Installation) -> None:
    """What one cut takes of them would be several megabytes if it were counted by rows alone."""
    count = 1_500
    assert on_kafka.run("topics").returncode == 0
    traits = {f"trait-{n}": "x" * 200 for n in range(20)}
    told = {"type": "identify", "traits": traits}
    people = ((f"user::u{n}", orjson.dumps(told | {"userId": f"u{n}", "messageId": f"m{n}"})) for n in range(count))
    on_kafka.produce("events", ((key.encode(), value) for key, value in people))
    worker = run_worker(on_kafka)
    worker.wait_until_applied(count)
    wait_until(lambda: len(on_kafka.read("lead-states")) >= count, 60, "a state of each")
    assert worker.ask("leads", "user::u7")["members"] == ["user::u7"]
    assert worker.process.stop() == 0, worker.process.output


def test_a_visitor_behind_the_idle_horizon_leaves_memory_and_changelog(on_kafka: Installation) -> None:
    rules = on_kafka.folder / "rules.toml"
    rules.write_text('[decay]\nhalf_life = "1d"\n[behaviours.seen]\nmatch = {}\npoints = 1\n[visitors]\nidle_horizon = "30d"\n')
    on_kafka.settings["RULESET"] = str(rules)
    assert on_kafka.run("topics").returncode == 0
    now_ms = int(time.time() * 1000)

    def seen(who: str, days: int, number: int) -> tuple[bytes, bytes]:
        event = {"type": "page", "anonymousId": who, "messageId": f"m{number}", "receivedAt": instant_text(now_ms - days * DAY)}
        return f"anon::{who}".encode(), orjson.dumps(event)

    def changelog(who: str) -> list[bytes | None]:
        rows = on_kafka.read(f"{on_kafka.app}-visitors-changelog")
        return [row.value for row in rows if row.key == f"anon::{who}".encode()]

    worker = run_worker(on_kafka)
    on_kafka.produce("events", [seen("long-ago", 31, 1), seen("lately", 29, 2)])
    worker.wait_until_applied(2)
    assert worker.ask("visitors", "anon::long-ago")["events"] == 1
    assert worker.get(f"/v1/visitors/anon::long-ago?at={instant_text(now_ms)}")[0] == 404, "the clock is beyond its horizon"
    wait_until(lambda: changelog("long-ago") and changelog("lately"), 30, "the rows in the changelog")

    places = [TopicPartition(on_kafka.topic("events"), n, -1) for n in range(PARTITIONS)]
    admin = AdminClient({"bootstrap.servers": on_kafka.broker.address, "log_level": 0})
    for future in admin.delete_records(places).values():
        future.result(30)  # as retention does

    wait_until(lambda: changelog("long-ago")[-1] is None, 60, "the null in the changelog")
    assert worker.get("/v1/visitors/anon::long-ago")[0] == 404
    on_kafka.produce("events", [seen("long-ago", 0, 3), seen("lately", 0, 4)])
    worker.wait_until_applied(4)
    assert worker.ask("visitors", "anon::long-ago")["events"] == 1
    assert worker.ask("visitors", "anon::lately")["events"] == 2
    assert worker.process.stop() == 0, worker.process.output

    again = run_worker(on_kafka)
    assert again.ask("visitors", "anon::long-ago")["events"] == 1
    assert again.process.stop() == 0, again.process.output
