"""Somebody who asks both workers all the time, about everybody who was ever known, while new ones come."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from http.client import HTTPConnection, HTTPException
from itertools import count
from typing import Self
from urllib.parse import quote

from tests.brokers import Installation, wait_until

TRIES = 50
"""How often somebody new is asked for before the others are."""


class Asker:
    """Asks in a thread of its own; use as a context.

    Args:
        installation: where somebody new comes by all the time.
        ports: of the workers that are asked, alive or not.
        ids: who is known already: ids of leads, or of visitors.
    """

    def __init__(self, installation: Installation, ports: Iterable[int], ids: Iterable[str]) -> None:
        self._installation, self.ports = installation, list(ports)
        self.known = [path for id_ in ids for path in paths(id_)]
        self.met: Counter[int] = Counter()
        self.wrong: list[str] = []
        self.without_hint = 0
        self.news = 0
        """How many of the new ones are known."""
        self._then: Callable[[], None] | None = None
        self._numbers = count()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(60)
        assert not self._thread.is_alive()

    def wait_for_somebody_new(self, then: Callable[[], None] | None = None) -> None:
        """Return when somebody new has become known; `then` is called at once: perhaps none of it is in a checkpoint yet."""
        before, self._then = self.news, then
        until(self._installation, lambda: self.news > before, "somebody new")

    def all_known(self) -> bool:
        """Tell whether each worker knows everybody just now."""
        return all(self._status(port, path) == 200 for port in self.ports for path in list(self.known))

    def _run(self) -> None:
        waiting: list[str] = []
        while not self._ended.is_set():
            waiting = waiting or paths(self._somebody_new())
            for _ in range(TRIES):
                if all(any(self._status(port, path) == 200 for port in self.ports) for path in waiting):
                    self._is_known(waiting)
                    waiting = []
                    break
            for path in self.known[-20:] + self.known[:40]:
                for port in self.ports:
                    self._ask(port, path)
                    for newest in self.known[-2:]:  # what is in no checkpoint yet is unknown for a moment only
                        self._ask(port, newest)

    def _is_known(self, waiting: list[str]) -> None:
        then, self._then = self._then, None
        if then is not None:
            then()
        self.known += waiting
        self.news += 1

    def _somebody_new(self) -> str:
        user = f"new-{next(self._numbers)}"
        event = {"type": "identify", "userId": user, "messageId": user}
        self._installation.produce("events", [(f"user::{user}".encode(), json.dumps(event).encode())])
        return f"user::{user}"

    def _ask(self, port: int, path: str) -> None:
        status = self._status(port, path)
        if status is None:
            return
        self.met[status] += 1
        if status not in {200, 503}:
            self.wrong.append(f"{time.time():.3f} {status} {path} at {port}")

    def _status(self, port: int, path: str) -> int | None:
        connection = HTTPConnection("127.0.0.1", port, timeout=15)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, HTTPException):
            return None  # a worker that was killed
        finally:
            connection.close()
        if answer.status == 503 and (answer.headers.get("Retry-After") is None or not json.loads(body)["error"]):
            self.without_hint += 1
        return answer.status


def until(installation: Installation, condition: Callable[[], object], what: str) -> None:
    """Wait for a condition while every worker that was not killed lives."""

    def met() -> bool:
        for process in installation.processes:
            assert process.exit_code is None, process.output[-3000:]
        return bool(condition())

    wait_until(met, 60, what)


def paths(id_: str) -> list[str]:
    """Return where an id is asked for."""
    kinds = ("leads",) if id_.startswith("lead_") else ("visitors", "leads")
    return [f"/v1/{kind}/{quote(id_, safe='')}" for kind in kinds]


def pages_of_leads(get: Callable[[str], tuple[int, bytes]], limit: int) -> list[str] | None:
    """Return the ids of all leads in the order of the pages; None where a page could not be told."""
    ids: list[str] = []
    after: str | None = ""
    while after is not None:
        status, body = get(f"/v1/leads?limit={limit}" + (f"&after={after}" if after else ""))
        if status == 503:
            return None
        page = json.loads(body)
        ids += [lead["id"] for lead in page["leads"]]
        after = page["next"]
    return ids
