"""What every protocol hands on: events, the key they come under, and how the client wants to be answered."""

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec
import orjson

from stream.collector.limits import LIMITS
from stream.collector.request import Refused, Request

Event = dict[str, Any]

_LONGEST: Final = 2_048
"""Bytes of an Authorization with a write key in it: nothing longer is looked at, or remembered."""
_MENDED: Final = 128 * 1024
"""Bytes of a body that is looked through for halves of characters: twice what a browser's page can send when it is left."""
_PAIR_OR_HALF: Final = re.compile(
    rb"(?<!\\)((?:\\\\)*)(?:(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
"""Behind backslashes that escape each other: an escaped character beyond U+FFFF, or one half of one."""
_FORM: Final = b"application/x-www-form-urlencoded"


class Incoming(msgspec.Struct):
    """The events of a request in their order; one that is no object stays what it is, for the judge of events to name it.

    `sent_at` is what the batch says of all of them. `pixel`: the client is an image, and shows what it gets.
    """

    events: list[Any]
    write_key: str | None = None
    sent_at: Any = None
    defaults: Mapping[str, Any] = msgspec.field(default_factory=dict)
    pixel: bool = False


def document_of(request: Request) -> Any:
    """Read the body as JSON, whatever its Content-Type says; of a form, its member `data`, also in base64. Raises Refused."""
    try:
        return read(request.body)
    except orjson.JSONDecodeError as error:
        data = _form_data(request)
        if data is not None:
            return data
        raise Refused(400, "not_json", f"the body is no JSON: {error}") from error


def batch_of(document: Any, member: str, example: str) -> list[Any]:
    """Return the events of a batch, before anything is done with any of them; raises Refused."""
    events = document.get(member) if isinstance(document, dict) else None
    if not isinstance(events, list) or not events:
        raise Refused(400, "no_batch", f"the body has no events: send {example}")
    if len(events) > LIMITS.events:
        raise Refused(413, "too_large", f"more than {LIMITS.events} events: send smaller batches")
    return events


def read(body: bytes) -> Any:
    """Read JSON; raises orjson.JSONDecodeError.

    Half a character, of a title that was cut through an emoji, becomes U+FFFD: the other events of its batch are good.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if "surrogate" not in error.msg or len(body) > _MENDED:
            raise
    return orjson.loads(_PAIR_OR_HALF.sub(lambda found: found[0] if found[2] else found[1] + rb"\ufffd", body))


def _form_data(request: Request) -> Any:
    if not request.headers.get(b"content-type", b"").startswith(_FORM):
        return None
    try:
        found = parse_qs(request.body.decode("ascii"), max_num_fields=100).get("data")
    except ValueError:
        return None
    return None if found is None else packed_json(found[-1])


def packed_json(text: str) -> Any:
    """Return what JSON says that was packed into an argument, as it is or in base64 of either alphabet; None: nothing."""
    for packed in (text.encode(), _from_base64(text)):
        try:
            return read(packed)
        except orjson.JSONDecodeError:
            continue
    return None


def _from_base64(text: str) -> bytes:
    plain = text.strip().replace("-", "+").replace("_", "/").replace(" ", "+").rstrip("=")
    try:
        return b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (NotBase64, ValueError):
        return b""


def write_key_of(request: Request, *told: Any) -> str | None:
    """Return the key: of the Authorization (Basic user), else what the body told, else of the query, else of X-Write-Key."""
    authorization = request.headers.get(b"authorization")
    key = None if authorization is None or len(authorization) > _LONGEST else _basic_user(authorization)
    if key:
        return key
    for text in told:
        if isinstance(text, str) and text:
            return text
    if request.query:
        key = request.arguments.get("writeKey") or request.arguments.get("write_key")
    return key or request.header(b"x-write-key")


@lru_cache(maxsize=1024)
def _basic_user(authorization: bytes) -> str | None:
    scheme, _, packed = authorization.strip().partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        user = b64decode(packed.strip(), validate=True).partition(b":")[0]
        return user.decode()
    except ValueError:
        return None
