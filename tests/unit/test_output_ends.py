"""What is printed into a pipe nobody reads, onto a full disk, or into nothing ends a command without a traceback."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from stream import cli

EVENT = '{"type":"page","anonymousId":"9f2c","timestamp":"2026-11-22T10:00:00Z"}\n'
PRINTING = {
    "help": "--help",
    "version": "--version",
    "a command's help": "simulate --help",
    "text": "simulate events.ndjson",
    "a document": "simulate --json events.ndjson",
}


@pytest.fixture
def shell(tmp_path: Path) -> Callable[[str], tuple[int, str]]:
    """Let a shell run what stands for `leadstream …`; returns its exit code and what was said on stderr."""
    (tmp_path / "events.ndjson").write_text(EVENT, encoding="utf-8")

    def run(line: str) -> tuple[int, str]:
        command = f"leadstream() {{ '{sys.executable}' -m stream \"$@\"; }}; {line}"
        done = subprocess.run(["bash", "-c", command], cwd=tmp_path, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
        return done.returncode, done.stderr

    return run


@pytest.mark.parametrize("words", PRINTING.values(), ids=PRINTING)
def test_who_has_read_enough_ends_it_well(shell: Callable[[str], tuple[int, str]], words: str) -> None:
    """The reader is gone before anything is printed: the first word already meets a broken pipe."""
    line = f"(sleep 0.2; leadstream {words}; echo $? >code) | true; cat code >&2"
    assert shell(line) == (0, "0\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("words", PRINTING.values(), ids=PRINTING)
def test_a_full_disk_is_one_line_and_exit_2(shell: Callable[[str], tuple[int, str]], words: str) -> None:
    said = "leadstream: cannot write: No space left on device: make room, or write elsewhere\n"
    assert shell(f"leadstream {words} >/dev/full") == (2, said)
    assert shell(f"leadstream {words} >/dev/full 2>/dev/full") == (2, "")


@pytest.mark.parametrize("words", PRINTING.values(), ids=PRINTING)
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_closed_output_is_nobodys_loss(shell: Callable[[str], tuple[int, str]], words: str, closed: str) -> None:
    assert shell(f"leadstream {words} {closed} | cat >/dev/null; exit ${{PIPESTATUS[0]}}") == (0, "")


@pytest.mark.parametrize("words", PRINTING.values(), ids=PRINTING)
def test_a_terminal_that_lacks_a_letter_ends_nothing(shell: Callable[[str], tuple[int, str]], words: str) -> None:
    for encoding in ("ascii", "latin-1"):
        assert shell(f"PYTHONIOENCODING={encoding} leadstream {words} >said") == (0, "")


def test_another_error_of_the_system_is_a_bug_and_shows_where(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that ends with 2 would not be started again."""

    def fail(*_: object) -> None:
        raise ConnectionResetError

    monkeypatch.setattr(cli.LazyGroup, "get_command", fail)
    with pytest.raises(ConnectionResetError):
        cli.main(["topics"])
