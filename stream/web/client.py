"""How commands ask a worker."""

import time
from email.message import Message
from http.client import HTTPException
from typing import Any, cast
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import ProxyHandler, Request, build_opener

from stream.addresses import is_url
from stream.errors import NegativeAnswerError, UnreachableError, UsageError
from stream.settings import PREFIX, Settings
from stream.web.answers import APP, document_in
from stream.web.signin import credentials

PATIENCE_S = 10.0
"""How long a worker that is restoring, or whose peer is, is asked again."""
AGAIN_S = 0.5


def ask(settings: Settings, kind: str, id_: str, at: str | None, url: str | None) -> dict[str, Any]:
    """Return the document of a visitor or a lead from any worker; `url` is where it is, default WEB_HOST:WEB_PORT.

    Raises:
        NegativeAnswerError: nobody of that id.
        UsageError: the id or the instant is malformed, or the worker wants a token.
        UnreachableError: no worker answers, or none that holds it, or what answers is no worker.
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
        raise _refused(base, status, document)
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
            raise _refused(base, status, document)
        case _:
            raise UnreachableError(f"{base} cannot answer: {document['error']}")


def _refused(base: str, status: int, document: dict[str, Any]) -> UsageError:
    """Pass a worker's words on; of signing in, which are for programs, with what is to be done at a command line."""
    here = f"; for a command set {PREFIX}WEB_TOKEN to that of the worker at {base} (compose: local)" if status == 401 else ""
    return UsageError(f"{document['error']}{here}")


def _base(settings: Settings, url: str | None) -> str:
    base = (url or settings.web_url).rstrip("/")
    if not is_url(base):
        raise UsageError(f"--url {base!r} is no address: write it like http://127.0.0.1:6066")
    return base


def _get(address: str, base: str, settings: Settings) -> tuple[int, dict[str, Any]]:
    told = {name: value.encode() for name, value in credentials(settings).items()}  # as others of the group send them
    request = Request(address, headers=cast("dict[str, str]", told))  # noqa: S310 -- the user's own address
    try:
        status, headers, body = _answer(request)
    except (OSError, HTTPException) as error:
        raise _silent(base, error.reason if isinstance(error, URLError) else repr(error)) from error
    document = document_in(body)
    if status == 200 and document is None:
        raise _silent(base, "what answers is no JSON object")
    if 400 <= status < 500 and not _is_ours(status, headers, document):
        raise _silent(base, _stranger(status))
    return status, _problem(document, status) if document is None or status != 200 else document


def _answer(request: Request) -> tuple[int, Message, bytes]:
    """Return status, headers and body."""
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=PATIENCE_S) as answer:
            return answer.status, answer.headers, answer.read()
    except HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def _is_ours(status: int, headers: Message, document: dict[str, Any] | None) -> bool:
    """Tell whether a refusal is a worker's: `nobody` only if it names its installation, for others say that in JSON, too."""
    return APP in headers or (status != 404 and _says(document))


def _silent(base: str, reason: object) -> UnreachableError:
    return UnreachableError(
        f"no worker answers at {base} ({reason}): start `leadstream worker`, or set --url or {PREFIX}WEB_PORT"
    )  # fmt: skip


def _problem(document: dict[str, Any] | None, status: int) -> dict[str, Any]:
    return document if document is not None and _says(document) else {"error": _stranger(status)}


def _says(document: dict[str, Any] | None) -> bool:
    return document is not None and isinstance(document.get("error"), str)


def _stranger(status: int) -> str:
    return f"it answers {status}, and is no leadstream worker"
