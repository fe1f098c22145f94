"""Processes that run one schedule after the other, side by side, each on clusters of its own."""

import contextlib
import gc
import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import NoReturn

from tests.chaos.cluster import Clusters
from tests.chaos.run import Result, Run
from tests.chaos.schedule import Schedule

_END_S = 60
"""So long a player may take to end its workers and its Kafka."""


@dataclass(frozen=True)
class Task:
    """A schedule of a size."""

    plan: Schedule
    events: int


class Player:
    """One such process, seen from the one that gives it work. `session_s` is the workers' session timeout."""

    def __init__(self, folder: Path, session_s: float) -> None:
        spawn = multiprocessing.get_context("spawn")
        self.way, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_serve, args=(theirs, folder, session_s))
        self._process.start()
        theirs.close()

    def end(self, *, at_once: bool) -> None:
        """End it and what it runs, at once; one that waits for work ends by itself."""
        if at_once:
            self._process.terminate()
        self.way.close()
        self._process.join(_END_S)


def results(todo: Sequence[Task], jobs: int, folder: Path, session_s: float) -> Iterator[Result]:
    """Run all, so many at a time; yield what came of each as it ends. Raise `EOFError` if a player died."""
    players = [Player(folder, session_s) for _ in range(min(jobs, len(todo)))]
    left, busy = iter(todo), [player.way for player in players]
    try:
        for player in players:
            player.way.send(next(left))
        while busy:
            for way in wait(busy):
                assert isinstance(way, Connection)
                yield way.recv()
                if (task := next(left, None)) is None:
                    busy.remove(way)
                else:
                    way.send(task)
    finally:
        for player in players:
            player.end(at_once=player.way in busy)


# -- the other side


def _serve(way: Connection, folder: Path, session_s: float) -> None:
    """Play what comes until nobody sends any more; Ctrl-C is for the one that sends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end)
    clusters = Clusters(folder / f"kafka-{os.getpid()}")
    try:
        with contextlib.suppress(EOFError):
            while True:
                way.send(_play(way.recv(), folder, session_s, clusters))
                gc.collect()  # a run, with all that lay in Kafka, is a circle; a worker's collector comes by too seldom
    finally:
        clusters.stop()


def _end(*_: object) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(128 + signal.SIGTERM)


def _play(task: Task, folder: Path, session_s: float, clusters: Clusters) -> Result:
    """Run one schedule; what breaks the run itself is wrong too."""
    run = None
    try:
        run = Run(task.plan, task.events, folder / task.plan.seed, session_s, clusters.of(task.plan.brokers))
        return run.play()
    except SystemExit:
        raise
    except BaseException:  # noqa: BLE001 - pytest's outcomes are no Exceptions
        result = run.result if run is not None else Result(task.plan.seed)
        result.wrong.append(traceback.format_exc()[-3000:])
        clusters.stop()
        return result
