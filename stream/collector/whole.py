"""Answers a request that came in one piece without ASGI's ceremonies: no scope, no task, no events, one write.

Nearly every request of a tracker is a small POST that lies whole in the first read of its connection, and what it waits for
is one future. uvicorn builds for it what any request might need, which costs more than all we do for an event. So what reads
such requests itself (a `Taker`) is handed them as they are; whatever it declines, and every other request, goes the usual way
through ASGI, with the same outcome (`tests/unit/test_collector_whole.py` compares them byte by byte).
"""

import asyncio
from collections.abc import Sized
from typing import Any, Final, Protocol, runtime_checkable

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from stream.collector.request import Headers

WAITING: Final = 32
"""Requests of one connection that wait for the answer of the one before them."""

_INVALID: Final = "Invalid HTTP request received."
_FAILED: Final = b"content-type: text/plain; charset=utf-8\r\ncontent-length: 21\r\n\r\nInternal Server Error"
_CLOSE: Final = b"connection: close\r\n"


class Begun(Protocol):
    """A request that was read; `stored` is done when it can be answered, None: at once."""

    stored: "asyncio.Future[None] | None"


@runtime_checkable
class Taker(Protocol):
    """What reads whole requests itself."""

    def begin(self, target: bytes, headers: Headers, peer: str | None, body: bytes) -> Begun | None:
        """Read a POST and send its events; None, and nothing done: go through ASGI."""

    def end(self, begun: Begun) -> tuple[int, bytes]:
        """Return the status, and the rest of the answer as it goes over the wire."""


class Exchange:
    """A whole request and its answer, as far as uvicorn looks at what it calls a cycle."""

    __slots__ = ("disconnected", "keep_alive", "response_complete")
    more_body = False

    def __init__(self) -> None:
        self.keep_alive, self.disconnected, self.response_complete = True, False, False

    @property
    def response_started(self) -> bool:
        """Tell whether any of the answer is written: all of it is, at once."""
        return self.response_complete

    @property
    def message_event(self) -> "Exchange":
        """Return what uvicorn sets where somebody might wait for the client: nobody does."""
        return self

    def set(self) -> None:
        """Do nothing."""


class Flow(FlowControl):
    """Reads nothing more of a connection while requests of it wait for their turn, and nothing at all once it `is_over`."""

    def __init__(self, transport: asyncio.Transport, waiting: Sized) -> None:
        super().__init__(transport)
        self.is_over, self._waiting = False, waiting

    def resume_reading(self) -> None:
        """Read on, if nothing waits."""
        if self.read_paused and not self._waiting and not self.is_over:
            super().resume_reading()


