"""What is told of one partition by all that is known of it."""

from dataclasses import replace

from aiokafka import TopicPartition

from stream.ops.evaluator import Status, Window, completeness, evaluate
from stream.ops.lag import Lag
from stream.ops.reader import Reader

TRANSACTION_MS = 900_000
"""Kafka ends a transaction after so long, unless its `transaction.max.timeout.ms` was raised."""
CUT = "it ends before what was committed: it was recreated or lost records, and its lag is not known"
OUR_WAY, THEIR_WAY = "`leadstream topics --adopt` goes on with what it holds now", "its reader must be set back"
OPEN = "a transaction is open there, and behind it nobody reads who reads committed records only"


def judge(tp: TopicPartition, committed: int | None, start: int, window: Window, now_ms: float) -> Lag:
    """Judge one partition: where its group has committed and would go on, and what is known beside."""
    records = max(0, window.end - start)
    seconds = 0.0 if records == 0 else None
    if records and window.waiting_ms is not None:
        seconds = max(0.0, (now_ms - window.waiting_ms) / 1000)
    return Lag(tp.topic, tp.partition, committed, window.end, records, seconds, evaluate(window, now_ms), completeness(window))


def cut(lag: Lag, *, is_ours: bool) -> Lag:
    """Tell of one whose log ends before the commit: nobody reads there until somebody says from where."""
    return replace(lag, status=Status.STOP, records=None, seconds=None, note=f"{CUT}; {OUR_WAY if is_ours else THEIR_WAY}")


def held_up(lag: Lag, reader: Reader) -> Lag:
    """Forgive a partition at which nothing is to be read for who reads what is committed only: transactions end, but not all."""
    if not reader.is_held or lag.status == Status.OK:
        return lag
    is_long = lag.seconds is not None and lag.seconds * 1000 > TRANSACTION_MS
    if not reader.is_open:
        return replace(lag, status=Status.OK)
    return replace(lag, status=Status.WARN if is_long else Status.OK, note=OPEN)
