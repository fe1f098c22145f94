"""What will become of an event, told at once: the same judge as the worker's, before it lies in Kafka."""

from typing import Any

import orjson

from schemas.event import Rejected, decode_read, identities, is_echo
from schemas.event_times import happened_at
from stream.domain.instants import BadInstant

Judged = tuple[bytes, bytes | None, Rejected | None]
"""The record's value and key, and why it will be a dead letter."""

_NOBODY = Rejected("no_identity", "no userId, anonymousId or externalIds that exist", "identify")


def judge(event: Any, at_ms: int, phone_region: str | None = None) -> Judged:
    """Return the record of an event that is received at `at_ms`; JSONEncodeError where it is nested beyond all measure."""
    value = orjson.dumps(event)
    raw = decode_read(event, value)
    if isinstance(raw, Rejected):
        return value, None, raw
    nodes = identities(raw, phone_region)
    key = nodes[0].encode("utf-8", "surrogatepass") if nodes else None
    if is_echo(raw):
        return value, key, None
    if key is None:
        return value, None, _NOBODY
    try:
        happened_at(raw, at_ms)
    except BadInstant as error:
        return value, key, Rejected("bad_timestamp", str(error), "apply")
    return value, key, None
