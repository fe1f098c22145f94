"""Errors put into Kafka's answers, as a broker gives them when it moves, is slow or loses sight of a group."""

from random import Random
from typing import Any

from aiokafka import errors
from aiokafka.protocol import commit, fetch, group, produce

PRODUCE, FETCH, COMMIT, HEARTBEAT = 0, 1, 8, 12
MEANT: dict[int, tuple[type[errors.BrokerResponseError], ...]] = {
    PRODUCE: (errors.RequestTimedOutError, errors.NotLeaderForPartitionError, errors.NotEnoughReplicasAfterAppendError),
    FETCH: (errors.NotLeaderForPartitionError,),
    COMMIT: (errors.CoordinatorLoadInProgressError, errors.NotCoordinatorError, errors.RequestTimedOutError),
    HEARTBEAT: (errors.NotCoordinatorError, errors.RebalanceInProgressError, errors.CoordinatorNotAvailableError),
}
"""What each kind of request may be told. The request was done all the same: the client cannot know."""
WATCHED = frozenset(MEANT)
ANSWERS: dict[tuple[int, int], Any] = {
    (kind.API_KEY, kind.API_VERSION): kind
    for module in (produce, fetch, commit, group)
    for name, kind in vars(module).items()
    if "Response_v" in name and kind.API_KEY in WATCHED
}


def spoilt(key: int, version: int, body: bytes, chance: Random) -> bytes:
    """Return an answer with another error code in every partition of it; one of an unknown version as it is."""
    known = ANSWERS.get((key, version))
    if known is None:
        return body
    answer, code = known.decode(body), chance.choice(MEANT[key]).errno
    if key == HEARTBEAT:
        answer.error_code = code
    else:
        answer.topics = [(topic, [(one[0], code, *one[2:]) for one in partitions]) for topic, partitions in answer.topics]
    encoded: bytes = answer.encode()
    return encoded
