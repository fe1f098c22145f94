"""The job on Quix Streams: a stateful `apply`, RocksDB with its changelog, a commit a second, at least once.

Fastest sane settings: values go through orjson, rows are msgpack (half the bytes and half the time of JSON), the topics exist,
logs are quiet. Run by the Python of an environment of its own (see `benchmarks/engines.py`).
"""

import os
from typing import Any

import msgspec
import orjson
from quixstreams import Application, State  # type: ignore[import-not-found]  # in an environment of its own

from benchmarks.peers import rule

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


def main() -> None:
    app = Application(
        broker_address=os.environ["KAFKA"],
        consumer_group=os.environ["APP"],
        auto_offset_reset="earliest",
        commit_interval=1.0,
        state_dir=os.environ["STATE"],
        loglevel="WARNING",
        auto_create_topics=True,  # makes the changelog
    )
    visits = app.topic(os.environ["JOB"], key_deserializer="bytes", value_deserializer="bytes")
    rises = app.topic(os.environ["OUTPUT"], key_serializer="bytes", value_serializer="bytes")
    frame = app.dataframe(visits)
    frame = frame.apply(_count, stateful=True).filter(lambda output: output is not None)
    frame.to_topic(rises)
    app.run()


def _count(raw: bytes, state: State) -> bytes | None:
    stored: Any = state.get_bytes("row")
    row, output = rule.apply(_decode(stored) if stored else None, orjson.loads(raw))
    state.set_bytes("row", _encode(row))
    return None if output is None else orjson.dumps(output)


if __name__ == "__main__":
    main()
