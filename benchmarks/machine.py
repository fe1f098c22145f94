"""When and on what it was measured, and whether the machine was ours alone."""

import compileall
import os
import platform
import time

import psutil

from tests.brokers import ROOT

BUSY_CORES = 0.2
"""What others may take without a warning."""


class Watch:
    """Compares what the machine did with what we and our children did, from its making on."""

    def __init__(self) -> None:
        self._load = os.getloadavg()[0]
        self._began, self._busy, self._own = time.monotonic(), _busy_s(), _own_s()

    def line(self) -> str:
        """Say when, on what, and how busy it was; children that have not been waited for count as others."""
        seconds = time.monotonic() - self._began
        others = max(0.0, (_busy_s() - self._busy - _own_s() + self._own) / seconds)
        cores = os.cpu_count() or 1
        said = (
            f"{time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC, {cores} cores {platform.machine()},"
            f" Python {platform.python_version()}, {seconds:.0f} s, load average {self._load:.1f} before"
            f" and {os.getloadavg()[0]:.1f} after, others took {others:.1f} of {cores} cores"
        )
        if others < BUSY_CORES:
            return said
        return f"{said}. WARNING: the machine was busy, alone it does better"


def as_installed() -> None:
    """Compile our modules, as pip does: a worker's start is a third longer where Python must, and may not keep it."""
    for package in ("stream", "schemas"):
        compileall.compile_dir(ROOT / package, quiet=1)


def _busy_s() -> float:
    times = psutil.cpu_times()
    return times.user + times.system


def _own_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
