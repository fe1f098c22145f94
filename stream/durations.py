"""Durations as people write them: `90s`, `15m`, `2h`, `14d`."""

import re
from datetime import timedelta
from typing import Final

_UNITS: Final = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_duration(text: object) -> timedelta:
    """Read a duration like `90s`, `15m`, `2h`, `14d`.

    >>> parse_duration("15m")
    datetime.timedelta(seconds=900)
    """
    if isinstance(text, timedelta):
        return text
    found = re.fullmatch(r"(\d{1,9})(ms|s|m|h|d)", str(text).strip())
    if not found:
        raise ValueError("give a duration like 90s, 15m, 2h or 14d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def format_duration(value: timedelta) -> str:
    """Write a duration as it is written in settings, in the largest unit that fits.

    >>> format_duration(timedelta(days=7)), format_duration(timedelta(seconds=90))
    ('7d', '90s')
    """
    for unit in ("d", "h", "m", "s"):
        whole, rest = divmod(value, timedelta(**{_UNITS[unit]: 1}))
        if whole and not rest:
            return f"{whole}{unit}"
    return f"{value // timedelta(milliseconds=1)}ms"
