"""The real Prometheus and promtool: where they are installed, else unpacked from Debian's package."""

import fcntl
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.brokers import ROOT

_UNPACKED = ROOT / ".cache" / "prometheus"


def tool(name: str) -> Path:
    """Return the path of `prometheus` or `promtool`; skips with the reason where neither can be had."""
    if found := shutil.which(name):
        return Path(found)
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        pytest.skip(f"no {name}: install Prometheus (on Debian and Ubuntu: apt install prometheus)")
    _UNPACKED.parent.mkdir(exist_ok=True)
    with Path(_UNPACKED.parent, "fetching-prometheus").open("w") as one:
        fcntl.flock(one, fcntl.LOCK_EX)  # the tests run in several processes
        if not _UNPACKED.is_dir():
            _unpack(name)
    return _UNPACKED / "usr" / "bin" / name


def _unpack(name: str) -> None:
    with tempfile.TemporaryDirectory(dir=_UNPACKED.parent) as folder:
        done = _run(folder, "apt-get", "download", "prometheus")
        if done.returncode:  # it may never have asked what there is
            _run(folder, "apt-get", "update")
            done = _run(folder, "apt-get", "download", "prometheus")
        if done.returncode:
            pytest.skip(f"no {name}, and Debian's package cannot be fetched: {done.stderr.strip()[-300:]}")
        (package,) = Path(folder).glob("*.deb")
        subprocess.run(["dpkg-deb", "-x", str(package), str(Path(folder, "whole"))], check=True)
        Path(folder, "whole").rename(_UNPACKED)


def _run(folder: str, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
