"""What is answered: a document as JSON, or `{"error": text}` with its status."""

from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

RETRY_AFTER_S = 1
APP = "leadstream-app"
"""In every answer from an address that workers have: which installation's one it is. What else listens knows nobody of ours."""


def as_json(document: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return a document as it is answered."""
    return web.Response(status=status, body=orjson.dumps(document), content_type="application/json", headers=headers)


def document_in(body: bytes) -> dict[str, Any] | None:
    """Return the document that somebody answered; None: it is no JSON object."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None


class Refused(Exception):  # noqa: N818 -- an answer, not a fault
    """A request that gets no document."""

    status = 500
    headers: Mapping[str, str] = {}


class Malformed(Refused):
    """No id, no instant, or no number where there should be one."""

    status = 400


class NotSignedIn(Refused):
    """Who asks did not say who they are."""

    status = 401
    headers = {"WWW-Authenticate": "Bearer"}  # noqa: RUF012 -- of the base's type


class WrongHost(Refused):
    """A page of somebody else's asks in its visitor's browser."""

    status = 403


class Unknown(Refused):
    """Nobody of that id."""

    status = 404


class NotNow(Refused):
    """Whoever holds it is gone, is restoring it, or cannot be reached: to be asked again."""

    status = 503
    headers = {"Retry-After": str(RETRY_AFTER_S)}  # noqa: RUF012 -- of the base's type
