"""What is watched, on a real Apache Kafka: other groups, a stopped worker, canaries, and what Prometheus sees of it."""

import json
import re
import signal
import subprocess
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from deploy.alerts import ALERTS
from deploy.exported import families
from stream.runtime.embedded import free_port
from tests.brokers import ROOT, Installation, Process, wait_until
from tests.kafka.others import Reader, an_open_transaction, committing
from tests.kafka.workers import Running, run_worker
from tests.prometheus import tool

MARK = "zanzibar4711"
pytestmark = [pytest.mark.kafka, pytest.mark.process]


@pytest.fixture
def watched(on_kafka: Installation) -> Installation:
    on_kafka.settings |= {"PARTITIONS": "2", "CANARY": "500ms"}
    return on_kafka


def lag(installation: Installation) -> dict[str, Any]:
    done = installation.run("lag", "--json")
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def statuses(told: dict[str, Any], installation: Installation) -> dict[tuple[str, int], str]:
    return {(p["topic"].removeprefix(installation.prefix), p["partition"]): p["status"] for p in told["partitions"]}


def other_groups_are_told_of(installation: Installation) -> None:
    """A monitor that has only just begun knows what they committed before."""
    long_ago = int(time.time() * 1000) - 600_000
    installation.produce("account-changes", [(b"a", b"{}")] * 10, partition=0, timestamp_ms=long_ago)
    installation.produce("account-changes", [(b"a", b"{}")] * 5, partition=1, timestamp_ms=long_ago)
    names = {kind: f"{installation.prefix}{kind}" for kind in ("crm", "stuck", "back", "slow", "held")}
    readers = {kind: Reader(installation, name, "account-changes", int(kind == "held")) for kind, name in names.items()}
    readers["slow"].commit(1)
    installation.produce("account-changes", [(b"a", b"{}")] * 5, partition=0)
    readers["slow"].commit(2)
    readers["crm"].commit(4, 15)
    readers["back"].commit(8, 3)
    told: dict[str, Any] = {}

    def told_of(kind: str) -> dict[str, Any]:
        part: dict[str, Any] = told[names[kind]]["partitions"][0]
        return part

    def statuses() -> dict[str, str]:
        return {kind: told_of(kind)["status"] for kind in names}

    def as_they_are() -> bool:
        told.update({group["group"]: group for group in lag(installation)["groups"]})
        return statuses() == {"crm": "OK", "stuck": "STALL", "back": "REWIND", "slow": "WARN", "held": "OK"}

    transaction = an_open_transaction(installation, "account-changes", 1, long_ago)
    with committing({readers["stuck"]: 5, readers["held"]: 5}, every_s=0.6):
        wait_until(as_they_are, 45, lambda: f"the groups as they are: {statuses()}")
        assert told_of("held")["lag"] == 3, "they do lie there"
        transaction.abort_transaction(30)
        wait_until(lambda: as_they_are() and told_of("held")["lag"] == 4, 45, lambda: f"with the mark: {statuses()}")
    for reader in readers.values():
        reader.close()
    assert {told[name]["status"] for kind, name in names.items() if kind in {"stuck", "back"}} == {"ERR"}
    assert (told_of("stuck")["committed"], told_of("stuck")["lag"]) == (5, 10)
    assert told_of("stuck")["lagSeconds"] >= 600
    assert told[names["stuck"]]["complete"] == 1.0


def canaries_come_back_and_touch_nobody(installation: Installation, worker: Running) -> None:
    done = installation.run("canary", "--json")
    assert done.returncode == 0, done.stderr + done.stdout
    document = json.loads(done.stdout)
    assert (document["sent"], document["back"]) == (2, 2)
    assert all(0 <= bird["acceptedSeconds"] <= bird["backSeconds"] <= 30 for bird in document["canaries"])
    assert installation.read("stage-changes") == []
    assert installation.read("dead-letters") == []
    assert json.loads(worker.get("/v1/leads")[1])["leads"] == []
    wait_until(lambda: metric(worker, "leadstream_canaries_back_total") >= 4, 30, "the worker's own canaries")
    assert metric(worker, "leadstream_canary_latency_seconds_count") >= 4
    assert metric(worker, "leadstream_applied_total") == 0
    counts = worker.counts()
    assert counts["read"] == counts["echoes"]


