"""What the environment says, and a file `.env` of the folder a command is called in; the environment wins."""

import os
from pathlib import Path

from stream.errors import UsageError


def chosen(prefix: str) -> dict[str, str]:
    """Return what the `.env` file and the environment say, names in capitals without the prefix; raises UsageError."""
    said = _dotenv(prefix) | os.environ
    return {name.upper().removeprefix(prefix): value for name, value in said.items() if name.upper().startswith(prefix)}


def _dotenv(prefix: str) -> dict[str, str]:
    """Return what the `.env` file says, where there is one: as it is written, a `$` in a password too.

    A line that is for us and gives no value is refused; it may hold a secret, and is not shown. What others keep there is theirs.
    """
    file = Path(".env")
    try:
        if not file.is_file():
            return {}
        from dotenv.parser import parse_stream  # noqa: PLC0415 - a worker starts sooner without

        with file.open(encoding="utf-8-sig") as text:
            lines = list(parse_stream(text))
    except OSError as error:
        raise UsageError(f"{file.absolute()}: {error.strerror or error}: make it readable, or start elsewhere") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file.absolute()} is not UTF-8 ({error.reason} at byte {error.start}): save it as UTF-8") from error
    for line in lines:
        if (line.error or (line.key and line.value is None)) and prefix in line.original.string.upper():
            said = line.original.string
            number = line.original.line + said[: len(said) - len(said.lstrip())].count("\n")
            raise UsageError(f"{file.absolute()}, line {number}: no NAME=VALUE: write {prefix}… with a = and what it is to be")
    return {line.key: line.value for line in lines if line.key is not None and line.value is not None}
