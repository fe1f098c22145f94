"""`leadstream broker`: the embedded broker alone."""

import signal
import threading

import click

from stream.errors import UnreachableError
from stream.runtime.embedded import EmbeddedBroker


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=9092, show_default=True, help="0 takes a free one.")
def broker(port: int) -> None:
    """Run a small Kafka-compatible broker on loopback, in memory: nothing to install, nothing left behind.

    Good for a first look and for tests; whatever it holds is gone when it ends. Ctrl-C ends it.
    """
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with EmbeddedBroker(port) as running:
        click.echo(f"the embedded broker listens on {running.address}")
        click.echo(f"use it with: LEADSTREAM_KAFKA={running.address} leadstream worker   (Ctrl-C ends it)")
        while not stopped.wait(0.5):
            if not running.running:
                raise UnreachableError("the embedded broker ended by itself: start it again")
