"""A collector without server and Kafka: what it answers to a request, and what it would have sent."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import orjson
from uvicorn.server import ServerState

from stream.collector import client_ip, first_fetches, insights, write_keys
from stream.collector.app import READERS, Collector
from stream.collector.cors import Cors
from stream.collector.gate import Gate
from stream.collector.ip_retention import Addresses
from stream.collector.limits import Bodies
from stream.collector.pages import Pages
from stream.collector.rates import Rates
from stream.collector.request import Refused
from stream.collector.sending import Record, Sender
from stream.collector.server import LimitedProtocol, make_server
from stream.settings import Settings


@dataclass
class Answered:
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return orjson.loads(self.body)


@dataclass
class Outbox:
    """Takes records in the sender's place; `refuses` is what it answers instead."""

    records: list[Record] = field(default_factory=list)
    refuses: Refused | None = None
    acknowledged: bool = True

    def send(self, records: Sequence[Record]) -> "asyncio.Future[None]":
        self.records += records
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.refuses is not None:
            done.set_exception(self.refuses)
        elif self.acknowledged:
            done.set_result(None)
        return done


@dataclass
class Collecting:
    """A collector to ask; `settings` as in the environment."""

    settings: Settings = field(default_factory=Settings)
    outbox: Outbox = field(default_factory=Outbox)
    peer: str = "203.0.113.77"

    def __post_init__(self) -> None:
        keys = write_keys.load(self.settings)
        addresses = Addresses(self.settings.ip_retention, None)
        self.gate = Gate(keys, Rates(), client_ip.load(self.settings), addresses)
        pages = Pages(first_fetches.pages() | insights.pages(self.settings, self.gate), READERS)
        self.app = Collector(self.gate, Cors(keys), Bodies(), cast("Sender", self.outbox), pages)

    @property
    def events(self) -> list[Any]:
        return [orjson.loads(record.value) for record in self.outbox.records]

    @property
    def keys(self) -> list[str | None]:
        return [None if record.key is None else record.key.decode() for record in self.outbox.records]

    async def post(self, path: str, body: Any, **headers: str) -> Answered:
        packed = body if isinstance(body, bytes) else orjson.dumps(body)
        return await self.ask("POST", path, packed, **headers)

    async def get(self, path: str, **headers: str) -> Answered:
        return await self.ask("GET", path, b"", **headers)

    async def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answered:
        path, _, query = path.partition("?")
        told = [(name.lower().replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(b"host", b"collect.example"), *told],
            "client": (self.peer, 40_000),
        }
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        start, end = sent
        return Answered(
            start["status"], {name.decode(): value.decode("latin-1") for name, value in start["headers"]}, end["body"]
        )


class Line:
    """A connection, held at its other end: bytes in, bytes out."""

    def __init__(self, collecting: Collecting) -> None:
        config = make_server(collecting.app).config
        config.load()
        self.peer, self.said, self.closed, self.state = collecting.peer, b"", False, ServerState()
        self.is_reading = True
        self.protocol = LimitedProtocol(config=config, server_state=self.state, app_state={})
        self.protocol.connection_made(self)

    def write(self, data: bytes) -> None:
        self.said += data

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_extra_info(self, name: str) -> Any:
        return {"peername": (self.peer, 40_000)}.get(name)

    def pause_reading(self) -> None:
        self.is_reading = False

    def resume_reading(self) -> None:
        self.is_reading = True

    async def hear(self, *pieces: bytes, answers: int = 1) -> bytes:
        """Take what comes, and return what is answered."""
        for piece in pieces:
            self.protocol.data_received(piece)
        async with asyncio.timeout(10):
            while self.said.count(b"HTTP/1.1 ") < answers or self.said.endswith(b"\r\n\r\n"):  # noqa: ASYNC110 - uvicorn tells nobody
                await asyncio.sleep(0)
        return self.said
