"""What the collector adds to an event, the same for every protocol.

- A client's clock is not trusted: its `timestamp` becomes `originalTimestamp` (unless it told that too), a batch's `sentAt`
  is copied into its events, `receivedAt` is ours. So the worker corrects every client's skew in the same way.
- `context.ip` and `context.userAgent` are the connection's, where the event does not say its own and where the one at the
  other end is the visitor: a site's server that passes events on is not, an HTTP library is no user agent of a visitor. An image
  is fetched by whom it is shown to: a scanner of mails that does so by a library has to be known for a robot.
- `messageId`, where there is none, is SHA-256 of what was sent: a repeated request counts once. Two events without id, time
  and `sentAt` that are the same byte for byte count once, too: a client that wants them counted sends one of the three.
"""

import re
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final

import msgspec
import orjson

from stream.collector.incoming import Event, Incoming
from stream.collector.request import Request
from stream.domain.instants import write

# Trackers that run in a site's server, by the name of their library or their user agent: `analytics-python/2.4.0`, `py-1.1.0`.
_SERVERS: Final = re.compile(
    r"(?<![a-z.])(node|python|py|ruby|rb|go|golang|java|php|net|dotnet|csharp|rust|scala|elixir)(?![a-z])|analytics\.net\b"
)
# HTTP libraries: word lists know them as robots, but here they only carry what a visitor did elsewhere.
_LIBRARIES: Final = re.compile(
    r"^(node|undici|axios|got|python|aiohttp|httpx|curl|wget|java|okhttp|apache-httpclient|go-http-client|ruby|faraday|guzzle|php"
    r"|libwww|dart|reactor-netty|unirest|rest-client|rudder|analytics|snowplow)\b"
)
_LONGEST_AGENT: Final = 1_024
"""Bytes of a user agent; what is remembered of senders must not grow with what they send."""
_NOT_SENT: Final = frozenset({"receivedAt"})
_NOT_OF_THE_EVENT: Final = frozenset({"receivedAt", "sentAt"})


class Around(msgspec.Struct):
    """What a request says of all its events."""

    received_at: str
    sent_at: Any
    defaults: Event
    address: str | None
    user_agent: str | None
    relayed: bool
    unrepeatable: str = ""
    """What tells a request from an equal one; empty: an equal one is a retry."""


def around(request: Request, incoming: Incoming, address: str | None) -> Around:
    """Gather what a request says of all its events."""
    told = request.headers.get(b"user-agent")
    agent, relayed = (None, False) if told is None else _sender(told[:_LONGEST_AGENT])
    if incoming.pixel and told is not None:
        agent, relayed = told.decode("latin-1"), False
    received_at = write(request.received_ms)
    unrepeatable = received_at if incoming.pixel else ""
    return Around(received_at, incoming.sent_at, dict(incoming.defaults), address, agent, relayed, unrepeatable)


def fill(event: Event, around: Around) -> None:
    """Complete an event in place."""
    if event.get("messageId") in (None, ""):
        event["messageId"] = message_id(event, around)
    told = event.pop("timestamp", None)
    if told is not None and event.get("originalTimestamp") is None:
        event["originalTimestamp"] = told
    if around.sent_at is not None and event.get("sentAt") is None:
        event["sentAt"] = around.sent_at
    event["receivedAt"] = around.received_at
    context = event.get("context")
    if context is None:
        context = event["context"] = {}
    elif not isinstance(context, dict):
        return  # the judge of events names it
    if around.defaults:
        for name, value in around.defaults.items():
            context.setdefault(name, value)
    _tell_sender(event, context, around)


def _tell_sender(event: Event, context: dict[str, Any], around: Around) -> None:
    if around.relayed or event.get("channel") == "server":
        return
    library = context.get("library")
    if isinstance(library, dict) and is_servers(library.get("name")):
        return
    if around.address is not None and context.get("ip") is None:
        context["ip"] = around.address
    if around.user_agent is not None and context.get("userAgent") is None:
        context["userAgent"] = around.user_agent


def message_id(event: Event, around: Around) -> str:
    """Return the id of an event that has none: what the worker would derive, were it sent to Kafka as it came.

    Without a time of its own, when it was sent tells it from another, and what its batch says of it. An image is another each
    time; not so where it tells when it happened and when it was sent: a script fetched it, and may do so again.
    """
    timed = event.get("timestamp") is not None or event.get("originalTimestamp") is not None
    left_out = _NOT_OF_THE_EVENT if timed else _NOT_SENT
    said = {name: value for name, value in event.items() if name not in left_out}
    canonical = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
    if not timed:
        canonical += str(around.sent_at or "").encode()
        if around.defaults:
            canonical += orjson.dumps(around.defaults, option=orjson.OPT_SORT_KEYS)
    if not timed or event.get("sentAt") is None:
        canonical += around.unrepeatable.encode()
    return sha256(canonical).hexdigest()


@lru_cache(maxsize=4096)
def _sender(user_agent: bytes) -> tuple[str | None, bool]:
    """Return the visitor's user agent, if it is one, and whether a site's server passes events on."""
    text = user_agent.decode("latin-1")
    low = text[:256].lower()
    if low.startswith(("mozilla/", "opera/")):
        return text, False
    if low.startswith(("analytics-", "rudder", "snowplow")) and _SERVERS.search(low):
        return None, True
    return (None if _LIBRARIES.match(low) else text), False


def is_servers(library: object) -> bool:
    """Tell whether the library of this name runs in a site's server, and so passes on what visitors did elsewhere."""
    return isinstance(library, str) and _is_server(library[:128])


@lru_cache(maxsize=4096)
def _is_server(library: str) -> bool:
    return _SERVERS.search(library.lower()) is not None
