"""The job's rule for the peers in Python: a plain dict in, the same dict changed, an output or None.

Its fastest sane form for them: their rows are JSON or pickled dicts, so it is a dict with short keys.
"""

from datetime import UTC, datetime
from typing import Any

from benchmarks.peers.job import DOWN, HALF_LIFE_MS, UP

_minutes: dict[str, int] = {}


def apply(row: dict[str, Any] | None, event: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Apply one event to a visitor's row."""
    properties, t = event["properties"], millis(event["timestamp"])
    if row is None:
        row = {"landmark": t, "newest": t, "total": 0.0, "hot": False, "count": 0, "tags": {}}
    row["newest"] = newest = max(t, row["newest"])
    scale = 2.0 ** ((newest - row["landmark"]) / HALF_LIFE_MS)
    if row["hot"] and row["total"] / scale < DOWN:
        row["hot"] = False
    weight = properties["where"] * properties["what"] * (2.0 ** ((t - row["landmark"]) / HALF_LIFE_MS) if t != newest else scale)
    tags, tag = row["tags"], properties["tag"]
    tags[tag] = tags.get(tag, 0.0) + weight
    row["total"] += weight
    score = row["total"] / scale
    if row["hot"] or score < UP:
        return row, None
    row["hot"] = True
    row["count"] += 1
    return row, {"visitor": event["anonymousId"], "count": row["count"], "to": "hot", "score": score, "at": newest}


def millis(text: str) -> int:
    """Return the milliseconds of an RFC 3339 instant in UTC; a minute is read once."""
    minute = _minutes.get(text[:16])
    if minute is None:
        if len(_minutes) > 10_000:
            _minutes.clear()
        minute = _minutes[text[:16]] = int(datetime.fromisoformat(text[:16]).replace(tzinfo=UTC).timestamp()) * 1000
    return minute + int(text[17:19] + text[20:23])
