"""Hangs up on Kafka: behind TLS a client that asks something just then may wait half a minute for its broker's farewell."""

import asyncio

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient

GRACE_S = 0.25


async def hang_up(client: AIOKafkaConsumer | AIOKafkaAdminClient) -> None:
    """End a client in good order, and its connections in any case."""
    writers = [one._writer for one in client._client._conns.values()]  # noqa: SLF001 - aiokafka only waits; a test pins it
    ending = asyncio.ensure_future(client.stop() if isinstance(client, AIOKafkaConsumer) else client.close())
    await asyncio.wait({ending}, timeout=GRACE_S)
    if not ending.done():
        for writer in filter(None, writers):
            writer.transport.abort()
    await ending
