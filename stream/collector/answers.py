"""What the collector answers."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, NamedTuple

import orjson

from stream.collector.pixel import GIF
from stream.collector.request import Headers, Refused

_JSON: Final = b"application/json"


class Answer(NamedTuple):
    """Status, headers and body; Content-Length and CORS are added when it leaves.

    `for_pages`: whether a page of another host may read it, as CORS allows.
    """

    status: int
    headers: Headers
    body: bytes
    for_pages: bool = True


@dataclass(frozen=True, slots=True)
class Told:
    """What becomes of an event that is not simply accepted.

    `outcome`: `dead_letter`: stored, and the worker will put it there; `refused`: not stored, and sending it again is useless.
    """

    index: int
    outcome: str
    reason: str
    message: str


STORED: Final = Answer(200, [(b"content-type", _JSON)], b'{"success":true}')
"""Every event lies in Kafka. Exactly 200: some clients take any other for a failure, and send again."""
IMAGE: Final = Answer(
    200, [(b"content-type", b"image/gif"), (b"cache-control", b"no-store, no-cache, must-revalidate, private")], GIF
)
PREFLIGHT: Final = Answer(200, [], b"")


def json_answer(document: Any, status: int = 200, headers: Sequence[tuple[bytes, bytes]] = ()) -> Answer:
    """Return a JSON document."""
    return Answer(status, [(b"content-type", _JSON), *headers], orjson.dumps(document))


def text_answer(text: str, kind: bytes = b"text/plain; charset=utf-8") -> Answer:
    """Return a text."""
    return Answer(200, [(b"content-type", kind)], text.encode())


def refusal(refused: Refused) -> Answer:
    """Return why a request is not accepted."""
    headers = [] if refused.retry_after_s is None else [(b"retry-after", str(refused.retry_after_s).encode())]
    if refused.allow:
        headers.append((b"allow", ", ".join(refused.allow).encode()))
    return json_answer({"success": False, "reason": refused.reason, "error": str(refused)}, refused.status, headers)


def decided(told: Sequence[Told]) -> Answer:
    """Return what became of the events that are not simply accepted; the others lie in Kafka."""
    return json_answer({"success": True, "events": [asdict(one) for one in told]})
