"""Hanging up ends, also where the other side never says farewell."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.conn import AIOKafkaConnection

from stream.ops import hangup
from stream.ops.hangup import hang_up


async def test_a_connection_that_does_not_end_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hangup, "GRACE_S", 0.01)
    ended = asyncio.Event()
    writer: Any = SimpleNamespace(transport=SimpleNamespace(abort=ended.set))

    async def stop(_: object) -> None:
        await ended.wait()

    monkeypatch.setattr(AIOKafkaConsumer, "stop", stop)
    consumer = AIOKafkaConsumer.__new__(AIOKafkaConsumer)
    consumer._closed = True
    consumer._client = SimpleNamespace(_conns={1: SimpleNamespace(_writer=writer), 2: SimpleNamespace(_writer=None)})
    await asyncio.wait_for(hang_up(consumer), 5)
    assert ended.is_set()


async def test_aiokafka_keeps_its_connections_where_they_are_looked_for() -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers="127.0.0.1:1")
    assert consumer._client._conns == {}
    assert AIOKafkaConnection("127.0.0.1", 1)._writer is None
    await consumer.stop()
