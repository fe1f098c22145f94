"""Kill -9, freezes, networks that stall, brokers that end, a ruleset deployed in the middle: twenty short schedules."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.cluster import Clusters
from tests.chaos.schedule import BROKERS_EVERY
from tests.chaos.short import KEPT, SEED, short

LONGEST = BROKERS_EVERY - 1
"""With three brokers: begun first, it does not keep everybody waiting at the end."""
PLAYED = [*((SEED, number) for number in (LONGEST, *range(LONGEST))), *KEPT]


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
