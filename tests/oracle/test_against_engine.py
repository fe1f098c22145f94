"""The engine says what the oracle says, on journeys made from seeds."""

import os

import pytest

from tests.oracle.against import check

SEEDS = int(os.environ.get("ORACLE_SEEDS", "12"))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_simulate_says_what_an_honest_slow_reading_of_the_contract_says(seed: int) -> None:
    assert check(seed) == []
