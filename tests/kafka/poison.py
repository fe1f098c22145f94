"""Records that cannot be processed, for every reason but `erased`."""

import json
from dataclasses import dataclass
from typing import Any

GOOD: dict[str, Any] = {"type": "page", "anonymousId": "a"}
DEEP = "[" * 40 + "]" * 40
MOVED = {"type": "track", "event": "Lead Stage Changed"}
LARGEST = 1_048_400
"""Bytes of the largest value that Kafka accepts with a few headers."""


@dataclass(frozen=True)
class Poison:
    """A value, and the reason and stage its dead letter must name."""

    name: str
    value: bytes | None
    reason: str
    stage: str


def made(name: str, event: Any, reason: str, stage: str = "validate") -> Poison:
    """Return a poison made of JSON."""
    return Poison(name, event if isinstance(event, bytes) else json.dumps(event).encode(), reason, stage)


POISONS = [
    Poison("tombstone", None, "not_json", "decode"),
    made("empty", b"", "not_json", "decode"),
    made("half", b'{"type": "page"', "not_json", "decode"),
    made("not UTF-8", b'{"type": "page", "anonymousId": "\xff"}', "not_json", "decode"),
    made("NaN", b'{"type": "page", "anonymousId": NaN}', "not_json", "decode"),
    made("byte order mark", b"\xef\xbb\xbf{}", "not_json", "decode"),
    made("lone surrogate", b'{"type": "page", "anonymousId": "\\ud800"}', "not_json", "decode"),
    made("the largest", b'{"type":"page","anonymousId":"' + b"x" * (LARGEST - 32) + b'"}', "too_large", "decode"),
    made("one byte too large", b'{"type":"page","anonymousId":"' + b"x" * (262_145 - 32) + b'"}', "too_large", "decode"),
    made(
        "as large as allowed, under no id",
        b'{"type":"page","anonymousId":"' + b"x" * (262_144 - 32) + b'"}',
        "no_identity",
        "identify",
    ),
    made("too deep", b'{"type": "page", "anonymousId": "a", "properties": {"x": ' + DEEP.encode() + b"}}", "too_large", "decode"),
    made("too deep, and no object", DEEP.encode(), "too_large", "decode"),
    made("too many members", GOOD | {"properties": {f"k{n}": n for n in range(1000)}}, "too_large", "decode"),
    made("an array", [GOOD], "not_an_object", "decode"),
    made("a number", b"7", "not_an_object", "decode"),
    made("null", b"null", "not_an_object", "decode"),
    made("no type", {"anonymousId": "a"}, "schema_violation"),
    made("a track of nothing", {"type": "track", "anonymousId": "a", "event": ""}, "schema_violation"),
    made("a boolean id", GOOD | {"userId": True}, "schema_violation"),
    made("properties that are a list", GOOD | {"properties": []}, "schema_violation"),
    made("external ids that are no objects", GOOD | {"context": {"externalIds": [1]}}, "schema_violation"),
    made("a number for a messageId", GOOD | {"messageId": 5}, "schema_violation"),
    made("a CRM move without a stage", GOOD | MOVED, "schema_violation"),
    made("a CRM move to nowhere", GOOD | MOVED | {"properties": {"stage": "nowhere"}}, "schema_violation"),
    made("another type", GOOD | {"type": "Page"}, "unknown_type"),
    made("nobody", {"type": "page"}, "no_identity", "identify"),
    made("junk ids only", {"type": "page", "userId": "null", "anonymousId": " 0 "}, "no_identity", "identify"),
    made("no instant", GOOD | {"timestamp": "yesterday"}, "bad_timestamp", "apply"),
    made("an instant without offset", GOOD | {"timestamp": "2026-01-05T00:00:00"}, "bad_timestamp", "apply"),
    made("before 2000", GOOD | {"timestamp": "1999-12-31T23:59:59.999Z"}, "bad_timestamp", "apply"),
    made("an empty instant", GOOD | {"timestamp": ""}, "bad_timestamp", "apply"),
]
