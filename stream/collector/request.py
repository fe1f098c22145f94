"""One request as the handlers see it, and why one is refused."""

from typing import Final
from urllib.parse import parse_qsl

import msgspec

Headers = list[tuple[bytes, bytes]]

_ARGUMENTS: Final = 1_000


class Refused(Exception):  # noqa: N818 - it is an answer, no error of ours
    """The answer to a request that is not accepted.

    `status` is HTTP's, `reason` one word for counters, the message one line for whoever integrates; with `retry_after_s`
    the client may come again then, `allow` are the methods that a 405 names.
    """

    def __init__(
        self, status: int, reason: str, message: str, retry_after_s: int | None = None, allow: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message)
        self.status, self.reason, self.retry_after_s, self.allow = status, reason, retry_after_s, allow


class Request(msgspec.Struct):
    """A request with its body read.

    `headers` is by lower-case name, the last of each; `raw_headers` are all, in order. `peer` is the address at the other
    end of the connection, `received_ms` when the request came in (ms since 1970).
    """

    method: str
    path: str
    query: bytes
    headers: dict[bytes, bytes]
    raw_headers: Headers
    peer: str | None
    received_ms: int
    body: bytes = b""
    _arguments: dict[str, str] | None = None

    def header(self, name: bytes) -> str | None:
        """Return a header as text (Latin-1, as HTTP has it)."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    @property
    def arguments(self) -> dict[str, str]:
        """Return the query's arguments, the last of each name; raises Refused."""
        if self._arguments is None:
            query = self.query.decode("latin-1")
            try:
                self._arguments = dict(parse_qsl(query, keep_blank_values=True, max_num_fields=_ARGUMENTS))
            except ValueError as error:
                raise Refused(400, "query", f"more than {_ARGUMENTS} arguments behind the ?") from error
        return self._arguments
