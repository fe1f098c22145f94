"""A fork is what `python -m stream` would be as a process of its own, and it ends with whoever wanted it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.brokers import ROOT, wait_until
from tests.nursery import is_there, nursery

pytestmark = pytest.mark.skipif(not is_there(), reason="no forks here")

ENV = {name: value for name, value in os.environ.items() if not name.startswith("LEADSTREAM_")} | {"PYTHONPATH": str(ROOT)}
Run = Callable[..., subprocess.CompletedProcess[str]]


def started(words: list[str], env: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "stream", *words]
    return subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, check=False)


def forked(words: list[str], env: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    return nursery().run(["stream", *words], env, folder, 60)


@pytest.mark.parametrize(
    ("words", "settings", "code"),
    [
        (["topics", "--help"], {}, 0),
        (["worker"], {"LEADSTREAM_PARTITION": "3"}, 2),
        (["topics"], {"LEADSTREAM_KAFKA": "127.0.0.1:1", "LEADSTREAM_KAFKA_PLAINTEXT": "anywhere"}, 3),
        (["simulate", "events.ndjson"], {}, 2),
    ],
    ids=["done", "a wrong setting", "no Kafka", "a file that is in another folder"],
)
def test_it_says_the_same_and_ends_with_the_same_code(
    tmp_path: Path, words: list[str], settings: dict[str, str], code: int
) -> None:
    wanted, found = (run(words, ENV | settings, tmp_path) for run in (started, forked))
    assert (found.returncode, found.stdout, found.stderr) == (wanted.returncode, wanted.stdout, wanted.stderr)
    assert found.returncode == code


def test_it_is_there_until_it_is_ended_and_a_signal_is_its_code(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        kafka = {"LEADSTREAM_KAFKA": f"127.0.0.1:{silent.getsockname()[1]}"}
        fork = nursery().fork(["stream", "worker"], ENV | kafka, tmp_path / "log", tmp_path)
        silent.accept()[0].close()  # it has come so far
        assert fork.poll() is None
        assert os.getpgid(fork.pid) == fork.pid
        os.killpg(fork.pid, signal.SIGKILL)
        assert fork.wait(30) == -signal.SIGKILL
        assert not psutil.pid_exists(fork.pid), "it was asked for and is no zombie"


ASKS = """
import os, sys
from pathlib import Path
from tests.nursery import nursery
print(nursery().fork(["stream", "worker"], dict(os.environ), Path("log").resolve(), Path.cwd()).pid, flush=True)
sys.stdin.read()
"""


def test_it_ends_with_who_wanted_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        env = ENV | {"LEADSTREAM_KAFKA": f"127.0.0.1:{silent.getsockname()[1]}"}
        pipe = subprocess.PIPE
        with subprocess.Popen([sys.executable, "-c", ASKS], env=env, cwd=tmp_path, stdin=pipe, stdout=pipe) as asking:
            assert asking.stdout is not None
            pid = int(asking.stdout.readline())
            assert psutil.pid_exists(pid)
            asking.kill()
        wait_until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE, 30, "its end")
