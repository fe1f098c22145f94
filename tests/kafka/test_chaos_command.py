"""`python -m tests.chaos`: several schedules at a time, each once, and nothing left behind when it is broken off."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.brokers import ROOT, wait_until

SMALL = ("--seed", "7", "--events", "600", "--blows", "2", "--long", "0", "--jobs", "2", "--schedules", "2")


@contextmanager
def command(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """Yield the running command; whatever happens, it ends."""
    words = [sys.executable, "-m", "tests.chaos", *SMALL, "--folder", str(folder)]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as playing:
        try:
            yield playing
        finally:
            playing.send_signal(signal.SIGTERM)


@pytest.mark.kafka
def test_schedules_are_played_side_by_side_and_once(tmp_path: Path) -> None:
    with command(tmp_path) as playing:
        said, shown = playing.communicate(timeout=400)
    results = [json.loads(line) for line in (tmp_path / "seed-7-600.ndjson").read_text().splitlines()]
    assert playing.returncode == 0, said + shown
    assert {result["seed"]: result["wrong"] for result in results} == {"7-0": [], "7-1": []}
    assert "] 2/2, 0 failed" in shown
    with command(tmp_path) as again:
        assert again.communicate(timeout=60)[0] == ""
    assert again.returncode == 0


@pytest.mark.kafka
def test_what_is_broken_off_leaves_no_process(tmp_path: Path) -> None:
    with command(tmp_path) as playing:
        whole = psutil.Process(playing.pid)
        wait_until(lambda: len(_kafkas(whole)) == 2, 120, "a Kafka each")
        others = whole.children(recursive=True)
        playing.send_signal(signal.SIGINT)
        _, shown = playing.communicate(timeout=120)
    assert (playing.returncode, shown.splitlines()[-1]) == (130, "say the same again to go on")
    wait_until(lambda: not [other for other in others if other.is_running()], 20, "all of them to end")


def test_no_schedule_at_a_time_is_a_mistake_and_no_success() -> None:
    words = [sys.executable, "-m", "tests.chaos", *SMALL, "--jobs", "0"]
    ended = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, "--jobs: at least one" in ended.stderr) == (2, True)


def _kafkas(whole: psutil.Process) -> list[psutil.Process]:
    """Return those of its processes that are a Kafka; one may end while it is looked at."""
    found = []
    for child in whole.children(recursive=True):
        try:
            if child.name() == "java":
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found
