"""The job on aiokafka and a dict: `getmany`, outputs sent, offsets committed each second. Its state dies with it.

What a loop without any engine costs: no changelog, no recovery, no order between outputs and commit but a flush.
"""

import asyncio
import os
import time
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from benchmarks.peers import rule


async def main() -> None:
    consumer = AIOKafkaConsumer(
        os.environ["JOB"],
        bootstrap_servers=os.environ["KAFKA"],
        group_id=os.environ["APP"],
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        fetch_max_wait_ms=50,
    )
    producer = AIOKafkaProducer(bootstrap_servers=os.environ["KAFKA"])
    rows: dict[bytes, dict[str, Any]] = {}
    await producer.start()
    await consumer.start()
    committed = time.monotonic()
    while True:
        for records in (await consumer.getmany(timeout_ms=100, max_records=5000)).values():
            for record in records:
                row, output = rule.apply(rows.get(record.key), orjson.loads(record.value))
                rows[record.key] = row
                if output is not None:
                    await producer.send(os.environ["OUTPUT"], orjson.dumps(output), record.key)
        if time.monotonic() - committed > 1.0:
            await producer.flush()
            await consumer.commit()
            committed = time.monotonic()


if __name__ == "__main__":
    asyncio.run(main())
