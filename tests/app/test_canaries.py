"""Canaries on a flow that sends nothing: from the worker that sends one, through both agents, back to it."""

import time
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP
from prometheus_client import generate_latest

from stream.agents.canaries import MOST, Canaries, name_for
from stream.domain import canary
from stream.domain.log import Canary, encode
from stream.runtime.producer import partition_of
from tests.app.test_agents import PARTITIONS, Bench
from tests.app.test_agents import record as incoming

HELD = 2


class Way:
    """A worker that holds one partition of `events`."""

    def __init__(self) -> None:
        self.bench = Bench()
        flow: Any = self.bench.flow
        flow.running, flow.ready = {TP("events", HELD), TP("wakes", HELD), TP("people", 0)}, True
        self.canaries = Canaries(flow, self.bench.visitors, "events", self.bench.metrics, 30.0)

    def told(self, name: str) -> float:
        lines = generate_latest(self.bench.metrics.registry).decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.split("{")[0].split(" ")[0] == name)

    def through(self) -> None:
        """Let everything that was sent go as far as it goes."""
        events = [incoming(message.key, message.value) for message in self.bench.flow.take("events")]
        if events:
            self.bench.events(*events, partition=HELD)
        people = [incoming(None, message.value) for message in self.bench.flow.take("people")]
        if people:
            self.bench.people.take(self.bench.batch("people", 0, people))
        wakes = [incoming(message.key, message.value) for message in self.bench.flow.take("wakes")]
        if wakes:
            self.bench.visitors.take_wakes(self.bench.batch("wakes", HELD, wakes))


@pytest.fixture
async def way() -> Way:
    return Way()


async def test_one_goes_through_each_partition_that_is_held_and_comes_back(way: Way) -> None:
    way.canaries.send()
    assert way.told("leadstream_canary_waiting_seconds") >= 0
    way.through()
    assert (way.told("leadstream_canaries_total"), way.told("leadstream_canaries_back_total")) == (1, 1)
    assert way.told("leadstream_canary_latency_seconds_count") == 1
    assert way.told("leadstream_canary_waiting_seconds") == 0
    assert (way.told("leadstream_echoes_total"), way.told("leadstream_applied_total")) == (1, 0)
    assert not {"stage-changes", "lead-states", "dead-letters"} & {topic for topic, _, _ in way.bench.flow.sent}


async def test_one_that_does_not_come_back_gets_older(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    way.canaries.send()
    began = time.monotonic()
    monkeypatch.setattr("stream.agents.canaries.time", SimpleNamespace(monotonic=lambda: began + 61))
    assert way.told("leadstream_canary_waiting_seconds") > 60
    for _ in range(2 * MOST):
        way.canaries.send()
    assert way.told("leadstream_canaries_total") == MOST, "no more are sent while so many wait"


async def test_those_of_a_partition_that_went_are_waited_for_no_more(way: Way) -> None:
    way.canaries.send()
    flow: Any = way.bench.flow
    flow.running.discard(TP("events", HELD))
    way.canaries.send()
    assert "leadstream_canary_waiting_seconds{" not in generate_latest(way.bench.metrics.registry).decode()
    way.through()
    assert way.told("leadstream_canaries_back_total") == 0


async def test_a_strangers_canary_is_let_go(way: Way) -> None:
    node = canary.node_of("strange").encode()
    way.bench.visitors.take_wakes(way.bench.batch("wakes", HELD, [incoming(node, encode(Canary(node.decode())))]))
    assert way.told("leadstream_canaries_back_total") == 0


@pytest.mark.parametrize("partition", range(PARTITIONS))
def test_its_identity_belongs_to_its_partition(partition: int) -> None:
    assert partition_of(canary.node_of(name_for(partition, PARTITIONS)).encode(), PARTITIONS) == partition


def test_names_differ() -> None:
    assert len({name_for(0, PARTITIONS) for _ in range(20)}) == 20
