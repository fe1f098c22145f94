"""One schedule from empty topics to a verdict."""

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

from tests.brokers import Installation, wait_until
from tests.chaos.blows import PARTITIONS, Blows
from tests.chaos.cluster import Cluster
from tests.chaos.crew import Crew
from tests.chaos.feeder import Feeder
from tests.chaos.logs import Copy
from tests.chaos.offsets import is_tick
from tests.chaos.schedule import Schedule
from tests.chaos.traffic import Traffic
from tests.chaos.verdict import RANGES, RULESET, judge, next_ruleset
from tests.kafka.group import committed, ends

SETTLE_S = 180
"""So long may pass without any progress before it is given up."""
FOLDED = ("people", "members")
ROUNDS, POLL_S = 10, 0.1
SETTINGS = {"CHECKPOINT": "300ms", "RULESET": str(RULESET), "COMPANY_RANGES": str(RANGES)}
EVENTS_A_USER, EVENTS_A_COOKIE = 100, 16
"""How many people and cookies there are: leads of a size that a plain recomputation can bear."""


@dataclass
class Result:
    """What a schedule did and found."""

    seed: str
    seconds: float = 0
    events: int = 0
    brokers: int = 1
    workers: int = 0
    """How many worker processes were started in all."""
    blows: dict[str, int] = field(default_factory=dict)
    in_flight: int = 0
    """How many blows fell while records were read and not committed."""
    hurt: int = 0
    """How many requests and answers were held up, swallowed or spoilt on their way."""
    repeated: int = 0
    facts: int = 0
    rows: int = 0
    stale: int = 0
    alone: int = 0
    """How many leads were compared with a run without failures."""
    ends: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