class WholeProtocol(HttpToolsProtocol):
    """Speaks HTTP as uvicorn does; whole requests go to the application at once, if it is a Taker."""

    idle_since: float | None = None
    head_bytes = 0
    _in_head = True
    _upgrades = False
    _parts: list[bytes] | None = None
    _answered: RequestResponseCycle | None = None
    _dated: tuple[Any, bytes] = (None, b"")

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn narrows it so
        """Take a connection."""
        super().connection_made(transport)
        self.flow: Flow = Flow(transport, self.pipeline)
        app: Any = self.app
        self._taker = app if isinstance(app, Taker) else None
        self._peer = None if self.client is None else self.client[0]

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the request that is being answered: it need not be the last that came, which is the one uvicorn tells."""
        if self._answered is not None:
            self._answered.disconnected = True
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; a request of which only a part is here goes through ASGI."""
        self._unset_keepalive_if_required()
        try:
            self._feed(data)
            if self._parts is not None:
                parts, self._parts = self._parts, None
                if not self.transport.is_closing():
                    self._begin_asgi(parts)
        except HttpParserError:
            self.logger.warning(_INVALID)
            self.send_400_response(_INVALID)

    def _feed(self, data: bytes) -> None:
        """Parse what came; where the parser stops at an Upgrade, go on behind it."""
        rest: bytes | memoryview = data
        while rest:
            try:
                self.parser.feed_data(rest)
            except HttpParserUpgrade as upgrade:
                rest = memoryview(rest)[upgrade.args[0] :]
                self._go_on_as_before()
            else:
                return

    def _go_on_as_before(self) -> None:
        """Read a head again without its Upgrade: we speak nothing else, but the parser would pass over the body."""
        lines = b"".join(b"%b: %b\r\n" % pair for pair in self.headers if pair[0] != b"upgrade")
        version = self.parser.get_http_version().encode()
        head = b"%b %b HTTP/%b\r\n%b\r\n" % (self.parser.get_method(), self.url, version, lines)
        self._upgrades = False
        self.parser = HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.parser.feed_data(head)

    def on_message_begin(self) -> None:
        """Begin a request, without what only ASGI needs."""
        self.url, self.headers, self._in_head = b"", [], True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; not one that comes behind the body, past a proxy that lets no visitor write it."""
        if self._in_head:
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Decide which way it goes."""
        self._in_head = False
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise HttpParserError("this is no proxy")
            self._upgrades = True
        elif self._may_be_whole():
            self._parts = []
        elif len(self.pipeline) < WAITING:
            self._begin_asgi(None)
        else:
            raise HttpParserError("too many of its requests wait for their turn")

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self.head_bytes = 0
        if self._parts is None:
            super().on_body(body)
        else:
            self._parts.append(body)

    def on_message_complete(self) -> None:
        """Begin what lies here whole."""
        parts = self._parts
        if parts is None:
            self._complete_asgi()
            return
        self._parts = None
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        try:
            begun = None if self._taker is None else self._taker.begin(self.url, self.headers, self._peer, body)
        except Exception:
            self.logger.exception("Exception in the application")
            self._fail()
            return
        if begun is None:
            self._begin_asgi([body])
            super().on_message_complete()
            return
        self.cycle = exchange = Exchange()  # type: ignore[assignment]  # as much of one as is used
        if begun.stored is None:
            self._answer(exchange, begun)
        else:
            begun.stored.add_done_callback(lambda _: self._answer(exchange, begun))

    def _complete_asgi(self) -> None:
        """Tell the application that the body is here; if it was answered before, nobody else will call the connection idle."""
        if self._upgrades:
            return
        super().on_message_complete()
        if self.cycle.response_complete:
            self.idle_since = self.loop.time()

    def on_response_complete(self) -> None:
        """Do what uvicorn does, with no timer a request: who is idle too long is found by a sweep."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        else:
            self.idle_since = self.loop.time()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answered = cycle
        super()._start_asgi_task(cycle, app)

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be read on; what came whole before it is answered, or else nothing is: it would be out of turn."""
        if self._ends_behind_its_answers():
            return
        if not self.pipeline:
            super().send_400_response(msg)
        self.transport.close()

    def _ends_behind_its_answers(self) -> bool:
        """Take nothing more where the last request that came is whole and waits for its answer; with that it ends."""
        cycle: Any = self.cycle
        if cycle is None or cycle.response_complete or cycle.more_body:
            return False
        cycle.keep_alive, self.flow.is_over = False, True
        self.flow.pause_reading()
        return True

    def _unset_keepalive_if_required(self) -> None:
        self.idle_since = None

    def _may_be_whole(self) -> bool:
        """Tell whether a request is one of many like it, and the only one of its connection."""
        cycle: Any = self.cycle  # None before the first
        parser = self.parser
        return (
            self._taker is not None
            and (cycle is None or cycle.response_complete)
            and parser.get_method() == b"POST"
            and parser.get_http_version() == "1.1"
            and parser.should_keep_alive()
            and not self.flow.write_paused
        )

    def _begin_asgi(self, parts: list[bytes] | None) -> None:
        """Go the usual way, with what is here of the body."""
        url, headers = self.url, self.headers
        super().on_message_begin()
        self.url = url
        for name, value in headers:
            super().on_header(name, value)
        try:
            super().on_headers_complete()
        except AttributeError as error:  # uvicorn's, of an address without a path
            raise HttpParserError(f"no path: {url!r}") from error
        for part in parts or ():
            super().on_body(part)

    def _answer(self, exchange: Exchange, begun: Begun) -> None:
        """Write the answer, if somebody is there to read it."""
        try:
            status, rest = self._taker.end(begun)  # type: ignore[union-attr]  # it began it
        except Exception:
            self.logger.exception("Exception in the application")
            self._fail()
            return
        if exchange.disconnected or self.transport.is_closing():
            return
        exchange.response_complete = True
        close = b"" if exchange.keep_alive else _CLOSE
        self.transport.write(b"".join((STATUS_LINE[status], self._defaults(), close, rest)))
        if close:
            self.transport.close()
        self.on_response_complete()

    def _defaults(self) -> bytes:
        """Return the headers of every answer; uvicorn makes another list of them each second."""
        headers = self.server_state.default_headers
        if self._dated[0] is not headers:
            lines = b"".join(b"%b: %b\r\n" % pair for pair in headers)
            WholeProtocol._dated = headers, lines
        return self._dated[1]

    def _fail(self) -> None:
        """Answer as uvicorn does where the application fails."""
        if not self.transport.is_closing():
            self.transport.write(STATUS_LINE[500] + self._defaults() + _CLOSE + _FAILED)
            self.transport.close()
