"""How each kind of blow is dealt, and whether it fell on work in flight."""

import signal
import time
from collections import Counter
from collections.abc import Callable

from tests.brokers import Installation, wait_until
from tests.chaos.cluster import Cluster
from tests.chaos.crew import Crew
from tests.chaos.proxy import Weather
from tests.chaos.schedule import Blow
from tests.kafka.group import committed, ends

PARTITIONS = 4
PATIENCE_S = 8
"""How long a worker with a fault may live before it is ended by kill -9."""


class Blows:
    """Deals blows. `in_flight` counts those that fell while records were read and not committed."""

    def __init__(self, installation: Installation, cluster: Cluster, crew: Crew, deploy: Callable[[], None]) -> None:
        self._installation, self._cluster, self._crew, self._deploy = installation, cluster, crew, deploy
        self._base = crew.slots
        self.dealt: Counter[str] = Counter()
        self.in_flight = 0

    def strike(self, blow: Blow) -> None:
        """Deal one blow and put it right."""
        self._crew.reap()
        self.dealt[blow.kind] += 1
        slot = blow.slot % self._crew.slots
        if blow.kind == "fault":
            self._fault(blow, slot)
            return
        if blow.kind != "deploy":
            self._prove()
        if blow.kind == "kill":
            self._crew.kill(slot)
        elif blow.kind == "stop":
            self._crew.stop(slot)
        elif blow.kind == "freeze":
            self._crew.freeze(slot, blow.pause_s)
            return
        elif blow.kind == "scale":
            self._scale()
        elif blow.kind == "broker":
            self._cluster.end(0)
            self._pass(blow.pause_s)
            self._cluster.nodes[0].start()
        elif blow.kind == "network":
            self._network(blow)
        elif blow.kind == "bounce":
            self._bounce(blow)
        else:
            self._deploy()
        self._pass(blow.pause_s if blow.kind in {"kill", "stop"} else 0, doing_nothing=True)
        self._crew.start_all()

    def _prove(self) -> None:
        """Note whether there is work in flight: records that are in the log and not committed, and more to come."""
        done = committed(self._installation, "events", PARTITIONS)
        behind = sum(done.values()) < sum(ends(self._installation, "events", PARTITIONS).values())
        self.in_flight += bool(done) and behind

    def _pass(self, seconds: float, *, doing_nothing: bool = False) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if not doing_nothing:
                self._crew.reap()
            time.sleep(0.02)

    def _scale(self) -> None:
        """Let one more join, or the last one leave for good."""
        crew = self._crew
        if crew.slots > min(self._base, 2):  # three on two cores are enough
            self.dealt["left"] += 1
            crew.slots -= 1
            crew.stop(crew.slots)
        else:
            self.dealt["joined"] += 1
            crew.slots += 1
            crew.start(crew.slots - 1)

    def _network(self, blow: Blow) -> None:
        self.dealt[f"network: {blow.what}"] += 1
        weathers = {
            "delay": Weather(delay_s=0.2),
            "stall": Weather(stalled=True),
            "deaf": Weather(deaf=True),
            "cut": Weather(refused=True),
            "errors": Weather(errors=0.5),
        }
        with self._cluster.weather(weathers[blow.what]):
            self._pass(blow.pause_s)

    def _bounce(self, blow: Blow) -> None:
        """End one broker after the other, gently or not; each comes back and catches up before the next one goes."""
        for index in range(self._cluster.count):
            gently = (index + blow.nth) % 2 == 0
            self.dealt[f"leader {'stopped' if gently else 'killed'}"] += 1
            self._prove()
            self._cluster.end(index, gently=gently)
            self._pass(blow.pause_s)
            self._cluster.nodes[index].start()
            self._crew.reap()
            self._cluster.wait_until_in_sync()

    def _fault(self, blow: Blow, slot: int) -> None:
        """Let a worker end itself at a step; one that waits for a rebalance gets one."""
        crew = self._crew
        crew.stop(slot)
        doomed = crew.start(slot, f"{blow.what}:{blow.nth}:kill")
        if blow.what == "revoke":
            wait_until(lambda: doomed.exit_code is not None or "ready: " in doomed.output, 60, "a worker")
            crew.reap(doomed=slot)
            other = (slot + 1) % crew.slots
            crew.stop(other)
            crew.start(other)
        until = time.monotonic() + PATIENCE_S
        while doomed.exit_code is None and time.monotonic() < until:
            crew.reap(doomed=slot)
            time.sleep(0.02)
        if doomed.exit_code is None:
            self.dealt["fault not met"] += 1
            crew.kill(slot)
        else:
            self.in_flight += doomed.exit_code == -signal.SIGKILL
            self.dealt[f"at {blow.what}"] += 1
            crew.over(slot, f"fault {blow.what}")
        crew.start_all()