def a_canary_comes_by_a_collector_too(installation: Installation) -> None:
    port = str(free_port())
    installation.start("collector", COLLECTOR_PORT=port).wait_for_line("ready: the collector listens")
    done = installation.run("canary", "--collector", f"http://127.0.0.1:{port}", "--json")
    assert done.returncode == 0, done.stderr + done.stdout
    assert (json.loads(done.stdout)["sent"], json.loads(done.stdout)["back"]) == (1, 1)
    nobody = installation.run("canary", "--collector", f"http://127.0.0.1:{free_port()}")
    assert (nobody.returncode, nobody.stderr.count("\n")) == (3, 1)


def metric(worker: Running, name: str, labels: str = "") -> float:
    lines = worker.get("/metrics")[1].decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.split("{")[0].split(" ")[0] == name and labels in line)


def a_worker_that_stands_still_is_seen_while_kafka_takes_it_for_alive(installation: Installation, worker: Running) -> None:
    watching = installation.start("lag", "--watch")
    watching.wait_for_line("holds the clock")
    worker.process.signal(signal.SIGSTOP)
    event = b'{"type":"page","anonymousId":"a","messageId":"m"}'
    installation.produce("events", [(None, event)], partition=1)
    row = re.compile(rf"^ *{installation.topic('events')} +1 +(\w+) +\d+ +\d+ +\d+ +([\d.]+) s", re.MULTILINE)
    wait_until(lambda: "STOP" in dict(row.findall(watching.output)), 30, "STOP")
    watching.kill()
    installation.processes.remove(watching)
    assert {status for status, waits in row.findall(watching.output) if float(waits) >= 2} <= {"STOP"}, "two commit intervals"
    assert statuses(lag(installation), installation)["events", 1] == "STOP"
    done = installation.run("canary", "--json", "--timeout", "0.5")
    assert done.returncode == 1
    assert json.loads(done.stdout)["back"] == 0


class Scraping:
    """A real Prometheus with the shipped rules, scraping a worker."""

    def __init__(self, worker: Running, folder: Path) -> None:
        self._port, rules = free_port(), ROOT / "deploy" / "prometheus" / "alerts.yml"
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(rules)],
            "scrape_configs": [{"job_name": "leadstream", "static_configs": [{"targets": [f"127.0.0.1:{worker.port}"]}]}],
        }
        file = folder / "prometheus.yml"
        file.write_text(json.dumps(config))
        command = [
            str(tool("prometheus")), f"--config.file={file}", f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
        ]  # fmt: skip
        self.process = Process(command, {}, folder / "prometheus.log", folder).start()

    def ask(self, path: str, **words: str) -> Any:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            connection.request("GET", f"/api/v1/{path}?{urlencode(words)}")
            return json.loads(connection.getresponse().read())["data"]
        except (OSError, HTTPException, ValueError, KeyError):  # it is not ready yet
            return None
        finally:
            connection.close()

    def value(self, query: str) -> float | None:
        answer = self.ask("query", query=query)
        return float(answer["result"][0]["value"][1]) if answer and answer["result"] else None


