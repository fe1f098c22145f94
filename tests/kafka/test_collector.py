"""The collector on a real Kafka: what is acknowledged is stored and counted once, whoever is killed; unmodified clients work."""

import fcntl
import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import pytest

from stream.runtime.embedded import free_port
from stream.runtime.producer import partition_of
from tests.brokers import Installation, Process, wait_until
from tests.kafka.workers import run_worker

CLIENTS = Path(__file__).parents[1] / "clients"
NODE_SCRIPTS = ("from_node.js", "from_pages.js")
CACHE = Path(__file__).parents[2] / ".cache"
PARTITIONS = 4
VISITORS = 4
BATCH = 5
AFTER_EACH = 40
"""Acknowledged requests between two blows."""


@dataclass
class Collector:
    """A collector that is killed and started again where it was."""

    installation: Installation
    port: int = field(default_factory=free_port)
    process: Process | None = None

    def start(self, **settings: str) -> Process:
        chosen = {"COLLECTOR_PORT": str(self.port), "LOG_FORMAT": "console"} | settings
        self.process = self.installation.start("collector", **chosen)
        self.process.wait_for_line(r"ready: the collector listens")
        return self.process

    def kill(self) -> None:
        """End it by kill -9; its exit code is nobody's concern from now on."""
        assert self.process is not None
        self.process.kill()
        self.installation.processes.remove(self.process)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class Visitor(threading.Thread):
    """Sends batches one after the other as clients do: again and again, the same bytes, until the answer is 200."""

    def __init__(self, number: int, port: int) -> None:
        super().__init__(daemon=True)
        self.id, self.port = f"visitor-{number}", port
        self.acknowledged: list[str] = []
        self.repeats = 0
        self.ends = threading.Event()

    def run(self) -> None:
        while not self.ends.is_set():
            at = len(self.acknowledged)
            ids = [f"{self.id}-{number}" for number in range(at, at + BATCH)]
            events = [{"type": "page", "anonymousId": self.id, "messageId": id_} for id_ in ids]
            self.send(json.dumps({"batch": events, "writeKey": "K"}).encode())
            self.acknowledged += ids

    def send(self, body: bytes) -> None:
        while not self.is_taken(body):
            self.repeats += 1
            time.sleep(0.05)

    def is_taken(self, body: bytes) -> bool:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("POST", "/v1/batch", body)
            answer = connection.getresponse()
            said = answer.read()
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()
        assert answer.status in {200, 503}, said
        if answer.status == 503:
            assert answer.getheader("Retry-After") == "2"
        return answer.status == 200


def half_a_request(port: int) -> tuple[socket.socket, bytes]:
    """Return a connection on which half a request was sent, and the other half."""
    body = json.dumps({"type": "page", "anonymousId": "slow", "messageId": "slow"}).encode()
    head = b"POST /v1/page HTTP/1.1\r\nHost: c\r\nContent-Length: %d\r\n\r\n" % len(body)
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    connection.sendall(head + body[:10])
    return connection, body[10:]


def counted(worker: Any, visitor: str) -> int:
    return int(worker.ask("visitors", visitor).get("events", 0))


