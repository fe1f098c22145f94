"""What is exported: the names of the contract with their types and labels, and never anybody in a label."""

from collections.abc import Iterator, Sequence
from typing import Any, get_args

import pytest
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry, generate_latest

from deploy.exported import families
from schemas.dead_letter import ReasonCode
from stream.ops.exposition import STATUSES, Exposition
from stream.ops.lag import Copies, GroupLag, Lag, Report
from stream.ops.metrics import REFUSALS, SECONDS, LatencyHistogram, Metrics
from stream.web.service import Web
from tests.unit.standing_worker import START, StandingWorker
from tests.unit.test_lag import StandingMeter

CONTRACT = {
    "leadstream_events_total": ("counter", ("topic",)),
    "leadstream_applied_total": ("counter", ()),
    "leadstream_echoes_total": ("counter", ()),
    "leadstream_own_total": ("counter", ()),
    "leadstream_event_latency_seconds": ("histogram", ()),
    "leadstream_stage_change_latency_seconds": ("histogram", ()),
    "leadstream_stage_changes_total": ("counter", ("from", "to", "reason")),
    "leadstream_dead_letters_total": ("counter", ("reason",)),
    "leadstream_duplicates_total": ("counter", ()),
    "leadstream_forwarded_total": ("counter", ()),
    "leadstream_late_events_total": ("counter", ()),
    "leadstream_timers_armed": ("gauge", ()),
    "leadstream_clock_lag_seconds": ("gauge", ("partition",)),
    "leadstream_checkpoint_seconds": ("gauge", ()),
    "leadstream_table_rows": ("gauge", ("table",)),
    "leadstream_recovery_seconds": ("gauge", ()),
    "leadstream_rebalances_total": ("counter", ()),
    "kafka_consumergroup_group_lag": ("gauge", ("group", "topic", "partition")),
    "kafka_consumergroup_group_lag_seconds": ("gauge", ("group", "topic", "partition")),
    "kafka_partition_latest_offset": ("gauge", ("topic", "partition")),
}
LABELS = {"topic", "group", "partition", "reason", "from", "to", "table", "key", "library", "outcome", "status", "answer"}
"""Of things that there are a few of; none of them is a person's."""


@pytest.mark.parametrize("name", CONTRACT)
def test_each_name_of_the_contract_is_exported_with_its_type_and_labels(name: str) -> None:
    family = families()[name]
    assert (family.kind, family.labels) == CONTRACT[name]


def test_no_label_could_hold_a_person() -> None:
    assert {label for family in families().values() for label in family.labels} <= LABELS


def test_every_metric_says_what_it_is() -> None:
    assert [family.name for family in families().values() if len(family.documentation) < 5] == []


def test_every_reason_of_a_dead_letter_is_counted_from_nought() -> None:
    assert set(REFUSALS) == set(get_args(ReasonCode))
    text = generate_latest(Metrics().registry).decode()
    for reason in REFUSALS:
        assert f'leadstream_dead_letters_total{{reason="{reason}"}} 0.0' in text


@pytest.mark.parametrize(
    ("seconds", "below_2", "below_5"), [([], 0, 0), ([2.0], 1, 1), ([2.001], 0, 1), ([0.1, 5.0, 5.1], 1, 2)]
)  # fmt: skip
def test_a_bound_belongs_to_its_bucket(seconds: Sequence[float], below_2: int, below_5: int) -> None:
    registry = CollectorRegistry()
    LatencyHistogram("h", "a histogram", registry).observe_many(seconds)
    told = {bound: registry.get_sample_value("h_bucket", {"le": str(bound)}) for bound in SECONDS}
    assert (told[2.0], told[5.0], registry.get_sample_value("h_count")) == (below_2, below_5, len(seconds))


def test_how_long_ago_instants_were_is_what_is_observed() -> None:
    now, instants = 1_000_000, [999_000, 998_000, 997_999, 1_000_001, 1_000_000, 700_000]
    one, other = CollectorRegistry(), CollectorRegistry()
    LatencyHistogram("h", "a histogram", one).observe_since(instants, now)
    LatencyHistogram("h", "a histogram", other).observe_many([max(0, now - at) / 1000 for at in instants])
    assert generate_latest(one) == generate_latest(other)


REPORT = Report(
    [Lag("events", 0, 7, 10, 3, 60.0, "WARN"), Lag("people", 0, 1, 9, 8, None, "STOP")],
    others=[GroupLag("crm", [Lag("stage-changes", 3, 1, 4, 3, 50.0, "STALL"), Lag("stage-changes", 4, 1, 1, 0, 0.0, "REWIND")])],
    copies={"events": Copies(3, 2)},
)


def lines_of(report: Report) -> Iterator[str]:
    registry = CollectorRegistry()
    registry.register(Exposition("leadstream", lambda: report))
    yield from generate_latest(registry).decode().splitlines()


def test_status_and_copies_are_told_of_every_group() -> None:
    lines = list(lines_of(REPORT))
    for status, group, topic, partition in ((1, "leadstream", "events", 0), (4, "leadstream", "people", 0),
                                            (2, "crm", "stage-changes", 3), (3, "crm", "stage-changes", 4)):  # fmt: skip
        assert f'leadstream_partition_status{{group="{group}",partition="{partition}",topic="{topic}"}} {status}.0' in lines
    assert 'leadstream_topic_replicas{topic="events"} 3.0' in lines
    assert 'leadstream_topic_in_sync_replicas{topic="events"} 2.0' in lines
    assert 'kafka_partition_latest_offset{partition="3",topic="stage-changes"} 4.0' in lines
    assert len([line for line in lines if line.startswith("kafka_consumergroup_group_lag_seconds{")]) == 3, "one is not known"


def test_statuses_are_numbered_as_the_rules_say() -> None:
    assert [str(status) for status in STATUSES] == ["OK", "WARN", "STALL", "REWIND", "STOP", "UNKNOWN"]


async def told(worker: StandingWorker) -> list[str]:
    async with TestClient(TestServer(Web(worker).application())) as client:
        await (await client.get("/v1/lag")).read()
        return (await (await client.get("/metrics")).text()).splitlines()


@pytest.fixture(autouse=True)
def _standing_meter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.web.lagging.LagMeter", StandingMeter)


async def test_one_worker_tells_of_what_is_nobodys_and_of_the_peoples_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    own, other = "http://127.0.0.1:6066", "http://127.0.0.1:6067"
    has: Any = {own: {"events": [0], "people": [0]}, other: {"events": [1]}}
    has_not: Any = {own: {"events": [0]}, other: {"events": [1], "people": [0]}}
    first, second = StandingWorker([], has), StandingWorker([], has_not)
    for worker in (first, second):
        worker.tick(START)
    lines = await told(first)
    assert 'leadstream_partition_status{group="crm",partition="4",topic="stage-changes"} 2.0' in lines
    assert "leadstream_ready 1.0" in lines
    assert [line for line in lines if line.startswith("leadstream_people_clock_lag_seconds{")]
    lines = await told(second)
    assert not [line for line in lines if "crm" in line or line.startswith("leadstream_people_clock_lag_seconds{")]


async def test_a_partition_that_was_never_heard_of_holds_the_clock_without_end() -> None:
    worker = StandingWorker([])
    worker.fold.partitions = 4
    worker.fold.log.ticks.clear()
    worker.fold.log.ticks[0] = START
    lines = await told(worker)
    assert 'leadstream_people_clock_lag_seconds{partition="1"} +Inf' in lines
