"""One schedule from an empty Kafka to a verdict."""

import shutil
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.brokers import Broker, Installation, KafkaNode, kafka_jars, wait_until
from tests.chaos.crew import Crew
from tests.chaos.feeder import Feeder
from tests.chaos.logs import Copy
from tests.chaos.schedule import Blow, Schedule
from tests.chaos.traffic import Traffic
from tests.chaos.verdict import PARTITIONS, RANGES, RULESET, judge
from tests.kafka.group import committed, ends, forget_clients

SETTLE_S = 180
SETTINGS = {"CHECKPOINT": "300ms", "RULESET": str(RULESET), "COMPANY_RANGES": str(RANGES)}


@dataclass
class Result:
    """What a schedule did and found."""

    seed: str
    seconds: float = 0
    events: int = 0
    blows: dict[str, int] = field(default_factory=dict)
    in_flight: int = 0
    """How many blows fell while records were read and not committed."""
    repeated: int = 0
    facts: int = 0
    rows: int = 0
    stale: int = 0
    ends: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


class Run:
    """A schedule at work. `session_s` is the workers' session timeout."""

    def __init__(self, plan: Schedule, events: int, folder: Path, session_s: float) -> None:
        self.plan, self.folder = plan, folder
        shutil.rmtree(folder, ignore_errors=True)
        self.node = KafkaNode(folder / "kafka", kafka_jars())
        self.node.format()
        self.node.start()
        settings = SETTINGS | {"SESSION_TIMEOUT": f"{session_s:.0f}s"}
        self.installation = Installation(Broker(self.node.address, "kafka", self.node), folder)
        self.crew = Crew(self.installation, plan.workers, plan.static, plan.drag_s, settings)
        spread = 8 * len(plan.blows) + 10
        self.feeder = Feeder(self.installation, Traffic(plan.seed), events, spread)
        self.result = Result(plan.seed)
        self._blows: Counter[str] = Counter()

    def play(self) -> Result:
        """Do all that is planned and judge what is left."""
        began = time.monotonic()
        try:
            self._made_topics()
            self.feeder.start()
            self.crew.start_all()
            self._wait_for_work()
            for blow in self.plan.blows:
                self._wait(blow.after_s)
                self._strike(blow)
            self.feeder.hurry()
            self._settle()
            self._judge()
        finally:
            self._close()
        self.result.seconds = round(time.monotonic() - began, 1)
        return self.result

    def _made_topics(self) -> None:
        made = self.installation.run("topics", **self.crew.settings)
        assert made.returncode == 0, made.stderr

    def _wait_for_work(self) -> None:
        def begun() -> bool:
            self.crew.reap()
            return bool(committed(self.installation, "events", PARTITIONS))

        wait_until(begun, 60, "the first commit")

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.crew.reap()
            time.sleep(0.05)

    # -- blows

    def _strike(self, blow: Blow) -> None:
        self.crew.reap()
        self._blows[blow.kind] += 1
        if blow.kind == "kill":
            self._proven()
            self.crew.kill(blow.slot)
        elif blow.kind == "fault":
            self._fault(blow)
        elif blow.kind == "stop":
            self._proven()
            self.crew.stop(blow.slot)
        elif blow.kind == "freeze":
            self._proven()
            self.crew.freeze(blow.slot, blow.pause_s)
            return
        else:
            self._proven()
            self.node.process.kill()
            time.sleep(blow.pause_s)
            self.node.start()
            return
        time.sleep(blow.pause_s)
        self.crew.start_all()

    def _proven(self) -> None:
        """Note whether there is work in flight: records that are in the log and not committed, and more to come."""
        done = committed(self.installation, "events", PARTITIONS)
        self.result.in_flight += bool(done) and sum(done.values()) < sum(ends(self.installation, "events", PARTITIONS).values())

    def _fault(self, blow: Blow) -> None:
        """Let a worker end itself at a step; one that waits for a rebalance gets one."""
        self.crew.stop(blow.slot)
        doomed = self.crew.start(blow.slot, f"{blow.step}:{blow.nth}:kill")
        if blow.step == "revoke":
            wait_until(lambda: doomed.exit_code is not None or "ready: " in doomed.output, 60, "a worker")
            self.crew.reap_but(blow.slot)
            other = (blow.slot + 1) % self.plan.workers
            self.crew.stop(other)
            self.crew.start(other)
        until = time.monotonic() + 8
        while doomed.exit_code is None and time.monotonic() < until:
            time.sleep(0.05)
        if doomed.exit_code is None:
            self._blows["fault not met"] += 1
            self.crew.kill(blow.slot)
            return
        self.result.in_flight += doomed.exit_code == -9
        self._blows[f"at {blow.step}"] += 1
        self.crew.over(blow.slot, f"fault {blow.step}")

    # -- the end

    def _settle(self) -> None:
        """Wait until all is read; what a supervisor restarts, we restart."""

        def read() -> bool:
            self.crew.reap()
            time.sleep(0.2)
            return all(
                committed(self.installation, topic, PARTITIONS) == ends(self.installation, topic, PARTITIONS)
                for topic in ("events", "wakes")
            )

        wait_until(read, SETTLE_S, "everything to be committed")
        people = ends(self.installation, "people", 1)

        def folded() -> bool:
            self.crew.reap()
            return committed(self.installation, "people", 1).get(0, 0) >= people.get(0, 0) and read()

        wait_until(folded, SETTLE_S, "people to be folded")
        self.crew.stop_all()

    def _judge(self) -> None:
        copy, result = Copy.of(self.installation), self.result
        copy.committed = {
            name: committed(self.installation, name, 1 if name == "people" else PARTITIONS)
            for name in ("events", "wakes", "people")
        }
        verdict = judge(copy)
        result.events, result.rows, result.facts = verdict.events, verdict.rows, verdict.facts
        result.repeated, result.stale = verdict.repeated, verdict.stale
        result.blows, result.ends = dict(self._blows), dict(self.crew.ends)
        result.wrong = [*self.crew.bugs, *self.feeder.failed, *verdict.wrong]
        if not result.in_flight:
            result.wrong.append("no blow hit work in flight: the schedule proves nothing")
        if result.wrong:
            copy.keep(self.folder / "logs.msgpack")

    def _close(self) -> None:
        self.installation.close()
        for process in self.crew.running.values():
            process.kill()
        forget_clients()
        self.node.process.kill()
        if not self.result.wrong:
            shutil.rmtree(self.folder / "kafka", ignore_errors=True)
