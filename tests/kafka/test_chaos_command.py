"""`python -m tests.chaos`: several schedules at a time, each once, and nothing left behind when it is broken off."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.brokers import ROOT, wait_until

SMALL = ("--seed", "7", "--events", "600", "--blows", "2", "--long", "0", "--jobs", "2")


def command(folder: Path, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.chaos", *SMALL, "--folder", str(folder), *words],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.kafka
def test_schedules_are_played_side_by_side_and_once(tmp_path: Path) -> None:
    played = command(tmp_path, "--schedules", "2")
    said, shown = played.communicate(timeout=240)
    results = [json.loads(line) for line in (tmp_path / "seed-7-600.ndjson").read_text().splitlines()]
    assert played.returncode == 0, said + shown
    assert {result["seed"]: result["wrong"] for result in results} == {"7-0": [], "7-1": []}
    assert "] 2/2, 0 failed" in shown
    again = command(tmp_path, "--schedules", "2")
    assert again.communicate(timeout=60)[0] == ""
    assert again.returncode == 0


@pytest.mark.kafka
def test_what_is_broken_off_leaves_no_process(tmp_path: Path) -> None:
    playing = command(tmp_path, "--schedules", "2")
    children = psutil.Process(playing.pid).children
    wait_until(lambda: sum("java" in child.name() for child in children(recursive=True)) == 2, 60, "a Kafka each")
    others = children(recursive=True)
    playing.send_signal(signal.SIGINT)
    _, shown = playing.communicate(timeout=120)
    assert (playing.returncode, shown.splitlines()[-1]) == (130, "say the same again to go on")
    wait_until(lambda: not [child for child in others if child.is_running()], 20, "all of them to end")
