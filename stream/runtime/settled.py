"""Reads of Kafka's own log of commits what counts for sure: of transactions only Kafka's answer says whether they do.

To read committed records only would not do: behind a transaction that is open, whoever's it is, all groups of that partition
would be heard of when it ends, by commits that are old by then.
"""

from typing import Any

from aiokafka.consumer.fetcher import READ_COMMITTED

from stream.runtime.lenient import Readable

COMMITS = "__consumer_offsets"


class _Everyone(set[int]):
    def __contains__(self, _: object) -> bool:
        return True


class Settled(Readable):
    """What aiokafka's own consumers read of a partition; of the log of commits, as if all transactions had ended in vain."""

    def __init__(self, tp: Any, *how: Any) -> None:
        super().__init__(tp, *how)
        if tp.topic == COMMITS:
            self._isolation_level, self._aborted_producers = READ_COMMITTED, _Everyone()
