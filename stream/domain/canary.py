"""The canary: an event that goes the whole way of a known person's and touches nobody.

It is an ordinary event that says it is an echo of ours, so that no row takes it, under an identity that nobody else has. Who
reads it in `events` passes a record into `people`, and the fold passes that on into `wakes`: behind all that was sent before.
"""

from typing import Any

from stream.domain import outcomes
from stream.domain.log import Canary

PREFIX = "leadstream-canary-"
_NODE = f"anon::{PREFIX}"


def event_of(name: str) -> dict[str, Any]:
    """Return the event of a canary.

    >>> event_of("7")["anonymousId"], node_of("7")
    ('leadstream-canary-7', 'anon::leadstream-canary-7')
    """
    return {
        "type": "track",
        "event": outcomes.STAGE,
        "messageId": PREFIX + name,
        "anonymousId": PREFIX + name,
        "properties": {"changedBy": "leadstream", "stage": "visitor"},
    }


def node_of(name: str) -> str:
    """Return the identity that a canary's event comes under."""
    return _NODE + name


def seen(node: str) -> Canary | None:
    """Return what is passed on of an echo; None: it is no canary."""
    return Canary(node) if node.startswith(_NODE) else None
