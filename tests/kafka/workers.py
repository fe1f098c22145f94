"""A worker of an installation, and what it answers."""

import json
import time
from collections import Counter
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote

from prometheus_client.parser import text_string_to_metric_families

from stream.runtime.embedded import free_port
from stream.runtime.producer import partition_of
from stream.web.peers import HOP
from tests.brokers import Installation, Process, WorkerProcess, wait_until
from tests.oracle.facts import instant_text

KINDS = ("applied", "duplicates", "echoes", "forwarded", "dead_letters", "own")
"""What a record of `events` may be, by the names of the counters."""
RECENT = 1000
"""So many records a partition's tick looks back at."""


@dataclass
class Running:
    """A worker that was ready once."""

    process: Process
    port: int

    def kill(self, installation: Installation) -> None:
        """End it by kill -9; its exit code is nobody's concern from now on."""
        self.process.kill()
        installation.processes.remove(self.process)

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        """Return status and body of an answer."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=15)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def ask(self, what: str, id_: str, at: int | None = None) -> dict[str, Any]:
        """Return the document of a visitor or lead, as of `at` (ms); asked again as long as the worker says so."""
        when = "" if at is None else f"?at={instant_text(at)}"
        answers: list[bytes] = []

        def answered() -> bool:
            status, body = self.get(f"/v1/{what}/{quote(id_, safe='')}{when}")
            answers.append(body)
            return status != HTTPStatus.SERVICE_UNAVAILABLE

        wait_until(answered, 30, f"{what} {id_}")
        document: dict[str, Any] = json.loads(answers[-1])
        return document

    def holds(self, what: str, id_: str) -> bool:
        """Tell whether this worker answers without asking another."""
        return self.get(f"/v1/{what}/{quote(id_, safe='')}", **{HOP: "1"})[0] in {200, 404}

    def counts(self) -> Counter[str]:
        """Return what became of the records of `events`, and as `read` how many were read."""
        counts: Counter[str] = Counter()
        for family in text_string_to_metric_families(self.get("/metrics")[1].decode()):
            for sample in family.samples:
                name = sample.name.removeprefix("leadstream_").removesuffix("_total")
                if sample.name.endswith("_total") and name in KINDS:
                    counts[name] += int(sample.value)
                elif name == "events" and sample.labels["topic"].endswith("events"):
                    counts["read"] += int(sample.value)
        return counts

    def wait_until_applied(self, count: int, timeout_s: float = 60) -> Counter[str]:
        """Wait until it has read so many records of `events`; return what became of them."""
        wait_until(lambda: self.process.exit_code is not None or self.counts()["read"] >= count, timeout_s, f"{count} records")
        assert self.process.exit_code is None, self.process.output[-3000:]
        return self.counts()


def run_worker(installation: Installation, **settings: str) -> Running:
    """Start a worker and wait until it is ready."""
    port = settings.setdefault("WEB_PORT", str(free_port()))
    process = installation.worker(**settings)
    process.wait_for_line(r"ready: \d+ rows")
    return Running(process, int(port))


def end_history(installation: Installation, partitions: int) -> int:
    """Send what is received now, as much as a tick looks back at, and return the instant the clock will pass (ms).

    A history that is being loaded ages nobody: only when all of the newest records are of today, the clock moves on.
    """
    now_ms = int(time.time() * 1000)
    for partition in range(partitions):
        ids = (f"today-{n}" for n in range(10_000))
        node = next(id_ for id_ in ids if partition_of(f"anon::{id_}".encode(), partitions) == partition)
        event = json.dumps({"type": "page", "anonymousId": node, "messageId": "today"}).encode()
        installation.produce("events", [(f"anon::{node}".encode(), event)] * RECENT)
    return now_ms - 2000


def hanging(installation: Installation, way: str, **settings: str) -> Process:
    """Start a worker that will hang in this way when the folder's file `hang` is there."""
    env = installation.env(**({"WEB_PORT": str(free_port())} | settings)) | {"_HANG": str(trigger(installation))}
    words = ["tests.kafka.hanging", way, "worker"]
    process = WorkerProcess(words, env, installation.folder / f"{way}.log", installation.folder)
    installation.processes.append(process.start())
    return process


def trigger(installation: Installation) -> Path:
    """Return the file that lets it."""
    return Path(installation.folder, "hang")
