"""What the environment says, and a file `.env` of the folder a command is called in; the environment wins."""

import os
from pathlib import Path

from stream.errors import UsageError


def chosen(prefix: str) -> dict[str, str]:
    """Return what the `.env` file and the environment say, names in capitals without the prefix; raises UsageError."""
    said = _dotenv() | os.environ
    return {
        name.upper().removeprefix(prefix): value
        for name, value in said.items()
        if value is not None and name.upper().startswith(prefix)
    }


def _dotenv() -> dict[str, str | None]:
    """Return what the `.env` file says, where there is one."""
    file = Path(".env")
    try:
        if not file.is_file():
            return {}
        from dotenv import dotenv_values  # noqa: PLC0415 - a worker starts sooner without

        return dict(dotenv_values(file))
    except OSError as error:
        raise UsageError(f"{file.absolute()}: {error.strerror or error}: make it readable, or start elsewhere") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file.absolute()} is not UTF-8 ({error.reason} at byte {error.start}): save it as UTF-8") from error
