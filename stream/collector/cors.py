"""What a browser has to be told so that a page of another host may send events.

    cors = Cors(keys)
    cors.headers(origin)                               # for every answer, refusals too; cheap
    cors.preflight(origin, method, asked_headers)      # for the answer to OPTIONS; Refused(403) where the page may not

Asked-for headers are mirrored: a client that retries adds headers of its own (X-Retry-Count, rsa-retry-…), and a fixed list
would break it at the first retry. `Retry-After` is exposed, or no browser reads it. Cookies (`credentials`, which Snowplow's
tracker asks for; we read none) are allowed to listed origins, and to pages of this very machine where nothing is listed.
The origin is echoed, never `*`, and `Vary` says so to caches. A preflight names no write key: it is answered by the origins
of all keys, and the request behind it by its own (`WriteKey.check`).
"""

import re
from typing import Final

from stream.collector.origins import Origins, is_local
from stream.collector.request import Headers, Refused
from stream.collector.write_keys import WriteKeys

METHODS: Final = b"GET, POST, OPTIONS"
MAX_AGE_S: Final = b"900"
LONGEST_ASKED: Final = 1_024
REMEMBERED: Final = 1_024

_VARY: Final = (b"vary", b"Origin")
_EXPOSE: Final = (b"access-control-expose-headers", b"Retry-After")
_CREDENTIALS: Final = (b"access-control-allow-credentials", b"true")
_NAMES: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+( *, *[A-Za-z0-9!#$%&'*+.^_`|~-]+)*")
_ORIGIN: Final = re.compile(r"[!-~]{1,512}")


class Cors:
    """Decides by the origins of all keys; what it said of an origin it says again without thinking."""

    def __init__(self, keys: WriteKeys) -> None:
        """Take the keys; when they are read again, what was remembered is forgotten."""
        self._keys = keys
        self._refresh()

    def headers(self, origin: str | None) -> Headers:
        """Return the headers of an answer to a page of this origin; do not change the list."""
        if self._version != self._keys.version:
            self._refresh()
        known = self._known.get(origin)
        if known is None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            known = self._known[origin] = self._answer(origin)
        return known

    def preflight(self, origin: str | None, method: str | None, asked: str | None) -> Headers:
        """Return the headers of the answer to OPTIONS; raises Refused."""
        answer = self.headers(origin)
        if len(answer) == 1:
            raise Refused(403, "origin", "pages of this origin may not send events here")
        if method not in {"GET", "POST"}:
            raise Refused(403, "method", "GET and POST are allowed")
        asked = (asked or "").strip()
        if asked and (len(asked) > LONGEST_ASKED or not _NAMES.fullmatch(asked)):
            raise Refused(400, "header", "Access-Control-Request-Headers is no list of names")
        headers = [header for header in answer if header not in {_VARY, _EXPOSE}]
        headers += [(b"access-control-allow-methods", METHODS), (b"access-control-max-age", MAX_AGE_S)]
        if asked:
            headers.append((b"access-control-allow-headers", asked.encode()))
        return [*headers, (b"vary", b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers")]

    def _refresh(self) -> None:
        self._version = self._keys.version
        pages = self._keys.pages
        self._listed = Origins.union(pages)
        self._everybody = not all(pages)  # a key that lists nothing is for every page
        self._known: dict[str | None, Headers] = {}

    def _answer(self, origin: str | None) -> Headers:
        if origin is None or not _ORIGIN.fullmatch(origin):
            return [_VARY]
        listed = self._listed.lists(origin)
        if not listed and not self._everybody:
            return [_VARY]
        headers = [(b"access-control-allow-origin", origin.encode()), _EXPOSE, _VARY]
        return [*headers, _CREDENTIALS] if listed or (not self._listed and is_local(origin)) else headers
