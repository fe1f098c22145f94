"""Hanging up ends, also where the other side never says farewell."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.conn import AIOKafkaConnection

from stream.runtime import hangup
from stream.runtime.hangup import hangs_up

ADDRESS = "127.0.0.1:1"


class Connection:
    """One whose broker says no farewell."""

    def __init__(self, *, is_open: bool) -> None:
        self.broken = asyncio.get_running_loop().create_future()
        transport = SimpleNamespace(abort=lambda: self.broken.set_result(None))
        self._writer = SimpleNamespace(transport=transport) if is_open else None

    def close(self, **_: Any) -> "asyncio.Future[None]":
        is_open, self._writer = self._writer is not None, None
        if not is_open:
            self.broken.set_result(None)
        return self.broken


@pytest.mark.parametrize(
    ("kind", "end"), [(AIOKafkaConsumer, "stop"), (AIOKafkaProducer, "stop"), (AIOKafkaAdminClient, "close")]
)
async def test_connections_that_do_not_end_are_broken_off(
    kind: Any, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(hangup, "GRACE_S", 0.01)
    client = hangs_up(kind(bootstrap_servers=ADDRESS))
    connections = [Connection(is_open=True), Connection(is_open=False)]
    (getattr(client, "client", None) or client._client)._conns = dict(enumerate(connections))
    await asyncio.wait_for(getattr(client, end)(), 5)
    assert all(connection.broken.done() for connection in connections)


async def test_aiokafka_keeps_its_connections_where_they_are_looked_for() -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=ADDRESS)
    assert consumer._client._conns == {}
    assert AIOKafkaConnection("127.0.0.1", 1)._writer is None
    await consumer.stop()
