"""Ending the process without committing anything more."""

import logging
import os
import sys
from typing import NoReturn

log = logging.getLogger(__name__)

BROKEN = 70
"""Exit code of a worker that met a bug, a second writer or a broker that does not answer."""
MISFIT = 2
"""Exit code of a worker whose state and topics do not fit each other."""


class Misfit(Exception):  # noqa: N818 - the word for it
    """State and topics do not fit; the message says what was recreated or lost and how to go on."""


class SecondWriter(Exception):  # noqa: N818 - the word for it
    """Somebody else writes this changelog."""


class Gap(Exception):  # noqa: N818 - the word for it
    """Records are missing between what was read and what comes."""


def die(cause: BaseException | None, code: int = BROKEN) -> NoReturn:
    """Exit at once: a graceful way out would commit what was not finished."""
    code = MISFIT if isinstance(cause, Misfit) else code
    if code != MISFIT:
        log.critical("worker ends, nothing more is committed: %r", cause, exc_info=cause)
    line = f"leadstream: {cause}" if code == MISFIT else f"leadstream: worker ends: {cause!r}"
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
    sys.stdout.flush()
    os._exit(code)
