"""Hangs up on Kafka: behind TLS a client that asks something just then may wait half a minute for its broker's farewell."""

import asyncio
from typing import Any, TypeVar

Client = TypeVar("Client")
GRACE_S = 0.25


def hangs_up(client: Client) -> Client:
    """Return a client of aiokafka (consumer, producer or admin), made to end its connections in any case.

    It says all it has to say first, and leaves its group: only then are connections closed, which aiokafka would wait for.
    """
    has: Any = client
    connected = getattr(has, "client", None) or has._client  # a test pins it
    close = connected.close

    async def hang_up() -> None:
        writers = [one._writer for one in connected._conns.values()]
        ending = asyncio.ensure_future(close())
        await asyncio.wait({ending}, timeout=GRACE_S)
        if not ending.done():
            for writer in filter(None, writers):
                writer.transport.abort()
        await ending

    connected.close = hang_up
    return client
