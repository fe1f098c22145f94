"""`make install` takes a Python that was built with optimisations where there is one."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from stream.interpreter import is_optimised
from tests.brokers import ROOT

QUICK, PLAIN = 0, 1


@pytest.mark.parametrize(
    ("configured", "prefix", "is_quick"),
    [
        pytest.param("'--enable-optimizations' '--with-lto'", "/usr/local", True, id="the image of Docker"),
        pytest.param("'--prefix=/home/me/.pyenv/versions/3.11.7' '--enable-shared'", "/home/me/.pyenv/3.11.7", False, id="pyenv"),
        pytest.param("'--prefix=/home/me/3.13' '--enable-optimizations'", "/home/me/3.13", True, id="pyenv, told to"),
        pytest.param("'--enable-shared' '--prefix=/usr'", "/usr", True, id="Debian, which does not say so"),
        pytest.param("", "/opt/python", False, id="nothing is known"),
    ],
)
def test_a_python_is_known_by_its_configuration(configured: str, prefix: str, *, is_quick: bool) -> None:
    assert is_optimised(configured, prefix) is is_quick


@pytest.mark.parametrize(
    ("found", "taken"),
    [
        pytest.param({"python3": QUICK, "python3.13": QUICK}, "python3", id="the usual one is quick"),
        pytest.param({"python3": PLAIN, "python3.13": PLAIN, "python3.12": QUICK}, "python3.12", id="another one is"),
    ],
)
def test_make_installs_with_the_first_that_is_quick(tmp_path: Path, found: Mapping[str, int], taken: str) -> None:
    assert _installs_with(tmp_path, found) == taken


def test_make_installs_with_the_one_that_was_named(tmp_path: Path) -> None:
    assert _installs_with(tmp_path, {"python3": QUICK, "mine": PLAIN}, "PYTHON=mine") == "mine"


def _installs_with(folder: Path, found: Mapping[str, int], *words: str) -> str:
    """Return which Python `make install` would make its venv with, on a machine with these."""
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    for name, ends_with in found.items():
        python = folder / name
        python.write_text(f"#!/bin/sh\nexit {ends_with}\n")
        python.chmod(0o755)
    mine = {
        name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name != "PYTHON"
    }  # `make test`'s own
    env = mine | {"PATH": f"{folder}{os.pathsep}{mine['PATH']}"}
    words = ("make", "--dry-run", "install", *words)
    done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=True)
    return next(line for line in done.stdout.splitlines() if "-m venv" in line).split()[-4]
