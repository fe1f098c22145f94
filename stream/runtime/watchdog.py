"""A worker that stood still must not send: somebody else may have its partitions."""

import asyncio
import threading
import time
from collections.abc import Callable

from mode import Service

from stream.runtime.fatal import die

TURN_S = 0.25


class Stale(Exception):  # noqa: N818 - the word for it
    """This process stood still, or is cut off from its group, for too long."""


class Watchdog(Service):
    """Knows when the loop turned last and when the group answered last; `limit_s` is half the session timeout."""

    def __init__(self, limit_s: float, heartbeat: Callable[[], float], **kwargs: object) -> None:
        self.limit_s, self._heartbeat = limit_s, heartbeat
        self.turned_at = time.monotonic()
        self._ended = threading.Event()
        super().__init__(**kwargs)  # type: ignore[arg-type]  # mode's own keywords

    def check(self) -> None:
        """Raise `Stale` if this process should not send any more."""
        now = time.monotonic()
        if now - self.turned_at > self.limit_s and not self._ended.is_set():
            msg = f"the loop stood still for {now - self.turned_at:.1f} s"
            raise Stale(msg)
        heartbeat = self._heartbeat()
        if heartbeat and now - heartbeat > self.limit_s:
            msg = f"no good heartbeat for {now - heartbeat:.1f} s"
            raise Stale(msg)

    async def on_start(self) -> None:
        """Watch the loop from a thread of its own."""
        self.turned_at = time.monotonic()
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    async def on_stop(self) -> None:
        """Stop watching."""
        self._ended.set()

    @Service.task
    async def _turn(self) -> None:
        while not self.should_stop:
            now = time.monotonic()
            if now - self.turned_at > self.limit_s:
                self._exit(now - self.turned_at)
            self.turned_at = now
            await asyncio.sleep(TURN_S)

    def _watch(self) -> None:
        while not self._ended.wait(1.0):
            stood = time.monotonic() - self.turned_at
            if stood > 2 * self.limit_s:  # not merely frozen together with this thread
                self._exit(stood)

    def _exit(self, stood: float) -> None:
        die(Stale(f"the loop stood still for {stood:.1f} s"))
