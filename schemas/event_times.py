"""When an event happened and when it was received, from the four times a client may send and the record's own."""

from schemas.raw_event import RawEvent
from stream.domain.instants import YEAR_2000, BadInstant, parse


def received_at(raw: RawEvent, timestamp_ms: int) -> int:
    """Return r: when it was received (ms), never later than its Kafka timestamp; BadInstant where `receivedAt` is none."""
    return timestamp_ms if raw.received_at is None else min(parse(raw.received_at), timestamp_ms)


def happened_at(raw: RawEvent, r: int) -> int:
    """Return t: when what was received at `r` happened (ms), never later.

    BadInstant where a field that is used is no instant, or the result is before 2000.
    """
    t = r
    if raw.timestamp is not None:
        t = min(parse(raw.timestamp), r)
    elif raw.original_timestamp is not None:
        t = min(_told(raw.original_timestamp, raw.sent_at, r), r)
    if t < YEAR_2000:
        raise BadInstant(f"{t} ms is before the year 2000")
    return t


def recorded_at(raw: RawEvent) -> int | None:
    """Return the receive time that the event itself tells (ms), None where it has no time; BadInstant if unreadable."""
    for text in (raw.received_at, raw.timestamp, raw.sent_at, raw.original_timestamp):
        if text is not None:
            return parse(text)
    return None


def has_own_time(raw: RawEvent) -> bool:
    """Tell whether the event says when it happened, however it travels."""
    return raw.timestamp is not None or raw.original_timestamp is not None


def _told(original_timestamp: str, sent_at: str | None, r: int) -> int:
    """Return the event time before it is clamped; of a sender's clock that is wrong only differences count."""
    original = parse(original_timestamp)
    return original if sent_at is None else r - (parse(sent_at) - original)
