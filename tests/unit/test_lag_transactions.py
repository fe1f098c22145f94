"""Who may be reading committed records only, behind a transaction: it has not stopped, and a transaction that stays is told."""

import time

import pytest
from aiokafka import TopicPartition

from stream.ops.judging import OPEN, TRANSACTION_MS
from stream.ops.lag import Report
from stream.ops.meter import LagMeter
from stream.ops.reader import Known
from stream.settings import Settings
from tests.unit.standing_kafka import StandingKafka, an_installation_that_is_well

APP, SECOND = "leadstream", 1_000
EVENTS, FACTS = TopicPartition("events", 0), TopicPartition("stage-changes", 0)


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> StandingKafka:
    return an_installation_that_is_well(monkeypatch)


def now_ms() -> int:
    return int(time.time() * 1000)


HELD = [
    ("all that is committed is read", 6, 6, 60 * SECOND, ("OK", True)),
    ("a transaction is open for longer than Kafka lets it", 6, 6, TRANSACTION_MS + 60 * SECOND, ("WARN", True)),
    ("something committed is not read", 5, 6, 60 * SECOND, ("STOP", False)),
    ("no transaction is open", 6, 10, 60 * SECOND, ("STOP", False)),
]


@pytest.mark.parametrize(("case", "committed", "stable", "age_ms", "told"), HELD, ids=[case[0] for case in HELD])
async def test_who_may_be_waiting_for_a_transaction_has_not_stopped(
    kafka: StandingKafka, case: str, committed: int, stable: int, age_ms: int, told: tuple[str, bool]
) -> None:
    kafka.commits["crm"], kafka.stable, kafka.stamp_ms = {FACTS: committed}, {FACTS: stable}, now_ms() - age_ms
    (crm,) = (await measured_after(kafka, 50 * SECOND)).others
    (one,) = crm.lags
    assert (one.status, one.note == OPEN) == told, case
    assert one.records == 10 - committed, "they do lie there"
    assert one.seconds == pytest.approx(age_ms / 1000, abs=5)


async def test_our_own_workers_never_wait_for_a_transaction(kafka: StandingKafka) -> None:
    kafka.commits[APP][EVENTS], kafka.stable, kafka.stamp_ms = 6, {EVENTS: 6}, now_ms() - 60 * SECOND
    assert [one.status for one in (await measured_after(kafka, 50 * SECOND)).lags if one.topic == "events"] == ["STOP", "OK"]


async def measured_after(kafka: StandingKafka, age_ms: int) -> Report:
    """Measure, with what was known so long ago."""
    known = Known()
    async with LagMeter(Settings(), known) as meter:
        await meter.measure()
    for reader in known.readers.values():
        reader.ring.commits[-1] = type(reader.ring.commits[-1])(("", "", 0), reader.ring.commits[-1].offset, now_ms() - age_ms)
    async with LagMeter(Settings(), known) as meter:
        return await meter.measure()
