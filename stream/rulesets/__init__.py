"""The ruleset that is shipped."""

from importlib.resources import files
from typing import Final

DEFAULT: Final = "b2b-default.toml"


def default_text() -> bytes:
    """Return the bytes of the shipped ruleset."""
    return files(__name__).joinpath(DEFAULT).read_bytes()