class Run:
    """A schedule at work. `session_s` is the workers' session timeout."""

    def __init__(self, plan: Schedule, events: int, folder: Path, session_s: float, cluster: Cluster) -> None:
        self.plan, self.folder, self.cluster = plan, folder, cluster
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.installation = Installation(cluster.broker, folder, forks=True)
        settings = SETTINGS | {"SESSION_TIMEOUT": f"{session_s:.0f}s", "KAFKA": cluster.fronts}
        if plan.brokers > 1:
            settings["REPLICATION"] = str(plan.brokers)
        self.crew = Crew(self.installation, plan.workers, plan.static, plan.drag_s, settings)
        self.blows = Blows(self.installation, cluster, self.crew, self._deploy)
        traffic = Traffic(plan.seed, max(40, events // EVENTS_A_USER), max(300, events // EVENTS_A_COOKIE))
        self.feeder = Feeder(self.installation, traffic, events, plan.spread_s)
        self.deployed = 0
        self.copy: Copy | None = None
        """All that lay in Kafka at the end."""
        self.result = Result(plan.seed, brokers=plan.brokers)

    def play(self) -> Result:
        """Do all that is planned and judge what is left."""
        began, hurt = time.monotonic(), self.cluster.hurt
        try:
            self._make_topics()
            self.crew.start_all()
            self.feeder.start()
            self._wait_for_work()
            for blow in self.plan.blows:
                self._wait(blow.after_s)
                self.blows.strike(blow)
            self.feeder.hurry()
            self._settle()
            self.result.hurt = self.cluster.hurt - hurt
            self._judge()
        finally:
            self._close()
        self.result.seconds = round(time.monotonic() - began, 1)
        return self.result

    def note(self) -> None:
        """Write down what was done, whatever came of it."""
        self.result.blows, self.result.in_flight = dict(self.blows.dealt), self.blows.in_flight
        self.result.ends, self.result.workers = dict(self.crew.ends), self.crew.started
        self.result.wrong = [*self.crew.bugs, *self.feeder.failed]

    def _make_topics(self) -> None:
        made = self.installation.run("topics", **self.crew.settings)
        assert made.returncode == 0, made.stderr

    def _deploy(self) -> None:
        """Put another ruleset in force, and go on at once: whether it gets there is seen in the end."""
        file = self.folder / "next.toml"
        file.write_text(next_ruleset())
        done = self.installation.run("ruleset", "deploy", "--wait", "0", str(file), **self.crew.settings)
        assert done.returncode in {0, 1}, done.stderr  # 1: in the log, not in force yet
        self.deployed += 1

    def _wait_for_work(self) -> None:
        def begun() -> bool:
            self.crew.reap()
            return bool(committed(self.installation, "events", PARTITIONS))

        wait_until(begun, 60, "the first commit")

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.crew.reap()
            time.sleep(0.02)

    # -- the end

    def _settle(self) -> None:
        """Let all be read, and end all; once more where something was left to do: who ended later said something that nobody had
        read, or more was due than is done with one record.
        """
        for _ in range(ROUNDS):
            self._read_all()
            self.crew.stop_all()
            if not self._is_left_over():
                return
            self.crew.start_all()
        raise AssertionError("people or accounts are told something new again and again")

    def _is_left_over(self) -> bool:
        """Tell whether more than ticks lies behind what people or accounts have committed."""
        for topic in FOLDED:
            at = self._committed(topic)
            records = self.installation.read(topic)
            if any(record.offset >= at.get(record.partition, 0) and not is_tick(record) for record in records):
                return True
        return False

    def _read_all(self) -> None:
        """Wait until all is read and nobody stands still; what a supervisor restarts, we restart."""
        self._read("everything to be committed", {})
        for topic in FOLDED:  # ticks go on: up to where these logs end now
            there = ends(self.installation, topic, _partitions(topic))
            assert there, f"nothing is in {topic}"
            self._read(f"{topic} to be folded", {topic: there})

    def _read(self, what: str, to: dict[str, dict[int, int]]) -> None:
        """Wait until events and wakes are committed to their ends, and others up to there, for as long as it goes on.

        Who is far behind in people sends wakes all the time: what is left of these stays, while what is left of people gets less.
        """
        until, least = time.monotonic() + SETTLE_S, inf
        while left := self._left(to):
            unread = left + sum(self._unread(topic, ends(self.installation, topic, _partitions(topic))) for topic in FOLDED)
            if unread < least:
                until, least = time.monotonic() + SETTLE_S, unread
            assert time.monotonic() < until, f"waited {SETTLE_S} s in vain for {what}: {left} left"
            time.sleep(POLL_S)

    def _left(self, to: dict[str, dict[int, int]]) -> int:
        """Return how many records are not committed, and workers that stand still."""
        self.crew.reap()
        left = len(self.crew.frozen)
        for topic in ("events", "wakes"):
            at = self._committed(topic)
            left += sum(abs(end - at.get(number, 0)) for number, end in ends(self.installation, topic, PARTITIONS).items())
        return left + sum(self._unread(topic, there) for topic, there in to.items())

    def _unread(self, topic: str, there: Mapping[int, int]) -> int:
        """Return how many records up to there are not committed."""
        at = self._committed(topic)
        return sum(max(0, end - at.get(number, 0)) for number, end in there.items())

    def _committed(self, topic: str) -> dict[int, int]:
        return committed(self.installation, topic, _partitions(topic))

    def _judge(self) -> None:
        self.note()
        copy, result = Copy.of(self.installation), self.result
        self.copy = copy
        copy.sent, copy.delays, copy.deployed = self.feeder.sent, self.feeder.delays, self.deployed
        copy.committed = {name: self._committed(name) for name in ("events", "wakes", *FOLDED)}
        verdict = judge(copy)
        result.events, result.rows, result.facts = verdict.events, verdict.rows, verdict.facts
        result.repeated, result.stale, result.alone = verdict.repeated, verdict.stale, verdict.alone
        result.wrong += verdict.wrong
        if not result.in_flight:
            result.wrong.append("no blow hit work in flight: the schedule proves nothing")
        if result.wrong:
            copy.keep(self.folder / "logs.msgpack")

    def _close(self) -> None:
        self.note() if not self.result.ends else None
        self.installation.close()
        for process in self.crew.running.values():
            process.kill()
        self.cluster.forget(self.installation.prefix)


def _partitions(topic: str) -> int:
    return 1 if topic == "people" else PARTITIONS
