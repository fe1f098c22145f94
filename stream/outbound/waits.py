"""What keeps it from reading is said once it lasts, and that it goes on; what is to end by itself does not wait for ever."""

import logging
from typing import Final

from stream.errors import UnreachableError

logger = logging.getLogger(__name__)

PATIENCE_S: Final = 30.0
"""Of what is to end by itself, beyond what is usual: a broker that restarts is back before."""


class Waits:
    """What it waits for, since when; `usual_s`: so long a group waits for one that was killed; `for_ever`: whether it may."""

    def __init__(self, usual_s: float, *, for_ever: bool) -> None:
        """Begin with waiting for nothing."""
        self._usual_s, self._for_ever = usual_s, for_ever
        self._since_s: float | None = None
        self._said = ""

    def look(self, lack: str, now_s: float) -> None:
        """Take what is missing now, "" for nothing; raises UnreachableError where that has lasted too long."""
        if not lack:
            if self._said:
                logger.warning("it goes on")
            self._since_s, self._said = None, ""
            return
        self._since_s = now_s if self._since_s is None else self._since_s
        unusual_s = now_s - self._since_s - self._usual_s
        if not self._for_ever and unusual_s >= PATIENCE_S:
            raise UnreachableError(lack)
        if lack != self._said and unusual_s >= 0:
            logger.warning("waiting: %s", lack)
            self._said = lack
