"""Which Python `make install` takes: one built with profile-guided optimisation runs Python itself half as fast again.

`python -I stream/interpreter.py` ends with 0 where `make install` should take that Python: new enough, quick, with venv. It
stands alone, for it runs before anything is installed.
"""

import sys
import sysconfig
from importlib.util import find_spec

OLDEST = (3, 11)
SYSTEM = "/usr"
"""Where a distribution's own Python lives: they all optimise theirs, and not all of them say so in its configuration."""
OPTIMISED = "--enable-optimizations"
"""What makes Python's build learn from a profile; version managers that compile leave it out unless told otherwise."""


def is_optimised(configured: str, prefix: str) -> bool:
    """Tell whether a Python was built with profile-guided optimisation, by its `CONFIG_ARGS` and where it was installed.

    >>> is_optimised("'--prefix=/home/me/.pyenv/versions/3.11.7'", "/home/me/.pyenv/versions/3.11.7")
    False
    >>> is_optimised("'--enable-optimizations' '--with-lto'", "/usr/local")
    True
    >>> is_optimised("'--enable-shared' '--prefix=/usr'", "/usr")
    True
    """
    return OPTIMISED in configured or prefix == SYSTEM


def _is_fit() -> bool:
    is_quick = is_optimised(sysconfig.get_config_var("CONFIG_ARGS") or "", sys.base_prefix)
    return sys.version_info >= OLDEST and is_quick and all(map(find_spec, ("venv", "ensurepip")))


if __name__ == "__main__":
    sys.exit(not _is_fit())
