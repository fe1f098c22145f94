"""What a line tells at a glance, for a tenth of the price of reading it: whose it is, and whether it has a time of its own."""

from typing import Any, Literal

import msgspec

from schemas.event import LEAD_STAGE_CHANGED


class _Context(msgspec.Struct, gc=False):
    external_ids: None = msgspec.field(name="externalIds", default=None)


class _OfCookie(msgspec.Struct, rename="camel", gc=False):
    """A line whose only id is an anonymousId, and which does not link it; any other has no such shape."""

    type: Literal["page", "screen", "track", "group"]
    anonymous_id: str
    event: str | None = None
    user_id: None = None
    context: _Context | None = None
    received_at: str | None = None
    timestamp: str | None = None
    sent_at: str | None = None
    original_timestamp: str | None = None


class _Timed(msgspec.Struct, rename="camel", gc=False):
    event: Any = None
    received_at: Any = None
    timestamp: Any = None
    sent_at: Any = None
    original_timestamp: Any = None


_of_cookie = msgspec.json.Decoder(_OfCookie).decode
_timed = msgspec.json.Decoder(_Timed).decode
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def cookie_of(line: bytes) -> str | None:
    """Return the key of a line that links nobody and has its own time, if its only id is a cookie; None: it must be read.

    A line that turns out to be a dead letter may have any.

    >>> cookie_of(b'{"type":"page","anonymousId":" 9f2c ","timestamp":"2026-11-22T10:00:00Z"}')
    'anon::9f2c'
    >>> cookie_of(b'{"type":"page","anonymousId":"9f2c","userId":"42","timestamp":"2026-11-22T10:00:00Z"}') is None
    True
    """
    try:
        told = _of_cookie(line)
    except _UNREADABLE:
        return None
    timed = told.received_at or told.timestamp or told.sent_at or told.original_timestamp
    return f"anon::{told.anonymous_id.strip()}" if timed and told.event != LEAD_STAGE_CHANGED else None


def tells_time(line: bytes) -> bool:
    """Tell whether a line is sure not to take its receive time from the line before; an echo with a bad one of its own may."""
    try:
        told = _timed(line)
    except _UNREADABLE:
        return False
    times = (told.received_at, told.timestamp, told.sent_at, told.original_timestamp)
    return told.event != LEAD_STAGE_CHANGED and any(isinstance(time, str) for time in times)
