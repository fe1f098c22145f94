"""A receiver of webhooks for tests: verifies each by itself, and answers as a test wants."""

import base64
import hmac
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread

Answers = Callable[[str, int], int]
"""Status of an answer, by webhook-id and how often it came."""


@dataclass
class Receiver:
    """What came: ids in their order, the bytes of each."""

    answers: Answers
    secrets: list[bytes]
    port: int = 0
    told: list[str] = field(default_factory=list)
    """Those that were answered 2xx."""
    bodies: dict[str, set[bytes]] = field(default_factory=dict)
    attempts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def take(self, id_: str, at: str, signature: str, body: bytes) -> int:
        """Judge one webhook."""
        with self.lock:
            expected = [_signed(secret, id_, at, body) for secret in self.secrets]
            if not set(expected) & set(signature.split(" ")):
                self.wrong.append(f"{id_}: signature")
            if json.loads(body)["id"] != id_:
                self.wrong.append(f"{id_}: id")
            self.attempts[id_] += 1
            self.bodies.setdefault(id_, set()).add(body)
            status = self.answers(id_, self.attempts[id_])
            if 200 <= status < 300:
                self.told.append(id_)
            return status


def _signed(secret: bytes, id_: str, at: str, body: bytes) -> str:
    return "v1," + base64.b64encode(hmac.new(secret, f"{id_}.{at}.".encode() + body, sha256).digest()).decode()


@contextmanager
def receiving(answers: Answers, *secrets: bytes) -> Iterator[Receiver]:
    """Receive on a port of 127.0.0.1."""
    receiver = Receiver(answers, list(secrets))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            id_, at, signature = (self.headers[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
            self.send_response(receiver.take(id_, at, signature, body))
            self.send_header("content-length", "0")
            self.send_header("retry-after", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.port = server.server_port
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
