"""A command that holds much ends at once with all it said, where nobody but a shell called."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from stream.cli import main
from stream.cli.leaving import leave
from stream.domain.instants import write
from tests.told import START


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "events.ndjson"
    file.write_text(f'{{"type":"page","anonymousId":"9f2c","timestamp":"{write(START)}"}}\n', encoding="utf-8")
    return file


@pytest.fixture(autouse=True)
def left(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the exit codes with which this process would have ended."""
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    return codes


def test_a_shell_gets_everything_and_an_exit_code_of_0(file: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "stream", "simulate", "--json", str(file)], capture_output=True, check=True)
    assert done.stdout == CliRunner().invoke(main, ["simulate", "--json", str(file)]).stdout_bytes
    assert done.stderr == b""


def test_a_shell_does_not_wait_for_what_is_taken_down(file: Path, left: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["leadstream", "simulate", "--json", str(file)])
    with pytest.raises(SystemExit):
        main()
    assert left == [0]


def test_who_calls_from_python_goes_on(file: Path, left: list[int]) -> None:
    leave()
    assert CliRunner().invoke(main, ["simulate", "--json", str(file)]).exit_code == 0
    assert left == []
