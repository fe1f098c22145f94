"""Child processes that never outlive us."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

# The kernel ends the child with its parent, also after a kill -9 that nobody can handle. Asking for it in the child,
# not in a preexec_fn, is safe beside threads. The parent may be gone before the child has asked.
_DIE_WITH_PARENT = (
    "import ctypes,os,sys;ctypes.CDLL(None).prctl(1,9);"
    "os.getppid()==int(sys.argv[1]) or sys.exit(1);os.execvp(sys.argv[2],sys.argv[2:])"
)


def spawn(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    output: IO[bytes] | int | None = None,
    cwd: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start a child in a process group of its own, `output` taking stdout and stderr.

    Call it from the main thread: on Linux the child ends with the thread that started it.
    """
    if sys.platform == "linux":
        command = [sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT, str(os.getpid()), *command]
    return subprocess.Popen(  # noqa: S603 -- our own binaries
        command,
        env=None if env is None else dict(env),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=None if output is None else subprocess.STDOUT,
        start_new_session=True,
        cwd=cwd,
    )


def end(child: subprocess.Popen[bytes], patience_s: float = 10.0) -> int:
    """Ask the child to end, insist after `patience_s`, and return its exit code."""
    if child.poll() is None:
        child.terminate()
    try:
        return child.wait(patience_s)
    except subprocess.TimeoutExpired:
        child.kill()
        return child.wait()
