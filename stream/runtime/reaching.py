"""A worker that starts while Kafka does not answer: one line and exit code 3, whichever part of it asked."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from aiokafka.errors import KafkaError

from stream.errors import CommandError, UnreachableError

if TYPE_CHECKING:
    from faust.types import AppT


@contextmanager
def reaching(app: "AppT") -> Iterator[None]:
    """End the process where Kafka does not answer, or a command's error says so; nothing was read or written yet."""
    try:
        yield
    except KafkaError as cause:
        if not cause.retriable:
            raise
        where = ",".join(f"{url.host}:{url.port}" for url in app.conf.broker)
        end(UnreachableError(f"Kafka at {where} does not answer ({cause!r}): start it, or set LEADSTREAM_KAFKA"))
    except CommandError as cause:
        end(cause)


def end(error: CommandError) -> NoReturn:
    """Say what is wrong and end the process with the error's exit code."""
    stderr = sys.__stderr__ or sys.stderr  # Faust makes log lines of what goes to the other
    stderr.write(f"leadstream: {error}\n")
    stderr.flush()
    os._exit(error.exit_code)
