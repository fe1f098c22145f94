"""Tell how two result documents of `simulate` differ, in words a person can follow."""

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

RELATIVE = 1e-9
TINY = 1e-9
INSTANTS = frozenset({"at", "lastAt", "time", "recordedtime", "asOf", "enteredAt", "nextCrossingAt", "firstSeen", "lastSeen"})
EXACT_INSTANTS = frozenset({"at", "lastAt", "firstSeen", "lastSeen"})
FREE = frozenset({"message", "text"})
COMPANY = ("name", "domain", "kind", "confidence")


def differences(ours: dict[str, Any], theirs: dict[str, Any], limit: int = 12) -> list[str]:
    """Return the first differences; `ours` is the oracle's document. Empty: the two say the same."""
    found: list[str] = []
    for part in ("deadLetters", "stageChanges", "leads", "visitors"):
        mine = {name(part, one): one for one in ours[part] if shown(part, one)}
        other = {name(part, one): one for one in theirs[part] if shown(part, one)}
        found += [f"{part}: only the oracle has {key}" for key in mine if key not in other]
        found += [f"{part}: only the engine has {key}" for key in other if key not in mine]
        for key, one in mine.items():
            if key in other:
                compare(f"{part} {key}", one, other[key], found)
        if not found and not in_order(part, theirs[part]):
            found.append(f"{part}: not ordered by time, subject, sequence")
    return found[:limit]


def name(part: str, one: dict[str, Any]) -> str:
    """Return what tells one entry from the others."""
    return f"line {one['line']}" if part == "deadLetters" else str(one["id"])


def shown(part: str, one: dict[str, Any]) -> bool:
    """Tell whether an entry must be there: a visitor that was woken before it did anything need not."""
    return part != "visitors" or bool(one["events"])


def in_order(part: str, entries: list[dict[str, Any]]) -> bool:
    """Tell whether stage changes come in the order of section 1."""
    keys = [(one["time"], one["subject"], one["sequence"]) for one in entries] if part == "stageChanges" else []
    return keys == sorted(keys)


def compare(place: str, ours: Any, theirs: Any, found: list[str], key: str = "") -> None:
    """Add what differs below one place."""
    if key in FREE:
        return
    if key == "tags":
        compare_weights(place, {t["tag"]: t["weight"] for t in ours}, {t["tag"]: t["weight"] for t in theirs}, found)
    elif key == "explain":
        compare_weights(place, ledger(ours), ledger(theirs), found)
    elif isinstance(ours, dict) and isinstance(theirs, dict):
        compare_members(place, *comparable(key, ours, theirs), found)
    elif not same(ours, theirs, key):
        found.append(f"{place}: oracle {ours!r}, engine {theirs!r}")


def comparable(key: str, ours: dict[str, Any], theirs: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what of two objects the contract fixes."""
    if key == "company":
        return {c: ours[c] for c in COMPANY}, {c: theirs.get(c) for c in COMPANY}
    if key == "account":
        return ours, {c: theirs.get(c) for c in ours}
    if key == "traits":
        return {k: v for k, v in ours.items() if k != "company"}, {k: v for k, v in theirs.items() if k != "company"}
    return ours, theirs


def compare_members(place: str, ours: dict[str, Any], theirs: dict[str, Any], found: list[str]) -> None:
    """Compare two objects member by member."""
    for member in [*ours, *(m for m in theirs if m not in ours)]:
        where = f"{place}.{member}"
        if member not in ours or member not in theirs:
            found.append(f"{where}: only {'the oracle' if member in ours else 'the engine'} has it")
        else:
            compare(where, ours[member], theirs[member], found, member)


def ledger(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Return {rule and count: points}."""
    return {f"{row['ruleId']} x{row['count']}": row["points"] for row in rows}


def compare_weights(place: str, ours: dict[str, float], theirs: dict[str, float], found: list[str]) -> None:
    """Compare numbers by name; what is nearly 0 may be missing."""
    for one in [*ours, *(t for t in theirs if t not in ours)]:
        mine, other = ours.get(one, 0.0), theirs.get(one, 0.0)
        if not near(mine, other):
            found.append(f"{place}[{one}]: oracle {ours.get(one)!r}, engine {theirs.get(one)!r}")


def near(ours: float, theirs: float) -> bool:
    """Tell whether two numbers are the same within the tolerance."""
    return abs(ours - theirs) <= max(TINY, RELATIVE * max(abs(ours), abs(theirs)))


def same(ours: Any, theirs: Any, key: str) -> bool:
    """Tell whether two values say the same."""
    if key in INSTANTS and ours and theirs:
        return abs(milliseconds(ours) - milliseconds(theirs)) <= (0 if key in EXACT_INSTANTS else 1)
    if key == "timeInPreviousMs" and ours is not None and theirs is not None:
        return bool(abs(ours - theirs) <= 2)
    if isinstance(ours, int | float) and isinstance(theirs, int | float) and not isinstance(ours, bool):
        return near(ours, theirs)
    return bool(ours == theirs)


def milliseconds(text: str) -> int:
    """Return an instant in ms."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


if __name__ == "__main__":
    documents = [json.loads(Path(path).read_text(encoding="utf-8")) for path in sys.argv[1:3]]
    problems = differences(*documents)
    sys.stdout.write("\n".join(problems or ["the same"]) + "\n")
    sys.exit(1 if problems else 0)
