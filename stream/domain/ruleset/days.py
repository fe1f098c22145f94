"""Calendar days of a time zone."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

MINUTE_MS = 60_000
DAY_MS = 86_400_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_MINUTE = (date.max.toordinal() - EPOCH.toordinal() - 1) * 24 * 60


def zone_of(name: str) -> ZoneInfo | None:
    """Return a time zone of the IANA database, None if it has none of that name."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown; a path that leads out; a folder such as "Europe"
        return None


def days_of(zone: ZoneInfo) -> Callable[[int], int]:
    """Return a function from an instant (ms UTC) to the ordinal of its calendar day; 0 is the first of January 1970.

    >>> days_of(ZoneInfo("UTC"))(86_400_000)
    1
    """
    if zone.key in {"UTC", "Etc/UTC"}:
        return lambda t_ms: t_ms // DAY_MS
    day_of_minute = lru_cache(maxsize=4096)(lambda minute: _day(zone, minute))
    # Zones change their offset at whole minutes only (since 1972), so a minute lies in one day.
    return lambda t_ms: day_of_minute(t_ms // MINUTE_MS)


def _day(zone: ZoneInfo, minute: int) -> int:
    moment = EPOCH + timedelta(minutes=min(minute, LAST_MINUTE))
    return moment.astimezone(zone).toordinal() - EPOCH.toordinal()
