"""Injected faults, for tests only: stop at a named step of a checkpoint, of a batch, of a recovery or of a revoke."""

import asyncio
import os
import random
import signal
from collections import Counter


class Fault(Exception):  # noqa: N818 - the word for it
    """The fault that was asked for."""


class Faults:
    """`spec` is `STEP:N` (raise at the N-th time) or `STEP:N:kill` (end by SIGKILL), empty: none.

    `drag` is `SECONDS`: pauses up to so long before each step, so that kills from outside land between the steps;
    or `STEP:SECONDS`: before that one alone.
    """

    def __init__(self, spec: str = "", drag: str = "0") -> None:
        step, _, rest = spec.partition(":")
        count, _, how = rest.partition(":")
        self._step, self._count, self._kill = step, int(count or 1), how == "kill"
        self._dragged, _, seconds = drag.rpartition(":")
        self._drag_s = float(seconds)
        self._reached: Counter[str] = Counter()

    @classmethod
    def of_environment(cls) -> "Faults":
        """Read `_LEADSTREAM_FAULT` and `_LEADSTREAM_DRAG`: no settings, so no names of settings."""
        return cls(os.environ.get("_LEADSTREAM_FAULT", ""), os.environ.get("_LEADSTREAM_DRAG", "0"))

    async def reach(self, step: str) -> None:
        """Pass a step, or not."""
        if self._drag_s and self._dragged in {"", step}:
            await asyncio.sleep(random.random() * self._drag_s)  # noqa: S311  # no secret
        self.hit(step)

    def hit(self, step: str) -> None:
        """Pass a step where nothing may come in between, or not."""
        if step != self._step:
            return
        self._reached[step] += 1
        if self._reached[step] != self._count:
            return
        if self._kill:
            os.kill(os.getpid(), signal.SIGKILL)
        msg = f"injected before {step} #{self._count}"
        raise Fault(msg)
