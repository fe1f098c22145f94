"""The moves that facts tell of, counted: read of the bytes that leave."""

import msgspec
from prometheus_client import Counter


class _Stage(msgspec.Struct):
    name: str


class _Stages(msgspec.Struct, rename={"from_": "from"}):
    from_: _Stage
    to: _Stage


class _Reason(msgspec.Struct):
    code: str


class _Data(msgspec.Struct):
    stage: _Stages | None = None
    reason: _Reason | None = None


class _Fact(msgspec.Struct):
    """As much of a fact as is counted; the rest is passed over, which takes a fifth of reading it."""

    data: _Data


_fact = msgspec.json.Decoder(_Fact)


def count_move(moves: Counter, fact: bytes) -> None:
    """Count a lead's or an account's move by the stages it left and entered and the reason; other facts are no moves."""
    told = _fact.decode(fact).data
    if told.stage is not None and told.reason is not None:
        moves.labels(told.stage.from_.name, told.stage.to.name, told.reason.code).inc()
