"""The server under the collector: uvicorn, with limits on who is slow, and an end that drains."""

import asyncio
import logging
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from stream.collector.limits import LIMITS
from stream.collector.peers import Peers, TooMany
from stream.collector.sending import DELIVERY_S
from stream.collector.whole import WholeProtocol
from stream.errors import UsageError
from stream.settings import PREFIX, is_loopback

SWEEP_S: Final = 1.0
DRAIN_S: Final = DELIVERY_S + 5
"""How long requests that came in before SIGTERM may still take."""
BACKLOG: Final = 4096
SPARE_FILES: Final = 200
AT_ONCE: Final = 500

_CONTINUE: Final = b"HTTP/1.1 100 "

logger = logging.getLogger(__name__)


class JoinedWrites:
    """A transport that keeps the head of an answer back for its body: one system call less a request."""

    def __init__(self, transport: Any) -> None:
        self._transport, self._head = transport, b""
        self.is_closing, self.get_extra_info = transport.is_closing, transport.get_extra_info
        self.pause_reading, self.resume_reading = transport.pause_reading, transport.resume_reading

    def write(self, data: bytes) -> None:
        """Write, behind what was kept back."""
        if self._head:
            data, self._head = self._head + data, b""
        elif data.endswith(b"\r\n\r\n") and not data.startswith(_CONTINUE):
            self._head = data
            return
        self._transport.write(data)

    def flush(self) -> None:
        """Write a head that has no body."""
        if self._head:
            self.write(b"")

    def close(self) -> None:
        """Close when all is written."""
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        """Close at once: who should read does not."""
        self._transport.abort()


class LimitedProtocol(WholeProtocol):
    """Ends a connection whose head is too long; says since when it has been in the middle of a request, or not been read.

    `head_bytes` are those that came since the last head was complete, or since the last piece of a body: behind a body, too,
    there may be headers, or an end that never comes.
    """

    reading_since: float | None = None
    unread_since: float | None = None
    in_body = False
    config: "LimitedConfig"
    _entered: bytes | None = None

    def connection_made(self, transport: Any) -> None:
        """Take a connection, unless there are too many."""
        super().connection_made(JoinedWrites(transport))  # type: ignore[arg-type]  # as much of one as is used
        self.reading_since = self.loop.time()
        if len(self.connections) > LIMITS.connections:
            self._end(503)
            return
        try:
            self._entered = self.config.peers.enter(self._peer, LIMITS.connections_of_one)
        except TooMany:
            self._end(503)

    def connection_lost(self, exc: Exception | None) -> None:
        """Make room for another."""
        self.config.peers.leave(self._entered)
        self._entered = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on."""
        if self.reading_since is None:
            self.reading_since = self.loop.time()
        self.head_bytes += len(data)
        super().data_received(data)
        if self.head_bytes > LIMITS.header_bytes + LIMITS.path_bytes:  # and it goes on: a complete one sets this to 0
            self._end(431)

    def on_headers_complete(self) -> None:
        """Give the body a time of its own."""
        self.in_body, self.head_bytes, self.reading_since = True, 0, self.loop.time()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Stop the clock."""
        super().on_message_complete()
        self.in_body, self.head_bytes, self.reading_since = False, 0, None

    def on_response_complete(self) -> None:
        """Let nothing be kept back."""
        self.transport.flush()  # type: ignore[attr-defined]  # it is a JoinedWrites
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Write no more for now, and start the clock of whoever should read."""
        super().pause_writing()
        self.unread_since = self.loop.time()

    def resume_writing(self) -> None:
        """Write on."""
        super().resume_writing()
        self.unread_since = None

    def is_unread(self, now: float) -> bool:
        """Tell whether an answer is not read; one that is the last of its connection is noticed when this is first asked."""
        if self.unread_since is None:
            self.unread_since = now if self.transport.is_closing() else None
            return False
        return now - self.unread_since > LIMITS.body_s

    def is_late(self, now: float) -> bool:
        """Tell whether a request takes longer to come in than it may."""
        if self.reading_since is None:
            return False
        return now - self.reading_since > (LIMITS.body_s if self.in_body else LIMITS.head_s)

    def is_idle(self, now: float) -> bool:
        """Tell whether nothing has come for so long that nothing more will."""
        return self.idle_since is not None and now - self.idle_since > self.timeout_keep_alive

    def give_up(self) -> None:
        """End a connection that is late."""
        self._end(408)

    def _end(self, status: int) -> None:
        if self.transport.is_closing() or self._ends_behind_its_answers():
            return
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete or not (cycle.response_started or self.pipeline):
            self.transport.write(STATUS_LINE[status] + b"content-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()


class Server(uvicorn.Server):
    """Ends on SIGTERM and SIGINT as a process that has done its work: nothing more comes in, what came in is answered."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle the signals in the loop, and do not raise them again afterwards."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.end)
        yield

    def end(self) -> None:
        """Take nothing more, and end when what came in is answered."""
        self.should_exit = True


class LimitedConfig(uvicorn.Config):
    """uvicorn's, and what all connections share."""

    peers: Peers


def make_server(app: Any, spared: Callable[[str], bool] = is_loopback) -> Server:
    """Return the server of an application, and whose connections are not counted; it does not listen yet."""
    config = LimitedConfig(
        app,
        interface="asgi3",
        http=LimitedProtocol,
        ws="none",
        loop="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=int(LIMITS.idle_s),
        timeout_graceful_shutdown=int(DRAIN_S),
        backlog=BACKLOG,
    )
    config.peers = Peers(spared)
    return Server(config)


async def sweep(server: Server) -> None:
    """End connections that are late, or idle for too long, for ever."""
    while True:
        await asyncio.sleep(SWEEP_S)
        now = asyncio.get_running_loop().time()
        connections = [each for each in server.server_state.connections if isinstance(each, LimitedProtocol)]
        for number, connection in enumerate(connections):
            if number % AT_ONCE == AT_ONCE - 1:
                await asyncio.sleep(0)  # nobody waits while thousands are looked at
            if connection.is_unread(now):
                connection.transport.abort()
            elif connection.is_late(now):
                connection.give_up()
            elif connection.is_idle(now):
                connection.timeout_keep_alive_handler()


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; raises UsageError."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        raise UsageError(
            f"{PREFIX}COLLECTOR_HOST and _PORT are {host}:{port}: {error.strerror or error}: choose another port"
        ) from error


def allow_many_files() -> None:
    """Let as many connections be open as the system allows this process."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = LIMITS.connections + SPARE_FILES
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
