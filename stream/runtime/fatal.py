"""Ending the process without committing anything more."""

import logging
import os
import sys
import threading
from pathlib import Path
from typing import NoReturn

from stream.runtime.exits import Exits

log = logging.getLogger(__name__)

BROKEN = 70
"""Exit code of a worker that met a bug, a second writer or a broker that does not answer."""
MISFIT = 2
"""Exit code of a worker whose state and topics do not fit each other."""
TELL_S = 3.0
"""A log that nobody reads holds up who writes to it: it must not keep the process."""


class Misfit(Exception):  # noqa: N818 - the word for it
    """State and topics do not fit; the message says what was recreated or lost and how to go on, `kind` names it."""

    def __init__(self, line: str, kind: str = "") -> None:
        super().__init__(line)
        self.kind = kind


class SecondWriter(Exception):  # noqa: N818 - the word for it
    """Somebody else writes this changelog."""


class Gap(Exception):  # noqa: N818 - the word for it
    """Records are missing between what was read and what comes."""


_exits = [Exits(None)]


def remember_exits(path: Path | None) -> Exits:
    """Count from now on in a file why this process ended."""
    _exits[0] = Exits(path)
    return _exits[0]


def die(cause: BaseException | None) -> NoReturn:
    """Exit at once: a graceful way out would commit what was not finished."""
    code = MISFIT if isinstance(cause, Misfit) else BROKEN
    telling = threading.Thread(target=_tell, args=(cause, code), daemon=True)
    telling.start()
    telling.join(TELL_S)
    os._exit(code)


def _tell(cause: BaseException | None, code: int) -> None:
    _exits[0].note(cause)
    if code != MISFIT:
        log.critical("worker ends, nothing more is committed: %r", cause, exc_info=cause)
    line = f"leadstream: {cause}" if code == MISFIT else f"leadstream: worker ends: {cause!r}"
    stderr = sys.__stderr__ or sys.stderr  # Faust makes log lines of what goes to the other
    stderr.write(f"{line}\n")
    stderr.flush()
    sys.stdout.flush()
