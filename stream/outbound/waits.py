"""What keeps it from reading is said once it lasts, and that it goes on; what is to end by itself does not wait for ever."""

import logging
from typing import Final

from stream.errors import UnreachableError

logger = logging.getLogger(__name__)

LONG_S: Final = 3.0
"""Shorter than this is a rebalance, or a topic that is being made anew."""
PATIENCE_S: Final = 40.0
"""Of what is to end by itself: a broker that restarts is back before."""


class Waits:
    """What it waits for, since when; `for_ever`: whether it may."""

    def __init__(self, *, for_ever: bool) -> None:
        """Begin with waiting for nothing."""
        self._for_ever = for_ever
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
        if not self._for_ever and now_s - self._since_s >= PATIENCE_S:
            raise UnreachableError(lack)
        if lack != self._said and now_s - self._since_s >= LONG_S:
            logger.warning("waiting: %s", lack)
            self._said = lack
