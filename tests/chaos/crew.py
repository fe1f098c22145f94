"""The workers of a schedule, kept alive by us as a supervisor would; what they ended with is judged."""

import re
import signal
import time
from collections import Counter
from dataclasses import dataclass, field

from stream.runtime.embedded import free_port
from tests.brokers import Installation, Process, WorkerProcess

ENDED = {0: "stopped", -9: "killed", 70: "ended itself", 3: "no Kafka"}
NEVER = ("Gap(", "AssertionError", "ValueError", "KeyError", "Unreadable", "TypeError")
"""What no worker may end with, whatever is done to it: that is a bug."""


@dataclass
class Crew:
    """`slots` workers. `ends` counts what they ended with, `bugs` lists what they must not end with."""

    installation: Installation
    slots: int
    static: bool
    drag_s: float
    settings: dict[str, str]
    running: dict[int, Process] = field(default_factory=dict)
    ends: Counter[str] = field(default_factory=Counter)
    bugs: list[str] = field(default_factory=list)
    frozen: dict[int, float] = field(default_factory=dict)
    """Until when (`time.monotonic()`) whoever stands still does so."""
    started: int = 0

    def start(self, slot: int, fault: str = "") -> Process:
        """Start the worker of a slot, perhaps with a fault that it will meet."""
        env = self.installation.env(**self.settings, WEB_PORT=str(free_port()), **self._name(slot))
        env["_LEADSTREAM_DRAG"], env["_LEADSTREAM_FAULT"] = str(self.drag_s), fault
        self.started += 1
        log = self.installation.folder / f"worker-{slot}-{self.started:03}.log"
        process = WorkerProcess(["stream", "worker"], env, log, self.installation.folder).start()
        self.running[slot] = process
        return process

    def _name(self, slot: int) -> dict[str, str]:
        return {"INSTANCE": f"w{slot}"} if self.static else {}

    def start_all(self) -> None:
        """Start whoever is not there."""
        for slot in range(self.slots):
            if slot not in self.running:
                self.start(slot)

    def reap(self, doomed: int = -1) -> None:
        """Thaw whose time is over; take note of who ended, and start them again; all but one."""
        for slot, until in list(self.frozen.items()):
            if time.monotonic() > until:
                self.thaw(slot)
        for slot, process in list(self.running.items()):
            if slot != doomed and process.exit_code is not None:
                self.over(slot, "by itself")
                self.start(slot)

    def over(self, slot: int, why: str) -> None:
        """Judge how the worker of a slot ended."""
        process = self.running.pop(slot)
        self.frozen.pop(slot, None)
        code = process.exit_code
        self.ends[f"{why}: {ENDED.get(code or 0, code)}{_reason(process.output) if code == 70 else ''}"] += 1
        young = code == -signal.SIGTERM and not process.output  # asked to end before it could hear
        if (code not in ENDED and not young) or (code == 70 and any(word in process.output for word in NEVER)):
            self.bugs.append(f"{process.log.name} ended with {code}: {process.output[-1500:]}")

    def kill(self, slot: int) -> None:
        """End a worker by kill -9."""
        self.running[slot].kill()
        self.over(slot, "kill -9")

    def stop(self, slot: int) -> None:
        """End a worker by SIGTERM; one that stands still hears it when it wakes up."""
        process = self.running[slot]
        self.thaw(slot)
        if process.stop(40) == -9:
            self.bugs.append(f"{process.log.name} hung at SIGTERM")
        self.over(slot, "SIGTERM")

    def freeze(self, slot: int, seconds: float) -> None:
        """Let a worker stand still; everything else goes on meanwhile."""
        self.running[slot].signal(signal.SIGSTOP)
        self.frozen[slot] = time.monotonic() + seconds

    def thaw(self, slot: int) -> None:
        """Let a worker that stands still go on."""
        if self.frozen.pop(slot, None) is not None and self.running[slot].exit_code is None:
            self.running[slot].signal(signal.SIGCONT)

    def stop_all(self) -> None:
        """End all by SIGTERM."""
        for slot in list(self.running):
            self.stop(slot)


def _reason(output: str) -> str:
    found = re.findall(r"worker ends: (.{0,60})", output)
    return re.sub(r"[0-9a-f.-]*\d[\w.-]*", "#", f" ({found[-1]})") if found else ""
