"""The commands that run beside the demo, and how all of it ends together."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import IO

from stream.errors import CommandError
from stream.runtime.children import end, spawn
from stream.settings import PREFIX, Settings

LAST_WORDS = 8


@dataclass(frozen=True)
class Service:
    """A command of ours that runs beside the demo; what it says is shown only if it fails."""

    name: str
    process: subprocess.Popen[bytes]
    log: IO[bytes]

    def check(self) -> None:
        """Raise CommandError with its last words if it has ended."""
        code = self.process.poll()
        if code is None:
            return
        self.log.seek(0)
        words = self.log.read().decode(errors="replace").splitlines()[-LAST_WORDS:]
        raise CommandError(f"the {self.name} ended by itself with {code}: {' '.join(words) or 'without a word'}")


def services() -> list[str]:
    """Name the commands that run beside the demo, as far as this release has them."""
    return [name for name in ("worker", "collector") if find_spec(f"stream.cli.{name}")]


@contextmanager
def beside(settings: Settings, name: str) -> Iterator[Service]:
    """Run a command of ours with these settings; it ends with us.

    It imports from where we did, and so not from the folder that we were called in: there may lie a `schemas.py` of somebody's.
    """
    ours = {
        "KAFKA": ",".join(settings.kafka),
        "KAFKA_SECURITY": settings.kafka_security,
        "WEB_PORT": settings.web_port,
        "COLLECTOR_PORT": settings.collector_port,
        "COMPANY_RANGES": settings.company_ranges,
    }
    env = os.environ | {PREFIX + key: str(value) for key, value in ours.items()}
    env["PYTHONPATH"] = os.pathsep.join(filter(os.path.isabs, sys.path))
    with tempfile.TemporaryFile() as log:
        process = spawn([sys.executable, "-P", "-m", "stream", name], env=env, output=log)
        try:
            yield Service(name, process, log)
        finally:
            end(process)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the demo as Ctrl-C does, also where a shell started it with Ctrl-C ignored."""
    handlers = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: lambda *_: signal.raise_signal(signal.SIGINT),
        signal.SIGHUP: lambda *_: signal.raise_signal(signal.SIGINT),
    }
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def guard(running: Iterable[Service]) -> None:
    """Watch the services for ever; raises CommandError when one has ended."""
    while True:
        for service in running:
            service.check()
        await asyncio.sleep(0.5)
