"""The end of a command that holds much."""

import os
import sys
from typing import Final

import click

SHELL: Final = "shell"
"""Who called, as `leadstream` tells its commands: this process is theirs alone."""


def leave() -> None:
    """End the process, its work done, where a shell called: to take down what it holds takes long."""
    context = click.get_current_context(silent=True)
    if context is not None and context.find_root().obj == SHELL:
        for stream in filter(None, (sys.stdout, sys.stderr)):  # one that a shell closed is None
            stream.flush()
        os._exit(0)
