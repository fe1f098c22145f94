"""Kill -9, freezes, networks that stall, brokers that end: the first of twenty short schedules.

A file runs in one process: the others are in `test_chaos_again.py` and `test_chaos_once_more.py`, and run beside it.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.cluster import Clusters
from tests.chaos.short import SEED, short


@pytest.fixture(scope="module")
def clusters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clusters]:
    made = Clusters(tmp_path_factory.mktemp("chaos"))
    yield made
    made.stop()


@pytest.mark.kafka
@pytest.mark.parametrize("number", range(7))
def test_whatever_fails_what_lies_in_kafka_afterwards_is_what_must(clusters: Clusters, tmp_path: Path, number: int) -> None:
    assert short(clusters, tmp_path, SEED, number)[:5] == []
