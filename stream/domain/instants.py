"""Instants: RFC 3339 at the edges, integer milliseconds UTC inside."""

import re
from datetime import date
from functools import lru_cache
from typing import Final

YEAR_2000: Final = 946_684_800_000
"""2000-01-01T00:00:00Z in milliseconds."""

EARLIEST: Final = -62_135_596_800_000
"""0001-01-01T00:00:00Z in milliseconds, the first that can be written; RFC 3339 has a year before it."""

LATEST: Final = 253_402_300_799_999
"""9999-12-31T23:59:59.999Z in milliseconds, the last that can be written."""

_MINUTE: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt ]([01]\d|2[0-3]):([0-5]\d):", re.ASCII)
_REST: Final = re.compile(r"([0-5]\d)(?:\.(\d+))?(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))", re.ASCII)
_MINUTE_LENGTH: Final = 17
_SHOWN: Final = 64
_SECONDS: Final = {f"{second:02d}.": second * 1000 for second in range(60)}
_DECIMALS: Final = {f"{ms:03d}Z": ms for ms in range(1000)}
_MINUTES: Final = [f"T{minute // 60:02d}:{minute % 60:02d}:" for minute in range(24 * 60)]
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_CYCLE_YEARS: Final = 400
_CYCLE_DAYS: Final = 146_097


class BadInstant(ValueError):  # noqa: N818 - reads as what it is
    """No RFC 3339 instant with an offset, or one that cannot be written."""


def parse(text: str) -> int:
    """Return the instant in milliseconds; decimals are cut there. BadInstant unless it is RFC 3339 with an offset.

    `T` may be a space, letters any case; there is no second 60, and no offset beyond ±23:59.

    >>> parse("2026-11-22T10:00:00.0009Z"), parse("2026-11-22 11:00:00+01:00")
    (1795341600000, 1795341600000)
    """
    try:
        return _minute(text[:_MINUTE_LENGTH]) + _SECONDS[text[17:20]] + _DECIMALS[text[20:]]
    except (BadInstant, KeyError):
        return _unusual(text)


def _unusual(text: str) -> int:
    """Read an instant that is not written as we write it."""
    try:
        ms = _minute(text[:_MINUTE_LENGTH]) + _rest(text[_MINUTE_LENGTH:])
    except BadInstant:
        ms = LATEST + 1
    if ms > LATEST:
        msg = f"{text[:_SHOWN]!r} is no RFC 3339 instant with an offset"
        raise BadInstant(msg)
    return ms


@lru_cache(maxsize=256)
def write(ms: int) -> str:
    """Return the instant as RFC 3339 UTC with milliseconds; BadInstant outside the years 1 to 9999.

    >>> write(1795341600000)
    '2026-11-22T10:00:00.000Z'
    """
    minutes, rest = divmod(ms, 60_000)
    days, minute = divmod(minutes, len(_MINUTES))
    return f"{_day_text(days)}{_MINUTES[minute]}{rest // 1000:02d}.{rest % 1000:03d}Z"


@lru_cache(maxsize=4096)
def _day_text(days: int) -> str:
    """Return `YYYY-MM-DD` of so many days since 1970."""
    try:
        return date.fromordinal(_EPOCH_DAY + days).isoformat()
    except (ValueError, OverflowError) as error:
        msg = f"{days} days from 1970 are outside the years 1 to 9999"
        raise BadInstant(msg) from error


@lru_cache(maxsize=4096)
def _minute(text: str) -> int:
    """Return the milliseconds of `YYYY-MM-DDTHH:MM:` as if it were UTC."""
    parts = _MINUTE.fullmatch(text)
    if parts is None:
        raise BadInstant(text)
    year, month, day, hour, minute = map(int, parts.groups())
    return ((_day(year, month, day) * 24 + hour) * 60 + minute) * 60_000


def _day(year: int, month: int, day: int) -> int:
    """Return the days since 1970; RFC 3339 knows a year 0, Python's calendar does not."""
    shift = _CYCLE_DAYS if year == 0 else 0
    try:
        return date(year or _CYCLE_YEARS, month, day).toordinal() - _EPOCH_DAY - shift
    except ValueError as error:
        msg = f"{year:04d}-{month:02d}-{day:02d}"
        raise BadInstant(msg) from error


def _rest(text: str) -> int:
    """Return the milliseconds that seconds, decimals and offset add to the minute."""
    parts = _REST.fullmatch(text)
    if parts is None:
        raise BadInstant(text)
    seconds, decimals, sign, hours, minutes = parts.groups()
    ms = int(seconds) * 1000 + int(f"{decimals or '':0<3.3}")
    if sign is None:
        return ms
    offset = (int(hours) * 60 + int(minutes)) * 60_000
    return ms - offset if sign == "+" else ms + offset
