"""How it is told that of one partition nothing is known: by the command, by `/v1/lag`, by `/metrics`, in the log."""

import logging
from collections.abc import Callable
from typing import Self

import orjson
import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiokafka import TopicPartition
from click.testing import CliRunner
from prometheus_client import CollectorRegistry, generate_latest

from schemas import documents
from stream.cli.lag import lag
from stream.ops.exposition import Exposition
from stream.ops.lag import Lag, Report
from stream.ops.leaders import NO_LEADER
from stream.settings import Settings
from stream.web.lagging import Lagging
from stream.web.service import Web
from tests.unit.standing_worker import StandingWorker

APP = "leadstream"
OTHER = TopicPartition("events", 1)
UNKNOWN = Lag.unknown(OTHER, 7, None, NO_LEADER)
REPORT = Report([Lag("events", 0, 9, 9, 0, 0.0, "OK"), UNKNOWN])


class MeterOfUnknown:
    """Measures the same again and again."""

    def __init__(self, *_: object) -> None: ...

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    report: Callable[[], Report] = staticmethod(lambda: REPORT)

    async def measure(self) -> Report:
        return type(self).report()


def test_the_command_names_it_and_ends_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.cli.lag.LagMeter", MeterOfUnknown)
    line = "events-1: Kafka has no leader for it: its lag is not known"
    done = CliRunner().invoke(lag, ["--json"])
    assert (done.exit_code, done.stderr) == (0, line + "\n")
    document = orjson.loads(done.stdout)
    documents.Lag.model_validate(document)
    assert document["status"] == "ERR"
    assert document["partitions"][1] == {
        "topic": "events", "partition": 1, "status": "UNKNOWN", "committed": 7, "end": None, "lag": None, "lagSeconds": None,
    }  # fmt: skip
    assert line in CliRunner().invoke(lag, []).stdout


def test_what_is_not_known_has_no_sample_but_a_status() -> None:
    registry = CollectorRegistry()
    registry.register(Exposition(APP, lambda: REPORT))
    lines = [line for line in generate_latest(registry).decode().splitlines() if 'partition="1"' in line]
    assert lines == ['leadstream_partition_status{group="leadstream",partition="1",topic="events"} 5.0']


async def test_every_worker_tells_that_nobody_can_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever had the partition ends itself, and is started again and again."""
    monkeypatch.setattr("stream.web.lagging.LagMeter", MeterOfUnknown)
    worker = StandingWorker([], {"http://127.0.0.1:6066": {"events": [0]}, "http://127.0.0.1:6067": {"events": [1]}})
    async with TestClient(TestServer(Web(worker).application())) as client:
        async with client.get("/v1/lag") as answer:
            assert (answer.status, (await answer.json())["partitions"][1]["status"]) == (200, "UNKNOWN")
        async with client.get("/metrics") as answer:
            lines = [line for line in (await answer.text()).splitlines() if 'partition="1"' in line]
    assert lines == ['leadstream_partition_status{group="leadstream",partition="1",topic="events"} 5.0']


async def test_a_worker_says_so_once_and_when_it_is_over(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("stream.web.lagging.LagMeter", MeterOfUnknown)
    monkeypatch.setattr("stream.web.lagging.FRESH_S", -1)
    service = Lagging(Settings())
    with caplog.at_level(logging.INFO):
        for report in (REPORT, REPORT, Report()):
            monkeypatch.setattr(MeterOfUnknown, "report", staticmethod(lambda report=report: report))
            await service.measure()
    assert [record.getMessage() for record in caplog.records if "events-1" in record.getMessage()] == [
        "events-1: Kafka has no leader for it: its lag is not known",
        "events-1: its lag is told again as before",
    ]
