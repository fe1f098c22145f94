"""Workers as forks of a process that has read all their modules already: that is half of what a start costs.

A fork is what `python -m MODULE WORDS` would be: a process of its own with its own environment, folder and log. Where
the start itself is what a test is about, its time or its memory, workers start in the ordinary way.
"""

import ast
import contextlib
import ctypes
import gc
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
_END_WITH_PARENT = 1  # Linux's PR_SET_PDEATHSIG


def is_there() -> bool:
    """Tell whether workers can be forked here; coverage knows of processes that are started only."""
    return sys.platform == "linux" and "COVERAGE_PROCESS_CONFIG" not in os.environ


class Forked:
    """A fork, with what a `subprocess.Popen` has."""

    def __init__(self, nursery: "Nursery", pid: int, args: Sequence[str]) -> None:
        self.pid, self.args = pid, list(args)
        self._nursery = nursery
        self._code: int | None = None

    def poll(self) -> int | None:
        """Return its exit code, a signal's negative; None while it lives."""
        if self._code is None:
            self._code = self._nursery.ask(poll=self.pid)
        return self._code

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; raise `subprocess.TimeoutExpired` if that takes longer (s)."""
        until = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if timeout is not None and until is not None and time.monotonic() > until:
                raise subprocess.TimeoutExpired(self.args, timeout)
            time.sleep(0.005)
        return code

    def terminate(self) -> None:
        """Ask it to end."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


class Nursery:
    """The process that forks; it ends with the one that asks, and its forks end with it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-m", "tests.nursery", str(theirs.fileno())]
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                cwd=ROOT,
            )
        self._way, self._one_at_a_time = ours.makefile("rw"), threading.Lock()

    def fork(
        self, words: Sequence[str], env: Mapping[str, str], log: Path, cwd: Path, errors: Path | None = None
    ) -> Forked:  # fmt: skip
        """Start `python -m WORDS` in a folder, its output appended to a log, and its errors, or those to one of their own."""
        pid = self.ask(words=list(words), env=dict(env), logs=[str(log), str(errors or log)], cwd=str(cwd))
        return Forked(self, pid, words)

    def run(self, words: Sequence[str], env: Mapping[str, str], cwd: Path, timeout_s: float) -> subprocess.CompletedProcess[str]:
        """Run `python -m WORDS` to its end."""
        with tempfile.TemporaryDirectory(dir=cwd) as folder:
            output, errors = Path(folder, "output"), Path(folder, "errors")
            running = self.fork(words, env, output, cwd, errors)
            try:
                code = running.wait(timeout_s)
            finally:
                running.kill()
            return subprocess.CompletedProcess(list(words), code, output.read_text(), errors.read_text())

    def ask(self, **what: Any) -> Any:
        """Return the answer to one question."""
        with self._one_at_a_time:
            self._way.write(json.dumps(what) + "\n")
            self._way.flush()
            answer = self._way.readline()
        assert answer, f"the nursery ended with {self._process.wait(10)}"
        return json.loads(answer)


@cache
def nursery() -> Nursery:
    """Return this process's nursery; it is started when it is wanted first."""
    return Nursery()


# -- the other side


def _read_modules() -> dict[str, str]:
    """Import what a worker does, all but the app itself, which reads its settings; return the environment that came of it."""
    before = dict(os.environ)
    gc.disable()
    from stream.cli import worker  # noqa: PLC0415 - the asking side does without

    worker._import_faust()
    import_module("stream.web.service")
    for name in _imports((ROOT / "stream" / "app.py").read_text()):
        with contextlib.suppress(ModuleNotFoundError):  # a name in a module is no module
            import_module(name)
    gc.freeze()  # who collects garbage in a fork need not copy all of this
    gc.enable()
    return {name: value for name, value in os.environ.items() if name not in before}


def _imports(text: str) -> Iterator[str]:
    for statement in ast.parse(text).body:
        if isinstance(statement, ast.Import):
            yield from (name.name for name in statement.names)
        elif isinstance(statement, ast.ImportFrom):
            yield from (f"{statement.module}.{name.name}" for name in statement.names)
            yield str(statement.module)


def _serve(fd: int, made: Mapping[str, str]) -> None:
    """Answer until nobody asks any more, then end; return in forks only."""
    ours = os.getpid()
    with socket.socket(fileno=fd) as way, way.makefile("rw") as lines:
        for line in lines:
            asked = json.loads(line)
            answer = _exit_code(asked["poll"]) if "poll" in asked else _fork()
            if os.getpid() != ours:
                _be(asked, ours, made)
                return
            lines.write(json.dumps(answer) + "\n")
            lines.flush()
    os._exit(0)  # nothing is to be put in order


def _fork() -> int:
    """Fork; both sides give the fork a process group of its own, so that neither need wait for the other."""
    pid = os.fork()
    with contextlib.suppress(OSError):
        os.setpgid(pid, pid)
    return pid


def _exit_code(pid: int) -> int | None:
    ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def _be(asked: Mapping[str, Any], parent: int, made: Mapping[str, str]) -> None:
    """Become what was asked for."""
    ctypes.CDLL(None).prctl(_END_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    os.environ.clear()
    os.environ.update({**made, **asked["env"]})
    os.chdir(asked["cwd"])
    for stream, log in enumerate(asked["logs"], 1):
        try:
            opened = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        except FileNotFoundError:  # who asked has ended since, and taken the folder along
            os._exit(1)
        os.dup2(opened, stream)
        os.close(opened)
    sys.argv = asked["words"]


if __name__ == "__main__":
    _serve(int(sys.argv[1]), _read_modules())
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
