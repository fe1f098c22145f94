"""A Kafka where nobody keeps a group's commits: of three brokers one kept them once, and is gone; commands end and say so."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic

import pytest

from tests.brokers import Broker, Installation, own_node

WITHIN_S = 45
DEPLOY = ("ruleset", "deploy", "rules.toml", "--wait", "1")
COMMANDS = [("ruleset", "show"), DEPLOY, ("copy", "--from", "other-"), ("deadletters", "replay"), ("topics", "--adopt")]


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """Kafka finds nobody for commits of which there are to be more copies than brokers."""
    with own_node(tmp_path / "kafka", offsets_topic_replication_factor="3") as node:
        yield Installation(Broker(node.address, "kafka"), tmp_path, prefix="", settings={"PARTITIONS": "2"})


def test_every_command_ends_with_one_line(installation: Installation) -> None:
    (installation.folder / "rules.toml").write_text('[ruleset]\nid = "mine"\n')
    for prefix in ("", "other-"):
        assert installation.run("topics", TOPIC_PREFIX=prefix, APP=f"{prefix}app").returncode == 0
    installation.produce("dead-letters", [(b"k", b"{")], headers={"leadstream-reason": b"not_json"})

    def ended(words: tuple[str, ...]) -> tuple[int, str, float]:
        began = monotonic()
        done = installation.run(*words)
        return done.returncode, done.stderr, monotonic() - began

    with ThreadPoolExecutor(len(COMMANDS)) as beside:
        ends = dict(zip(COMMANDS, beside.map(ended, COMMANDS), strict=True))
    for words, (code, told, took_s) in ends.items():
        assert (code, told.count("\n")) == (3, 1), (words, told)
        assert "GroupCoordinatorNotAvailableError: of the group app" in told, words
        assert took_s < WITHIN_S, words
    assert ends[DEPLOY][2] < WITHIN_S / 2, "nobody asked it to wait so long"
