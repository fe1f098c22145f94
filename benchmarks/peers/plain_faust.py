"""The job on Faust as its documentation shows it: an agent, a table in memory with its changelog, a commit a second.

`KAFKA` is the broker, `APP` the consumer group, `JOB` the topic read, `OUTPUT` the topic written. Run by the `faust` command.
"""

import os
from typing import Any

import faust

from benchmarks.peers import rule
from benchmarks.peers.job import PARTITIONS

app = faust.App(
    os.environ["APP"],
    broker=f"kafka://{os.environ['KAFKA']}",
    store="memory://",
    topic_partitions=PARTITIONS,
    topic_disable_leader=True,
    web_enabled=False,
    consumer_auto_offset_reset="earliest",
    broker_commit_interval=1.0,
)
visits = app.topic(os.environ["JOB"], key_type=bytes, value_serializer="json", partitions=PARTITIONS)
rises = app.topic(os.environ["OUTPUT"], key_type=bytes, value_serializer="json", partitions=PARTITIONS)
visitors = app.Table("visitors", key_type=str, value_type=Any, partitions=PARTITIONS)


@app.agent(visits)
async def count(stream: Any) -> None:
    async for key, event in stream.items():
        name = key.decode()
        row, output = rule.apply(visitors.get(name), event)
        visitors[name] = row
        if output is not None:
            await rises.send(key=key, value=output)
