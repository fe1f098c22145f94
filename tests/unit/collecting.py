"""A collector without server and Kafka: what it answers to a request, and what it would have sent."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import orjson

from stream.collector import client_ip, first_fetches, write_keys
from stream.collector.app import READERS, Collector
from stream.collector.cors import Cors
from stream.collector.gate import Gate
from stream.collector.ip_retention import Addresses
from stream.collector.limits import Bodies
from stream.collector.pages import Pages
from stream.collector.rates import Rates
from stream.collector.request import Refused
from stream.collector.sending import Record, Sender
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
        pages = Pages(first_fetches.pages(), READERS)
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
