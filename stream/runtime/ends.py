"""The ends of partitions on the embedded broker: asked for one, it names the second record of the last batch."""

from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

WAIT_MS = 100


async def fetched_ends(address: str, asked: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
    """Return what the answers to fetches say; what comes with records is right."""
    ends, waiting = dict(asked), {tp for tp, end in asked.items() if end}
    if not waiting:
        return ends
    consumer = AIOKafkaConsumer(bootstrap_servers=address, enable_auto_commit=False, fetch_max_wait_ms=1)
    await consumer.start()
    try:
        consumer.assign(list(waiting))
        for tp in waiting:
            consumer.seek(tp, ends[tp] - 1)
        while waiting:
            await consumer.getmany(*waiting, timeout_ms=WAIT_MS)
            ends |= {tp: end for tp in waiting if (end := consumer.highwater(tp)) is not None}
            waiting = {tp for tp in waiting if consumer.highwater(tp) is None}
    finally:
        await consumer.stop()
    return ends
