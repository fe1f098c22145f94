"""The systemd units: their commands and environments, as systemd would make them."""

import shlex
from collections.abc import Iterator
from pathlib import Path

from tests.brokers import ROOT

FOLDER = ROOT / "deploy" / "systemd"
PROGRAM = "/opt/leadstream/.venv/bin/leadstream"


def entries(name: str) -> Iterator[tuple[str, str]]:
    """Yield each line `Name=value` of a unit; a name may come again and again."""
    for line in (FOLDER / name).read_text().splitlines():
        key, found, value = line.partition("=")
        if found and not line.startswith("#"):
            yield key, value


def values(name: str, key: str) -> list[str]:
    return [value for found, value in entries(name) if found == key]


def environment(name: str, instance: str, runtime: Path) -> dict[str, str]:
    """Return what a unit's process gets, the shipped examples of the files of settings included."""
    specifiers = {"%i": instance, "%H": "host", "%t": str(runtime)}
    words = [word for value in values(name, "Environment") for word in shlex.split(value)]
    files = [Path(file.removeprefix("-").replace("%i", instance)).name for file in values(name, "EnvironmentFile")]
    shipped = [FOLDER / file for file in files]
    lines = [line for file in shipped if file.exists() for line in file.read_text().splitlines()]
    words += [line for line in lines if "=" in line and not line.startswith("#")]
    made = dict(word.split("=", 1) for word in words)
    for mark, value in specifiers.items():
        made = {key: told.replace(mark, value) for key, told in made.items()}
    return made


def command(name: str) -> list[str]:
    """Return the words behind the program."""
    (line,) = values(name, "ExecStart")
    program, *words = shlex.split(line)
    assert program == PROGRAM
    return words
