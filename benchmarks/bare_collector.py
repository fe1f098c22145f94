"""A handler that does nothing but send to Kafka, on the collector's own server: `python -m benchmarks.bare_collector`.

It reads no JSON: the body is the record, the key a hash of it. What the collector costs beyond it is what it does for events.
"""

import asyncio
import zlib
from typing import Any

import uvloop

from stream.collector.sending import Record, Sender, find_kafka
from stream.collector.server import listen, make_server
from stream.settings import Settings, load

HEAD = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", b"16")],
}
BODY = {"type": "http.response.body", "body": b'{"success":true}'}


async def serve(settings: Settings) -> None:
    sender = Sender(settings, embedded=await asyncio.to_thread(find_kafka, settings))

    async def bare(_: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message["more_body"]
        await sender.send([Record(b"anon::%d" % zlib.crc32(body), body)])
        await send(HEAD)
        await send(BODY)

    server = make_server(bare)
    listening = listen(settings.collector_host, settings.collector_port)
    print("ready", flush=True)
    await server.serve(sockets=[listening])
    await sender.stop()


if __name__ == "__main__":
    uvloop.run(serve(load()))