def prometheus_sees_a_worker_under_load(installation: Installation, worker: Running) -> None:
    scraping = Scraping(worker, installation.folder)
    events = [(None, b'{"type":"page","userId":"u%d","messageId":"m%d"}' % (n % 50, n)) for n in range(3_000)]
    try:
        installation.produce("events", events)
        wait_until(lambda: (scraping.value("sum(leadstream_applied_total)") or 0) >= len(events), 60, "the events in Prometheus")
        durable = 'sum(leadstream_event_latency_seconds_bucket{le="+Inf"})'
        wait_until(lambda: (scraping.value(durable) or 0) >= len(events), 60, "their latency")
        wait_until(lambda: scraping.value("min(leadstream_ready)") == 1, 30, "ready")
        assert (scraping.value("max(leadstream_people_clock_lag_seconds)") or 0) > 0
        known = set(scraping.ask("label/__name__/values"))
        elsewhere = ("leadstream_collector", "leadstream_webhook")
        for family in (family for name, family in families().items() if not name.startswith(elsewhere)):
            assert set(family.series) & known or family.labels, f"{family.name} was not scraped"
        rules = [rule for group in scraping.ask("rules")["groups"] for rule in group["rules"]]
        assert len(rules) > len(ALERTS)
        assert {rule["health"] for rule in rules} <= {"ok", "unknown"}
        wait_until(lambda: "LeadstreamReplicationOne" in alarms(scraping, "pending"), 30, "one copy")
        assert alarms(scraping, "firing") == set()
        check = subprocess.run(
            [str(tool("promtool")), "check", "metrics"], input=worker.get("/metrics")[1], capture_output=True, check=False
        )
        assert check.returncode in {0, 3}, check.stderr
        assert b"error while linting" not in check.stderr
    finally:
        scraping.process.stop()


def nothing_personal_is_in_the_log(installation: Installation, worker: Running) -> None:
    """Whatever is personal in what comes and in what is asked carries the marker."""
    page = {"url": f"https://x.example/{MARK}?q={MARK}", "referrer": MARK}
    somebody = {
        "anonymousId": f"{MARK}-device", "userId": f"{MARK}-user", "messageId": f"{MARK}-message",
        "traits": {"email": f"{MARK}@acme.example", "name": MARK, "phone": "+4930" + MARK},
        "context": {"ip": f"192.0.2.1 {MARK}", "userAgent": MARK, "page": page},
        "properties": {"note": MARK},
    }  # fmt: skip
    good = [{"type": "identify", **somebody}, {"type": "page", **somebody}, {"type": "track", "event": MARK, **somebody}]
    bad = [{"type": MARK, **somebody}, {"type": "track", "event": 7, **somebody}, {"type": "page", **somebody, "timestamp": MARK}]
    values = [json.dumps(event).encode() for event in (*good, *bad)] + [f"{{{MARK}".encode(), f"\xff{MARK}".encode("latin-1")]
    before = worker.counts()["dead_letters"]
    installation.produce("events", [(f"user::{MARK}-user".encode(), value) for value in values])
    wait_until(lambda: worker.counts()["dead_letters"] >= before + 5, 30, "the dead letters")
    for path in (f"/v1/leads/user::{MARK}-user", f"/v1/visitors/anon::{MARK}", f"/v1/leads/{MARK}", f"/v1/{MARK}"):
        worker.get(path)
    log = worker.process.output
    assert "ready" in log
    assert MARK not in log
    for line in log.splitlines():
        if not line.startswith(("created topic", "leadstream:")):
            assert {"at", "level", "logger", "message"} <= json.loads(line).keys()


def alarms(scraping: Scraping, state: str) -> set[str]:
    answer = scraping.ask("alerts")
    return {alert["labels"]["alertname"] for alert in answer["alerts"] if alert["state"] == state} if answer else set()


def test_what_is_watched(watched: Installation) -> None:
    worker = run_worker(watched, SESSION_TIMEOUT="60s")
    canaries_come_back_and_touch_nobody(watched, worker)
    a_canary_comes_by_a_collector_too(watched)
    prometheus_sees_a_worker_under_load(watched, worker)
    other_groups_are_told_of(watched)
    nothing_personal_is_in_the_log(watched, worker)
    a_worker_that_stands_still_is_seen_while_kafka_takes_it_for_alive(watched, worker)
    worker.kill(watched)
