"""docker-compose.yml, run: each service's command and environment as a process against a real Apache Kafka."""

import os
import shutil
import sys
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from stream.runtime.embedded import free_port
from tests.brokers import JAVA, ROOT, Broker, Installation, Process, kafka_jars
from tests.compose import resolved

INSIDE = "kafka:19092"
SCRIPTS = {"kafka-console-consumer.sh": "org.apache.kafka.tools.consumer.ConsoleConsumer"}


def _process(name: str, service: dict[str, Any], kafka: Broker, folder: Path, **settings: str) -> Process:
    """Make a service's process: its image's program here, its address of Kafka the tests'."""
    words = [word.replace(INSIDE, kafka.address) for word in service["command"]]
    script = Path(words[0]).name
    if script in SCRIPTS:
        words = ["java", *JAVA, "-cp", f"{kafka_jars()}/*", SCRIPTS[script], *words[1:]]
    else:
        words = [sys.executable, "-m", "stream", *words]
    chosen = {key: str(value).replace(INSIDE, kafka.address) for key, value in service.get("environment", {}).items()}
    base = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT)}
    return Process(words, base | chosen | settings, folder / f"{name}.log", folder)


@pytest.mark.kafka
@pytest.mark.process
def test_every_service_runs_as_the_file_says(own_kafka: Installation, tmp_path: Path) -> None:
    kafka = own_kafka.broker
    services = resolved()["services"]
    assert shutil.which("java")
    topics = _process("topics", services["topics"], kafka, tmp_path)
    worker = _process("worker", services["worker"], kafka, tmp_path, LEADSTREAM_WEB_PORT=str(free_port()))
    port = str(free_port())
    collector = _process("collector", services["collector"], kafka, tmp_path, LEADSTREAM_COLLECTOR_PORT=port)
    tail = _process("stage-changes", services["stage-changes"], kafka, tmp_path)
    assert services.keys() == {"kafka", "topics", "worker", "collector", "stage-changes"}, "kafka and these four"
    journey = Installation(kafka, tmp_path, prefix="", settings={"APP": "leadstream", "PARTITIONS": "8"})
    try:
        assert topics.start().wait() == 0, topics.output
        worker.start()
        tail.start()
        collector.start()
        journey.produce("events", [(b"user::42", event.encode()) for event in _promotion()[1:]])
        collector.wait_for_line("ready: the collector listens")
        assert _posted(port, _promotion()[0]) == b'{"success":true}'

        tail.wait_for_line(r'"type":\s?"lead.stage_changed.v1"', 60)

        assert worker.stop() == 0, worker.output
        assert collector.stop() == 0, collector.output
    finally:
        for process in (topics, worker, collector, tail):
            process.kill()


def _posted(port: str, event: str) -> bytes:
    """Send an event by HTTP and return the answer."""
    connection = HTTPConnection("127.0.0.1", int(port), timeout=15)
    try:
        connection.request("POST", "/v1/identify", event)
        return connection.getresponse().read()
    finally:
        connection.close()


def _promotion() -> list[str]:
    """Make events that lift a lead into a stage under the shipped ruleset."""
    who = '"userId":"42","context":{"page":{"url":"https://shop.example/pricing"}}'
    form = '"type":"track","event":"Demo Requested"'
    return [
        '{"type":"identify","userId":"42","messageId":"i","traits":{"email":"a@acme.example","title":"Head of IT"}}',
        *(f'{{{form},{who},"messageId":"d{n}"}}' for n in range(5)),
        *(f'{{"type":"page",{who},"messageId":"p{n}"}}' for n in range(10)),
    ]
