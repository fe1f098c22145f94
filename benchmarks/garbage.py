"""Garbage as a worker collects it: seldom, and never what was there once its tables were restored.

Else the collector goes through all that a run was made of, a tenth of what is measured.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from stream.app import GC_THRESHOLD


@contextmanager
def as_in_a_worker() -> Iterator[None]:
    """Let the collector work as in a worker meanwhile."""
    usual = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLD)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()
