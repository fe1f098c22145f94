"""Ten thousand bad connections, slow ones, rubbish and bombs: the collector's memory stays flat, good clients notice nothing."""

import gzip
import json
import resource
import socket
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread

import psutil
import pytest

from tests.brokers import Broker, Installation, Process, free_port, wait_until

pytestmark = [pytest.mark.embedded, pytest.mark.process]

BAD = 10_000
SPARE_FILES = 500
MB = 1024 * 1024
BYTES_A_CONNECTION = 20_000
BOMBS = 30

SLOW_HEAD = b"POST /v1/page HTTP/1.1\r\nhost: x\r\nx-never-ends: "
SLOW_BODY = b"POST /v1/page HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n{" + b" " * 5000
NO_HTTP = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"
BAD_KINDS = (b"", SLOW_HEAD, SLOW_BODY, NO_HTTP)


@pytest.fixture
def installation(embedded: Broker, tmp_path: Path) -> Iterator[Installation]:
    made = Installation(embedded, tmp_path, settings={"PARTITIONS": "1", "COLLECTOR_PORT": str(free_port())})
    assert made.run("topics").returncode == 0
    yield made
    made.close()


@pytest.fixture
def bad_connections() -> Iterator[int]:
    """How many bad connections this machine lets us open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = BAD + SPARE_FILES if hard == resource.RLIM_INFINITY else min(BAD + SPARE_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
    yield most - SPARE_FILES
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def port_of(installation: Installation) -> int:
    return int(installation.settings["COLLECTOR_PORT"])


def memory(collector: Process) -> int:
    return int(psutil.Process(collector.pid).memory_info().rss)


def send(installation: Installation, first: int, count: int) -> None:
    """Send events as a good client does, one a request, on one connection; each must be accepted."""
    client = HTTPConnection("127.0.0.1", port_of(installation), timeout=20)
    for number in range(first, first + count):
        client.request("POST", "/v1/page", json.dumps({"type": "page", "anonymousId": "9f2c", "messageId": str(number)}))
        answer = client.getresponse()
        assert (answer.status, answer.read()) == (200, b'{"success":true}')
    client.close()


def throw(installation: Installation, bomb: bytes) -> None:
    """Throw bombs; each must be refused."""
    for _ in range(BOMBS):
        client = HTTPConnection("127.0.0.1", port_of(installation), timeout=20)
        client.request("POST", "/v1/batch", bomb, {"content-encoding": "gzip"})
        assert client.getresponse().status == 413
        client.close()


def open_bad(installation: Installation, count: int) -> list[socket.socket]:
    """Open connections that will never make a good request."""
    opened = []
    for number in range(count):
        bad = socket.create_connection(("127.0.0.1", port_of(installation)), timeout=20)
        bad.sendall(BAD_KINDS[number % len(BAD_KINDS)])
        opened.append(bad)
    return opened


def is_cut(bad: socket.socket) -> bool:
    bad.setblocking(False)
    try:
        while bad.recv(4096):
            pass
    except BlockingIOError:
        return False
    except ConnectionError:
        pass
    return True


def test_a_flood_of_bad_connections_leaves_memory_flat_and_good_clients_alone(
    installation: Installation, bad_connections: int
) -> None:
    collector = installation.start("collector")
    collector.wait_for_line("ready: ")
    bomb = gzip.compress(bytes(128 * MB), 9)
    send(installation, 0, 100)
    throw(installation, bomb)
    before = memory(collector)

    opened = open_bad(installation, bad_connections)
    thrower = Thread(target=throw, args=(installation, bomb))
    thrower.start()
    send(installation, 100, 300)
    thrower.join()
    assert memory(collector) - before < bad_connections * BYTES_A_CONNECTION + 32 * MB
    waiting = [bad for number, bad in enumerate(opened) if BAD_KINDS[number % len(BAD_KINDS)] is not SLOW_BODY]
    wait_until(lambda: all(map(is_cut, waiting)), 30, "the end of the slow and the wrong")
    for bad in opened:
        bad.close()

    highest = memory(collector)
    again = open_bad(installation, bad_connections)
    throw(installation, bomb)
    send(installation, 400, 100)
    assert memory(collector) - highest < 32 * MB  # what was freed is used again
    for bad in again:
        bad.close()
    records = installation.read("events")
    assert sorted(int(json.loads(record.value or b"")["messageId"]) for record in records) == list(range(500))


def test_a_head_without_end_is_refused_before_it_is_large(installation: Installation) -> None:
    installation.start("collector").wait_for_line("ready: ")
    with socket.create_connection(("127.0.0.1", port_of(installation)), timeout=20) as endless:
        sent = 0
        try:
            endless.sendall(SLOW_HEAD)
            while sent < 16 * MB:
                sent += endless.send(b"a" * 65536)
        except ConnectionError:
            pass
        assert sent < 16 * MB
    send(installation, 0, 1)
