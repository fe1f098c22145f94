"""Kill -9, freezes, networks that stall, brokers that end, a ruleset deployed in the middle: twenty short schedules."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.cluster import Clusters
from tests.chaos.short import KEPT, SEED, short

PLAYED = [*((SEED, number) for number in range(20)), *KEPT]


@pytest.fixture(scope="module")
def clusters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clusters]:
    made = Clusters(tmp_path_factory.mktemp("chaos"))
    yield made
    made.stop()


@pytest.mark.kafka
@pytest.mark.parametrize(("seed", "number"), PLAYED)
def test_whatever_fails_what_lies_in_kafka_afterwards_is_what_must(
    clusters: Clusters, tmp_path: Path, seed: int, number: int
) -> None:
    assert short(clusters, tmp_path, seed, number)[:5] == []