@pytest.mark.process
def test_what_is_acknowledged_is_stored_and_counted_once_whoever_is_killed(own_kafka: Installation) -> None:
    node = own_kafka.broker.process
    assert node is not None
    assert own_kafka.run("topics").returncode == 0
    collector = Collector(own_kafka)
    collector.start()
    visitors = [Visitor(number, collector.port) for number in range(VISITORS)]
    for visitor in visitors:
        visitor.start()

    def goes_on() -> None:
        enough = sum(len(visitor.acknowledged) for visitor in visitors) + BATCH * AFTER_EACH
        wait_until(lambda: sum(len(visitor.acknowledged) for visitor in visitors) > enough, 60, "acknowledgements")

    goes_on()
    collector.kill()
    collector.start()
    goes_on()
    node.process.kill()
    node.start()
    goes_on()
    slow, rest = half_a_request(collector.port)
    assert collector.process is not None
    stopping = threading.Thread(target=collector.process.stop)
    stopping.start()
    wait_until(lambda: not listens(collector.port), 20, "the end of new connections")
    with slow:
        slow.sendall(rest)
        assert slow.recv(4096).startswith(b"HTTP/1.1 200 OK"), "what came in before SIGTERM is answered"
    stopping.join(20)
    assert collector.process.exit_code == 0, collector.process.output
    collector.start()
    goes_on()
    for visitor in visitors:
        visitor.ends.set()
    for visitor in visitors:
        visitor.join(30)
    records = own_kafka.read("events")
    assert all(record.partition == partition_of(record.key or b"", PARTITIONS) for record in records)
    stored = Counter(json.loads(record.value or b"")["messageId"] for record in records)
    told = [id_ for visitor in visitors for id_ in visitor.acknowledged]
    assert len(told) == len(set(told))
    assert [id_ for id_ in told if not stored[id_]] == [], "acknowledged, and not there"
    assert sum(visitor.repeats for visitor in visitors) > 0, "nothing was sent twice: the blows hit nobody"
    worker = run_worker(own_kafka)
    worker.wait_until_applied(stored.total())
    assert {visitor.id: counted(worker, f"anon::{visitor.id}") for visitor in visitors} == {
        visitor.id: len(visitor.acknowledged) for visitor in visitors
    }
    assert counted(worker, "anon::slow") == 1


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@pytest.fixture
def node_clients() -> Path | None:
    """Install the clients of npm once; None where there is no node, or no registry."""
    if not shutil.which("npm"):
        return None
    place, lock = CACHE / "clients", (CLIENTS / "package-lock.json").read_bytes()
    place.mkdir(parents=True, exist_ok=True)
    with Path(CACHE, "clients.installing").open("w") as one:
        fcntl.flock(one, fcntl.LOCK_EX)  # the tests run in two processes
        if not (place / "installed").exists() or (place / "installed").read_bytes() != lock:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(CLIENTS / name, place)
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            if subprocess.run(command, cwd=place, capture_output=True, check=False, timeout=120).returncode:
                return None
            (place / "installed").write_bytes(lock)
    for name in NODE_SCRIPTS:
        shutil.copy(CLIENTS / name, place)
    return place


@pytest.mark.process
def test_unmodified_clients_run_and_every_event_of_theirs_counts_once(on_kafka: Installation, node_clients: Path | None) -> None:
    for library in ("segment", "rudderstack", "snowplow_tracker"):
        pytest.importorskip(library, reason="install the extra `dev`")
    assert on_kafka.run("topics").returncode == 0
    collector = Collector(on_kafka)
    ranges, web_port = on_kafka.folder / "ranges.csv", str(free_port())
    ranges.write_text("network,name,domain,kind,industry\n198.51.100.0/24,Halcyon Oil,halcyon.example,business,petroleum\n")
    collector.start(COMPANY_RANGES=str(ranges), TRUSTED_PROXIES="127.0.0.1", WEB_PORT=web_port)
    assert personal(collector, "")["company"]["industry"] == "petroleum", "on the first request, by the address alone"
    commands = [[sys.executable, str(CLIENTS / "from_python.py"), collector.address]]
    if node_clients is not None:
        commands += [["node", name, collector.address] for name in NODE_SCRIPTS]
    expected = {user: count for command in commands for user, count in sent_by(command, node_clients)}
    worker = run_worker(on_kafka, WEB_PORT=web_port)
    worker.wait_until_applied(sum(expected.values()))
    assert {user: counted(worker, f"user::{user}") for user in expected} == expected
    assert worker.counts()["dead_letters"] == 0
    lead = wait_until(lambda: worker.ask("leads", "user::segment-python").get("members"), 20, "the lead") or []
    assert "email::segment-python@acme.example" in lead
    known = wait_until(lambda: told_of(collector, "device-of-snowplow-python-post"), 20, "what the worker knows") or {}
    assert {"pricing"} <= {tag["tag"] for tag in known["tags"]}
    assert (known["stage"], known["company"]["name"]) == ("lead", "Halcyon Oil")
    if node_clients is None:
        pytest.skip("the clients of PyPI count; those of npm were not tried: no npm, or no registry")


def told_of(collector: Collector, device: str) -> dict[str, Any] | None:
    """Return what a page is told of a device, once the worker has said it in time."""
    told = personal(collector, f"?anonymousId={device}")
    return told if told["tags"] else None


def personal(collector: Collector, query: str) -> dict[str, Any]:
    connection = HTTPConnection("127.0.0.1", collector.port, timeout=20)
    try:
        connection.request("GET", f"/v1/personalise{query}", headers={"X-Forwarded-For": "198.51.100.9"})
        document: dict[str, Any] = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    return document


def sent_by(command: list[str], folder: Path | None) -> Iterator[tuple[str, int]]:
    """Run clients; yield how many events each user of theirs sent."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=folder)
    assert done.returncode == 0, done.stderr[-2000:]
    yield from json.loads(done.stdout).items()
