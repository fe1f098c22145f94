"""The status line of an answer counts, also where aiohttp cannot read what follows it.

aiohttp gives up a whole answer at the first bytes that are no HTTP: a body behind 204, a chunk without a size, a space in a
header's name, a header that is too long. Who said 2xx before that has the fact, and would be told it again for days.
"""

import re
from functools import partial
from typing import Any, Final

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError

_LINE: Final = re.compile(rb"HTTP/1\.\d ([1-9]\d\d)[ \r\n]")
_LENGTH: Final = 13


class _Answer(ResponseHandler):
    """A connection that remembers how the answer to its present request begins."""

    _begins = b""

    def set_response_params(self, **params: Any) -> None:
        """Await the next answer."""
        self._begins = b""
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        """Take a piece of it."""
        self._begins += bytes(data[: _LENGTH - len(self._begins)])
        super().data_received(data)

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        """Give it up; what is raised has the status that was read, or 0."""
        if isinstance(exc, HttpProcessingError):
            found = _LINE.match(self._begins)
            exc.code = int(found[1]) if found else 0
        super().set_exception(exc, *cause)


class Connector(aiohttp.TCPConnector):
    """aiohttp's, of such connections: a ClientResponseError has the status that was read, or 0."""

    def __init__(self, **options: Any) -> None:
        """Take what aiohttp's takes."""
        super().__init__(**options)
        kind: type[ResponseHandler] = _Answer
        self._factory = partial(kind, loop=self._loop)  # aiohttp has no public word for it
