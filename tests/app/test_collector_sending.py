"""Sending, against librdkafka's own mock of Kafka: an answer comes when everything is acknowledged, or says that it is not."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, Producer

from stream.collector import sending
from stream.collector.request import Refused
from stream.collector.sending import Record, Sender, client, find_kafka
from stream.errors import UnreachableError, UsageError
from stream.settings import Settings

RECORDS = [Record(b"anon::9f2c", b"{}"), Record(None, b"7"), Record(b"user::42", b"{}", [("leadstream-trust", b"browser")])]


@pytest.fixture
def mock() -> Iterator[str]:
    """Run a mock of one broker for as long as its producer lives."""
    owner = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "", "log_level": 0})
    (broker,) = owner.list_topics(timeout=10).brokers.values()
    yield f"127.0.0.1:{broker.port}"
    del owner


@pytest.fixture
async def sender(mock: str) -> AsyncIterator[Sender]:
    made = Sender(Settings(kafka=(mock,)))
    yield made
    await asyncio.wait_for(made.stop(), 10)


async def test_the_future_is_done_when_every_record_is_acknowledged(sender: Sender) -> None:
    await asyncio.wait_for(asyncio.gather(*(sender.send(RECORDS) for _ in range(50))), 20)
    assert sender.waiting == 0


async def test_what_is_not_acknowledged_in_time_is_to_be_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "DELIVERY_S", 0.2)
    nobody = Sender(Settings(kafka=("127.0.0.1:1",)))
    with pytest.raises(Refused, match="send them again") as refused:
        await asyncio.wait_for(nobody.send(RECORDS), 20)
    assert (refused.value.status, refused.value.retry_after_s) == (503, sending.RETRY_AFTER_S)
    await asyncio.wait_for(nobody.stop(), 10)
    assert nobody.waiting == 0
    assert not nobody.reachable


async def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "DELIVERY_S", 0.5)
    monkeypatch.setattr(sending, "WAITING_RECORDS", 5)
    nobody = Sender(Settings(kafka=("127.0.0.1:1",)))
    waiting = nobody.send(RECORDS)
    with pytest.raises(Refused, match="not stored"):
        nobody.send(RECORDS)
    with pytest.raises(Refused):
        await asyncio.wait_for(waiting, 20)
    await asyncio.wait_for(nobody.stop(), 10)


async def test_an_error_after_which_nothing_goes_is_told_once(sender: Sender) -> None:
    sender._failed(KafkaError(KafkaError._ALL_BROKERS_DOWN))
    assert not sender.failed.done()
    sender._failed(KafkaError(KafkaError.INVALID_PRODUCER_EPOCH, "fenced", fatal=True))
    sender._failed(KafkaError(KafkaError.INVALID_PRODUCER_EPOCH, "again", fatal=True))
    assert sender.failed.result() == "fenced"


def test_a_start_says_what_is_missing(mock: str) -> None:
    with pytest.raises(UsageError, match="leadstream topics"):
        find_kafka(Settings(kafka=(mock,)))


def test_a_start_says_that_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "CONNECT_S", 0.2)
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:1"):
        find_kafka(Settings(kafka=("127.0.0.1:1",)))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, {"security.protocol": "plaintext"}),
        (
            {"kafka_security": "sasl_ssl", "kafka_username": "u", "kafka_password": "p", "kafka_mechanism": "SCRAM-SHA-512"},
            {
                "security.protocol": "sasl_ssl",
                "sasl.mechanism": "SCRAM-SHA-512",
                "sasl.username": "u",
                "sasl.password": "p",
                "ssl.ca.location": "probe",
            },
        ),
        (
            {"kafka_security": "ssl", "kafka_ca": "ca.pem", "kafka_cert": "c.pem", "kafka_key": "k.pem"},
            {
                "security.protocol": "ssl",
                "ssl.ca.location": "ca.pem",
                "ssl.certificate.location": "c.pem",
                "ssl.key.location": "k.pem",
            },
        ),
    ],
    ids=["plaintext", "scram", "mtls"],
)
def test_the_settings_are_told_to_librdkafka(settings: dict[str, Any], told: dict[str, str]) -> None:
    chosen = client(Settings(**settings))
    assert {name: value for name, value in chosen.items() if name.startswith(("sasl", "ssl", "security"))} == told
    assert cast("str", chosen["client.id"]) == "leadstream-collector"
