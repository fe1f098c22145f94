"""The job on our engine: `stream.runtime` as `stream/app.py` wires it, the rules being the job's. It also drops repeats.

`KAFKA` is the broker, `APP` the consumer group, `JOB` the topic read, `OUTPUT` the topic written. Run by the `faust` command.
"""

import gc
import logging
import os
from datetime import datetime
from hashlib import blake2b
from sys import intern
from typing import TYPE_CHECKING, Any, cast

import faust
import msgspec
import orjson

from benchmarks.peers.job import DOWN, HALF_LIFE_MS, PARTITIONS, UP
from stream.runtime import transport
from stream.runtime.batches import Batch, BatchSchema
from stream.runtime.duties import Duties
from stream.runtime.flow import Flow
from stream.runtime.lanes import Message
from stream.runtime.memory import reuse_buffers
from stream.runtime.recovery import BatchTableManager
from stream.runtime.rows import RowPart, RowTable

if TYPE_CHECKING:
    from stream.runtime.partstore import PartStore

REMEMBERED, ID_BYTES = 256, 6
RECENT_BYTES = REMEMBERED * ID_BYTES
_NOTHING_YET = blake2b(digest_size=ID_BYTES)
"""The hash of nothing: to copy it costs a third less than to make it."""
MAX_CHANGED_ROWS = 100_000
FORMAT = b"\x01"
JOB, OUTPUT, CHANGELOG = os.environ["JOB"], os.environ["OUTPUT"], f"{os.environ['APP']}-visitors-changelog"


class Row(msgspec.Struct, array_like=True, gc=False):
    landmark: float
    newest: float
    total: float = 0.0
    hot: bool = False
    count: int = 0
    recent: bytes = b""
    tags: dict[str, float] = {}
    position: int = 0


class Properties(msgspec.Struct, gc=False):
    tag: str
    where: float
    what: float


class Event(msgspec.Struct, rename="camel", gc=False):
    message_id: str
    timestamp: datetime
    properties: Properties


_event = msgspec.json.Decoder(Event).decode
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Row).decode


def encode(row: Row) -> bytes:
    return FORMAT + row.position.to_bytes(8, "big") + _encode(row)


def decode(data: bytes) -> Row:
    return _decode(memoryview(data)[9:])


def apply(part: RowPart[Row], batch: Batch) -> list[tuple[bytes, bytes]]:
    """Apply a batch to its partition; returns what rose over the threshold."""
    outputs, changed = [], part.changed
    for record in batch.records:
        key, position = record.key or b"", record.offset + 1
        opened = changed.get(key)  # as the product: nearly always it has changed already
        row = part.unchanged(key) if opened is None else opened
        if row is not None and position <= row.position:
            continue
        event = _event(record.value or b"")
        digest = _NOTHING_YET.copy()
        digest.update(event.message_id.encode())
        name = digest.digest()
        t = event.timestamp.timestamp() * 1000
        if row is None:
            row = Row(t, t)
        elif row.recent.find(name) >= 0 and known(row.recent, name):  # `in` first makes an error of a number that is none
            continue
        row.position, row.recent = position, (row.recent + name)[-RECENT_BYTES:]
        if opened is None:
            changed[key] = row
        if rises(row, event.properties, t):
            told = {"visitor": key.decode(), "count": row.count, "to": "hot", "score": row.total, "at": row.newest}
            outputs.append((key, orjson.dumps(told)))
    return outputs


def known(recent: bytes, name: bytes) -> bool:
    """Tell whether a message id is among the recent ones."""
    at = recent.find(name)
    while at >= 0:
        if at % ID_BYTES == 0:
            return True
        at = recent.find(name, at + 1)
    return False


def rises(row: Row, properties: Properties, t: float) -> bool:
    """Add an event's weight; tell whether the score rose over the threshold."""
    newest, landmark, total = row.newest, row.landmark, row.total
    if t > newest:
        row.newest = newest = t
    scale = 2.0 ** ((newest - landmark) / HALF_LIFE_MS)
    factor = scale if t == newest else 2.0 ** ((t - landmark) / HALF_LIFE_MS)
    if row.hot and total < DOWN * scale:
        row.hot = False
    weight, tags = properties.where * properties.what * factor, row.tags
    tag = intern(properties.tag)  # one string for all rows, as the product's rulesets have it
    tags[tag] = tags.get(tag, 0.0) + weight
    row.total = total = total + weight
    if row.hot or total < UP * scale:
        return False
    row.hot = True
    row.count += 1
    return True


class App(faust.App):
    flow: Flow
    duties: Duties

    async def on_start(self) -> None:
        await super().on_start()
        self.add_dependency(self.duties)

    def _create_directories(self) -> None:
        """Make none: nothing is kept on disk."""


def create() -> App:
    transport.register()
    gc.set_threshold(20_000, 20, 1000)
    reuse_buffers()
    logging.getLogger("aiokafka").setLevel(logging.WARNING)  # as `stream/logs.py`: else it words each request for nobody
    app = App(
        os.environ["APP"],
        broker=f"leadstream://{os.environ['KAFKA']}",
        store="part://",
        TableManager=BatchTableManager,
        topic_partitions=PARTITIONS,
        topic_disable_leader=True,
        topic_allow_declare=False,
        web_enabled=False,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=1 << 20,
        broker_commit_interval=0.9,
        broker_commit_every=10**9,
        producer_linger=0,
        producer_max_batch_size=900_000,
        producer_max_request_size=1_400_000,
        stream_buffer_maxsize=16,
        stream_recovery_delay=0.0,
        stream_wait_empty=True,
    )
    flow = app.flow = Flow(app, sources={JOB: (CHANGELOG, PARTITIONS)}, outputs=(OUTPUT,), limit_s=5.0)
    schema = BatchSchema(key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
    table = app.Table("visitors", partitions=PARTITIONS, key_type=bytes, value_type=bytes, schema=schema)
    rows = RowTable(lambda: cast("PartStore", table.data), CHANGELOG, decode, encode)
    flow.tables = {CHANGELOG: rows}
    app.duties = Duties(flow, ticking="", tick=lambda _tp, _until: None, soon=lambda: ())

    @app.agent(app.topic(JOB, partitions=PARTITIONS, schema=BatchSchema()))
    async def count(stream: Any) -> None:
        async for delivered in stream:
            batch = flow.accept(delivered)
            if batch is not None:
                part = rows.open(batch.tp.partition)
                for key, value in apply(part, batch):
                    part.sent(flow.put(OUTPUT, key, Message(key, value)))
                flow.progress[batch.tp].applied = batch.next
                part.done(batch)
                await flow.room(part, MAX_CHANGED_ROWS)

    return app


app = create()
