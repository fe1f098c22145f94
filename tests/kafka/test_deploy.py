"""`deploy/`, run: the cluster's commands and environments, the systemd units', and Prometheus as the profile `ops` has it."""

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest
from confluent_kafka.admin import AdminClient

from stream.runtime.embedded import free_port
from tests.brokers import JAVA, ROOT, Broker, Installation, Process, kafka_jars, wait_until
from tests.compose import CLUSTER, FILE, resolved
from tests.kafka.receiver import receiving
from tests.prometheus import tool
from tests.units import command, environment

pytestmark = [pytest.mark.kafka, pytest.mark.process]

KAFKAS, WORKERS = ("kafka-1", "kafka-2", "kafka-3"), ("worker-1", "worker-2")
UNIT, COLLECTOR_UNIT, WEBHOOK_UNIT = (f"leadstream-{name}.service" for name in ("worker@", "collector", "webhook"))
CARRIES = "KAFKA_"


class Machines:
    """The hosts of a compose file on loopback: every `name:port` becomes a free port here."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._at = {f"{name}:{port}": f"127.0.0.1:{free_port()}" for name in names for port in (6066, 9093, 19092)}

    def at(self, text: str) -> str:
        for name, place in self._at.items():
            text = text.replace(name, place)
        return text

    def port(self, name: str) -> str:
        return self._at[name].rpartition(":")[2]


class Cluster:
    """The Kafkas of the file: the image makes a property of each `KAFKA_…` variable, and so do we."""

    def __init__(self, folder: Path, services: dict[str, Any], machines: Machines) -> None:
        self.folder = folder
        self.processes = {name: self._node(name, services[name], machines) for name in KAFKAS}
        self.address = machines.at(",".join(f"{name}:19092" for name in KAFKAS))

    def _node(self, name: str, service: dict[str, Any], machines: Machines) -> Process:
        home = self.folder / name
        home.mkdir()
        told = {key: machines.at(str(value)) for key, value in service["environment"].items()}
        told["KAFKA_LISTENERS"] = machines.at(f"PLAINTEXT://{name}:19092,CONTROLLER://{name}:9093")
        told["KAFKA_LOG_DIRS"] = str(home / "data")
        names = {key: key.removeprefix(CARRIES).lower().replace("_", ".") for key in told if key.startswith(CARRIES)}
        file = home / "server.properties"
        file.write_text("".join(f"{name}={told[key]}\n" for key, name in names.items()))
        java = ["java", *JAVA, "-cp", f"{kafka_jars()}/*"]
        storage = [*java, "kafka.tools.StorageTool", "format", "-t", told["CLUSTER_ID"], "-c", str(file)]
        subprocess.run(storage, check=True, capture_output=True, cwd=home)
        return Process([*java, "kafka.Kafka", str(file)], dict(os.environ), home / "kafka.log", home)


def program(folder: Path, name: str, words: list[str], settings: dict[str, str]) -> Process:
    base = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT)}
    return Process([sys.executable, "-m", "stream", *words], base | settings, folder / f"{name}.log", folder)


@pytest.fixture
def processes() -> Iterator[dict[str, Process]]:
    """Whatever runs when the test ends is ended."""
    made: dict[str, Process] = {}
    yield made
    for process in made.values():
        process.kill()


def test_the_cluster_is_watched_and_survives_a_kafka_and_a_worker(tmp_path: Path, processes: dict[str, Process]) -> None:
    kafka_jars()
    assert shutil.which("java")
    services, machines = resolved(CLUSTER)["services"], Machines((*KAFKAS, *WORKERS))
    cluster = Cluster(tmp_path, services, machines)
    processes |= cluster.processes
    for process in cluster.processes.values():
        process.start()
    broker = Broker(cluster.address, "kafka")
    journey = Installation(broker, tmp_path, prefix="", settings={"APP": "leadstream", "PARTITIONS": "8", "REPLICATION": "3"})
    wait_until(lambda: journey.run("topics").returncode != 3, 60, "the cluster")
    for name in ("topics", *WORKERS):
        told = {key: machines.at(str(value)) for key, value in services[name]["environment"].items()}
        if name in WORKERS:
            told |= {"LEADSTREAM_WEB_HOST": "127.0.0.1", "LEADSTREAM_WEB_PORT": machines.port(f"{name}:6066")}
        processes[name] = program(tmp_path, name, services[name]["command"], told)
    assert processes["topics"].start().wait(60) == 0, processes["topics"].output
    assert journey.run("topics", "--check").returncode == 0
    alone = Installation(broker, tmp_path, prefix="alone-", settings={"PARTITIONS": "3", "REPLICATION": "1"})
    assert alone.run("topics").returncode == 0
    for name in WORKERS:
        processes[name].start()
    own = {"LEADSTREAM_KAFKA": cluster.address, "LEADSTREAM_KAFKA_SECURITY": "plaintext"}
    a_collector_takes_an_event(tmp_path, processes, own)
    for name in WORKERS:
        processes[name].wait_for_line(r"ready: \d+ rows", 60)
    journey.wait_for_records("stage-changes", lambda found: len(found) == 1)
    with a_webhook_that_tells_it(tmp_path, processes, own) as webhook:
        prometheus_reaches_what_wants_its_token(tmp_path, processes, machines.port("worker-1:6066"), webhook)

    processes["kafka-2"].kill()
    processes["worker-2"].kill()
    own |= {"LEADSTREAM_WEB_PORT": str(free_port())}
    processes["unit"] = program(tmp_path, "unit", command(UNIT), environment(UNIT, "2", tmp_path) | own)
    processes["unit"].start()
    what_nobody_leads_is_named_and_all_else_told(alone)
    there = ("worker-1", "unit")
    wait_until(lambda: again(processes, *there) and "ready: " in processes["unit"].output, 90, "the unit's worker")
    journey.produce("events", [(f"user::v{n}".encode(), _identify(n)) for n in range(20)])
    wait_until(lambda: again(processes, *there) and len(journey.read("stage-changes")) >= 21, 120, "all stage changes")
    assert len({record.key for record in journey.read("stage-changes")}) == 21
    for name in there:
        assert processes[name].stop(60) in {0, 70}, processes[name].output[-3000:]


def what_nobody_leads_is_named_and_all_else_told(installation: Installation) -> None:
    """Of topics with one copy each Kafka has taken a third with it."""
    admin = AdminClient({"bootstrap.servers": installation.broker.address, "log_level": 0})

    def leaderless() -> set[tuple[str, int]]:
        topics, names = admin.list_topics(timeout=10).topics, map(installation.topic, ("events", "wakes", "people"))
        return {(name, one.id) for name in names for one in topics[name].partitions.values() if one.leader < 0}

    gone = wait_until(leaderless, 60, "partitions without a leader")
    done = installation.run("lag", "--json")
    assert done.returncode == 0, done.stderr
    told = {(one["topic"], one["partition"]): (one["status"], one["lag"]) for one in json.loads(done.stdout)["partitions"]}
    assert {place for place, (status, _) in told.items() if status == "UNKNOWN"} == gone
    assert {told[place] for place in told.keys() - gone} == {("OK", 0)}
    assert {told[place] for place in gone} == {("UNKNOWN", None)}
    for topic, partition in gone:
        assert f"{topic}-{partition}" in done.stderr
    assert "Kafka has no leader for it: its lag is not known" in done.stderr


def again(processes: dict[str, Process], *names: str) -> bool:
    """Start again what ended, as the file and the unit say: on failure."""
    for name in names:
        if processes[name].exit_code is not None:
            assert processes[name].exit_code in {3, 70}, processes[name].output[-3000:]
            processes[name].start()
    return True


def _identify(number: int) -> bytes:
    return json.dumps({"type": "identify", "userId": f"v{number}", "messageId": "1"}).encode()


def a_collector_takes_an_event(folder: Path, processes: dict[str, Process], own: dict[str, str]) -> None:
    """Run the unit's command and environment."""
    port = str(free_port())
    told = environment(COLLECTOR_UNIT, "", folder) | own | {"LEADSTREAM_COLLECTOR_PORT": port}
    processes["collector"] = program(folder, "collector", command(COLLECTOR_UNIT), told).start()
    processes["collector"].wait_for_line("ready: ", 60)
    with urlopen(Request(f"http://127.0.0.1:{port}/v1/identify", b'{"userId":"u1","messageId":"1"}')) as answer:
        assert answer.status == HTTPStatus.OK
    assert processes["collector"].stop(60) == 0, processes["collector"].output[-3000:]


