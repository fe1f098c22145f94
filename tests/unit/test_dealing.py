"""Tests are dealt out to processes so that none holds back what another could do."""

from itertools import chain
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest

from tests.conftest import CHAOS, Dealt

SCHEDULES = [f"tests/kafka/test_chaos.py::test_whatever[5-{number}]" for number in range(9)]
FILES = [f"tests/kafka/test_{name}.py::test_{number}" for name in ("long", "short") for number in range(4)]
PROCESSES = 3


class Process:
    """A process of xdist's: it does what it was sent, one after the other."""

    shutting_down = False
    gateway = SimpleNamespace(id="popen")

    def __init__(self) -> None:
        self.sent: list[int] = []
        self.done = 0

    def send_runtest_some(self, indices: list[int]) -> None:
        self.sent += indices

    def shutdown(self) -> None:
        self.shutting_down = True


@pytest.fixture
def processes() -> list[Process]:
    return [Process() for _ in range(PROCESSES)]


@pytest.fixture
def dealt(processes: list[Process]) -> Dealt:
    option = SimpleNamespace(loadscopereorder=False)
    config: Any = SimpleNamespace(getvalue=lambda _: ["popen"] * PROCESSES, option=option)
    made = Dealt(config, MagicMock())
    for process in processes:
        made.add_node(process)
        made.add_node_collection(process, SCHEDULES + FILES)
    made.schedule()
    return made


def does_one(dealt: Dealt, process: Process) -> str:
    """Let a process do the next one that it was sent."""
    index = process.sent[process.done]
    process.done += 1
    dealt.mark_test_complete(process, index)
    return (SCHEDULES + FILES)[index]


def kinds(process: Process) -> list[bool]:
    return [index < len(SCHEDULES) for index in process.sent]


def test_one_process_begins_with_files_and_the_others_with_schedules(processes: list[Process], dealt: Dealt) -> None:
    assert [kinds(process) for process in processes] == [[False] * 4, [True] * 2, [True] * 2]
    assert all(scope.startswith(CHAOS) for scope in list(dealt.workqueue)[:5])


def test_who_is_slow_keeps_no_more_than_the_next_one_from_who_is_quick(processes: list[Process], dealt: Dealt) -> None:
    _, slow, quick = processes
    while quick.done < len(quick.sent) and kinds(quick)[quick.done]:
        does_one(dealt, quick)
    assert len(slow.sent) == 2
    assert sum(kinds(quick)) == len(SCHEDULES) - 2


def test_each_is_done_once_and_a_file_stays_together(processes: list[Process], dealt: Dealt) -> None:
    done: list[list[str]] = [[] for _ in processes]
    while not all(process.done == len(process.sent) for process in processes):
        for process, its in zip(processes, done, strict=True):
            if process.done < len(process.sent):
                its.append(does_one(dealt, process))
    assert sorted(chain.from_iterable(done)) == sorted(SCHEDULES + FILES)
    for name in ("long", "short"):
        assert len([its for its in done if any(f"test_{name}" in test for test in its)]) == 1
    assert all(process.shutting_down for process in processes)
