"""How commands ask a worker."""

import time
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import ProxyHandler, Request, build_opener

import orjson

from stream.errors import NegativeAnswerError, UnreachableError, UsageError
from stream.settings import PREFIX, Settings
from stream.web.signin import credentials

PATIENCE_S = 10.0
"""How long a worker that is restoring, or whose peer is, is asked again."""
AGAIN_S = 0.5


def ask(settings: Settings, kind: str, id_: str, at: str | None, url: str | None) -> dict[str, Any]:
    """Return the document of a visitor or a lead from any worker; `url` is where it is, default WEB_HOST:WEB_PORT.

    Raises:
        NegativeAnswerError: nobody of that id.
        UsageError: the id or the instant is malformed, or the worker wants a token.
        UnreachableError: no worker answers, or none that holds it.
    """
    query = "" if at is None else f"?at={quote(at, safe='')}"
    return get(settings, f"/v1/{kind}s/{quote(id_, safe='')}{query}", url)


def get(settings: Settings, path: str, url: str | None) -> dict[str, Any]:
    """Return the document at a path of any worker; raises as `ask` does."""
    found, document = _found(settings, path, url)
    if not found:
        raise NegativeAnswerError(document["error"])
    return document


def word_of(settings: Settings, word: str, url: str | None) -> dict[str, Any] | None:
    """Return what was decided about an operator's word; None: nothing yet, or nobody can say just now.

    Raises:
        UsageError: the worker wants a token.
        UnreachableError: no worker answers.
    """
    base = _base(settings, url)
    status, document = _get(f"{base}/internal/words/{word}", base, settings)
    if status in {401, 403}:
        raise UsageError(document["error"])
    return document if status == 200 else None


def export_of(settings: Settings, part: str, id_: str, url: str | None) -> dict[str, Any] | None:
    """Return what the people (`people`) or an identity's row (`visitors`) know of an id; None: nothing.

    Raises:
        UsageError: the worker wants a token.
        UnreachableError: no worker answers, or none that holds it.
    """
    found, document = _found(settings, f"/internal/export/{part}/{quote(id_, safe='')}", url)
    return document if found else None


def _found(settings: Settings, path: str, url: str | None) -> tuple[bool, dict[str, Any]]:
    """Return the document at a path, or what is said of there being none; asks again as long as a worker says so."""
    base = _base(settings, url)
    deadline = time.monotonic() + PATIENCE_S
    while True:
        status, document = _get(f"{base}{path}", base, settings)
        if status != 503 or time.monotonic() > deadline:
            break
        time.sleep(AGAIN_S)
    match status:
        case 200 | 404:
            return status == 200, document
        case 400 | 401 | 403:
            raise UsageError(document["error"])
        case _:
            raise UnreachableError(f"{base} cannot answer: {document['error']}")


def _base(settings: Settings, url: str | None) -> str:
    return (url or settings.web_url).rstrip("/")


def _get(address: str, base: str, settings: Settings) -> tuple[int, dict[str, Any]]:
    opener = build_opener(ProxyHandler({}))
    try:
        request = Request(address, headers=dict(credentials(settings)))  # noqa: S310 -- the user's own address
    except ValueError as error:
        raise UsageError(f"--url {base!r} is no address: write it like http://127.0.0.1:6066") from error
    try:
        with opener.open(request, timeout=PATIENCE_S) as answer:
            return answer.status, orjson.loads(answer.read())
    except HTTPError as error:
        with error:
            return error.code, _problem(error.read(), error.code)
    except (URLError, OSError, orjson.JSONDecodeError) as error:
        reason = getattr(error, "reason", error)
        raise UnreachableError(
            f"no worker answers at {base} ({reason}): start `leadstream worker`, or set --url or {PREFIX}WEB_PORT"
        ) from error


def _problem(body: bytes, status: int) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict) or not isinstance(document.get("error"), str):
        return {"error": f"it answers {status}, and is no leadstream worker"}
    return document