@contextmanager
def a_webhook_that_tells_it(folder: Path, processes: dict[str, Process], own: dict[str, str]) -> Iterator[str]:
    """Run the unit's command and environment, its receiver here; yields where Prometheus finds it."""
    told, port = environment(WEBHOOK_UNIT, "", folder), str(free_port())
    secret = base64.b64decode(told["LEADSTREAM_WEBHOOK_SECRETS"].removeprefix("whsec_"))
    with receiving(lambda *_: 204, secret) as receiver:
        own = own | {
            "LEADSTREAM_WEBHOOK_URL": f"http://127.0.0.1:{receiver.port}/", "LEADSTREAM_WEBHOOK_NETWORKS": "127.0.0.0/8",
            "LEADSTREAM_WEBHOOK_PORT": port, "LEADSTREAM_WEB_TOKEN": resolved(FILE, "ops")["configs"]["web-token"]["content"],
        }  # fmt: skip
        processes["webhook"] = program(folder, "webhook", command(WEBHOOK_UNIT), told | own).start()
        wait_until(lambda: receiver.told, 60, "the fact told")
        yield port
        assert processes["webhook"].stop(60) == 0, processes["webhook"].output[-3000:]


def prometheus_reaches_what_wants_its_token(folder: Path, processes: dict[str, Process], web: str, webhook: str) -> None:
    """Run the service of the profile `ops`: its image's program here, the worker's and the webhook's addresses these."""
    services = resolved(FILE, "ops")
    port, token, files = str(free_port()), folder / "token", folder / "prometheus"
    token.write_text(services["configs"]["web-token"]["content"])
    shutil.copytree(ROOT / "deploy" / "prometheus", files)
    inside = {
        "/run/secrets/leadstream-web-token": str(token),
        "worker:6066": f"127.0.0.1:{web}",
        "webhook:6067": f"127.0.0.1:{webhook}",
    }
    inside |= {"/etc/prometheus": str(files), "=/prometheus": f"={folder / 'tsdb'}"}
    file = files / "prometheus.yml"
    file.write_text(_outside(file.read_text(), inside))
    words = [_outside(word, inside) for word in services["services"]["prometheus"]["command"]]
    processes["prometheus"] = Process(
        [str(tool("prometheus")), *words, f"--web.listen-address=127.0.0.1:{port}"], {}, folder / "prometheus.log", folder
    ).start()
    wait_until(lambda: _asked(port, 'up{job="leadstream"} == 1 and on() leadstream_ready == 1'), 60, "a worker that is up")
    wait_until(lambda: _asked(port, "leadstream_webhook_facts_total == 1"), 60, "a webhook that is up")
    processes["prometheus"].stop()


def _outside(text: str, inside: dict[str, str]) -> str:
    """Return what is meant by paths and names of the containers."""
    for name, here in inside.items():
        text = text.replace(name, here)
    return text


def _asked(port: str, query: str) -> bool:
    connection = HTTPConnection("127.0.0.1", int(port), timeout=5)
    try:
        connection.request("GET", f"/api/v1/query?query={quote(query)}")
        return bool(json.loads(connection.getresponse().read())["data"]["result"])
    except (OSError, HTTPException, ValueError, KeyError):  # it is not ready yet
        return False
    finally:
        connection.close()
